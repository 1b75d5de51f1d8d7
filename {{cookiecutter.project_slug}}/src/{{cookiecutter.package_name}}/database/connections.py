"""The open connections of engines, whether threads use them or an event loop does."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, PoolResetState, event
from sqlalchemy.pool import ConnectionPoolEntry

CANCEL_SECONDS = 1.0  # for the statements that are still running at the end


class DatabaseError(RuntimeError):
    """The service cannot start on this database."""


class Connections:
    """Knows which connections are open, and has them used as they should be."""

    def __init__(self) -> None:
        self._open: dict[Any, Any] = {}

    def watch(self, engine: Engine) -> None:
        """Know those of *engine*, too, from its first one on."""
        event.listen(engine, "connect", self._connected)
        event.listen(engine, "close", self._closed)
        event.listen(engine, "reset", _roll_back)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _heed_foreign_keys)

    @property
    def open(self) -> list[Any]:
        """Those that are open, as the driver's own objects."""
        return list(self._open.values())

    def _connected(self, connection: Any, entry: ConnectionPoolEntry) -> None:
        self._open[connection] = entry.driver_connection

    def _closed(self, connection: Any, _: object) -> None:
        self._open.pop(connection, None)


def is_busy(connection: Any) -> bool:
    """Whether a psycopg connection waits for the end of a statement."""
    return bool(connection.info.transaction_status.name == "ACTIVE")


def _heed_foreign_keys(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _roll_back(connection: Any, _: object, state: PoolResetState) -> None:
    """Before a connection is used again: SQLAlchemy takes a transaction whose commit has failed for
    ended, but in SQLite it goes on."""
    if not state.terminate_only:
        connection.rollback()

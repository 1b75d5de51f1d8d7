"""The open connections of engines, whether threads use them or an event loop does."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Engine, PoolResetState, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from .timeouts import limit_waits
from .url import problem_at

logger = logging.getLogger(__name__)

CANCEL_SECONDS = 1.0  # for the statements that are still running at the end


class DatabaseError(RuntimeError):
    """The service cannot start on this database."""


@contextmanager
def starting(url: URL) -> Iterator[None]:
    """Let the service start although PostgreSQL is down: it is not ready until that answers.

    Were it to fail, gunicorn would halt as a whole if a worker had to be replaced in an outage.

    Raises:
        DatabaseError: in one line, what to change: no waiting mends it.
    """
    try:
        yield
    except DBAPIError as error:
        problem = problem_at(url, error.orig)
        if not isinstance(error, OperationalError) or url.get_backend_name() != "postgresql":
            raise DatabaseError(problem) from error
        logger.error("not ready until the database answers", extra={"problem": problem})


class Connections:
    """Knows which connections are open, and has them used as they should be."""

    def __init__(self) -> None:
        self._open: dict[Any, Any] = {}

    def watch(self, engine: Engine, statement_seconds: float) -> None:
        """Know those of *engine*, too, from its first one on.

        Args:
            engine: a new one.
            statement_seconds: how long a statement may take.
        """
        event.listen(engine, "connect", self._connected)
        event.listen(engine, "close", self._closed)
        event.listen(engine, "reset", _roll_back)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _heed_foreign_keys)
        else:
            limit_waits(engine, statement_seconds)

    @property
    def open(self) -> list[Any]:
        """Those that are open, as the driver's own objects."""
        return list(self._open.values())

    def _connected(self, connection: Any, entry: ConnectionPoolEntry) -> None:
        self._open[connection] = entry.driver_connection

    def _closed(self, connection: Any, _: object) -> None:
        self._open.pop(connection, None)


def _heed_foreign_keys(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _roll_back(connection: Any, _: object, state: PoolResetState) -> None:
    """Before a connection is used again: SQLAlchemy takes a transaction whose commit has failed for
    ended, but in SQLite it goes on."""
    if not state.terminate_only:
        connection.rollback()

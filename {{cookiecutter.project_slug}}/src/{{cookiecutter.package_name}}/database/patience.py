"""How long connections wait for a PostgreSQL that hangs: it is there, but says nothing.

Its own time limits hang with it, and its kernel goes on confirming what it is sent. So psycopg is
told how long to wait, and the pool parts with a connection that has waited in vain.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import Engine, ExceptionContext, event
from sqlalchemy.pool import ConnectionPoolEntry

ALIVE_SECONDS = 2.0  # for a sign of life, before a connection is used


def limit_waits(engine: Engine, statement_seconds: float) -> None:
    """Let connections of *engine* wait for a statement only a little longer than it may take."""

    def look_for_life(_: Any, entry: ConnectionPoolEntry) -> None:
        _limit(entry, ALIVE_SECONDS)

    def work(_: Any, entry: ConnectionPoolEntry, __: Any) -> None:
        _limit(entry, statement_seconds + 1)

    event.listen(engine, "connect", look_for_life)
    event.listen(engine, "checkout", work)
    event.listen(engine, "checkin", look_for_life)
    event.listen(engine, "handle_error", _part_with_the_silent)


def is_busy(connection: Any) -> bool:
    """Whether a psycopg connection waits for the end of a statement."""
    return bool(connection.info.transaction_status.name == "ACTIVE")


def _limit(entry: ConnectionPoolEntry, seconds: float) -> None:
    connection: Any = entry.driver_connection
    if connection is not None:  # or it was closed meanwhile
        # Whether psycopg's connection blocks or not, all its waits are done by this method.
        connection.wait = partial(type(connection).wait, connection, timeout=seconds)


def _part_with_the_silent(context: ExceptionContext) -> None:
    if context.is_pre_ping:
        context.is_disconnect = True
    elif not context.is_disconnect and context.connection is not None:
        context.is_disconnect = is_busy(context.connection.connection.driver_connection)

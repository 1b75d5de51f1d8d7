"""Timeouts for a PostgreSQL that hangs: it is there, but says nothing.

Its own timeouts hang with it, and its kernel goes on acknowledging what it is sent. So psycopg is
told how long to wait, and the pool invalidates a connection that has waited in vain.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import Engine, ExceptionContext, event
from sqlalchemy.pool import ConnectionPoolEntry

PRE_PING_SECONDS = 2.0


def limit_waits(engine: Engine, statement_seconds: float) -> None:
    """Let connections of *engine* wait for a statement only a little longer than it may take."""

    def limit_pre_ping(_: Any, entry: ConnectionPoolEntry) -> None:
        _limit(entry, PRE_PING_SECONDS)

    def limit_statement(_: Any, entry: ConnectionPoolEntry, __: Any) -> None:
        _limit(entry, statement_seconds + 1)

    event.listen(engine, "connect", limit_pre_ping)
    event.listen(engine, "checkout", limit_statement)
    event.listen(engine, "checkin", limit_pre_ping)
    event.listen(engine, "handle_error", _invalidate_if_silent)


def is_busy(connection: Any) -> bool:
    """Whether a psycopg connection waits for the end of a statement."""
    return bool(connection.info.transaction_status.name == "ACTIVE")


def _limit(entry: ConnectionPoolEntry, seconds: float) -> None:
    connection: Any = entry.driver_connection
    if connection is not None:  # or it was closed meanwhile
        # Whether psycopg's connection blocks or not, all its waits are done by this method.
        connection.wait = partial(type(connection).wait, connection, timeout=seconds)


def _invalidate_if_silent(context: ExceptionContext) -> None:
    if context.is_pre_ping:
        context.is_disconnect = True
    elif not context.is_disconnect and context.connection is not None:
        context.is_disconnect = is_busy(context.connection.connection.driver_connection)

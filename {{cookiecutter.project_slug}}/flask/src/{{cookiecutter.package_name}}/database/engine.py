"""The connections to the database, as a hook of the lifecycle."""

from __future__ import annotations

import contextlib
import time

from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session, sessionmaker

from ..lifecycle import Budget
from ..settings import THREADS
from .connections import CANCEL_SECONDS, Connections, DatabaseError, starting
from .schema import problem_of_schema
from .timeouts import is_busy
from .url import engine_options, parse, problem_at


class Database:
    """The engine: the first to start, and the last to stop. Creating one connects to nothing.

    Args:
        secret: ``DATABASE_URL``.
        budget: a statement may take as long as a request at a stop.
    """

    name = "database"
    timeout = 5.0

    def __init__(self, secret: SecretStr, budget: Budget) -> None:
        self._url = parse(secret)
        self._budget = budget
        self._connections = Connections()
        self.engine = self._create_engine(THREADS)  # so that no thread waits for another
        # A connection of its own, so that a busy pool does not look like a dead database.
        self._probe = self._create_engine(1)
        self._has_tables = False
        self.sessions: sessionmaker[Session] = sessionmaker(self.engine)

    def start(self) -> None:
        """Connect, and look for the tables.

        Raises:
            DatabaseError: in one line, what to change.
        """
        try:
            with starting(self._url):
                self.check()
        finally:
            self._probe.dispose()  # what has not started is not stopped

    def check(self) -> None:
        """Raise if the database does not answer, or has not the tables."""
        with self._probe.connect() as connection:
            if self._has_tables:
                connection.execute(text("SELECT 1"))
            elif problem := problem_of_schema(connection):
                raise DatabaseError(problem_at(self._url, problem))
            else:
                self._has_tables = True

    def stop(self) -> None:
        """Close all connections, also those of requests that were abandoned.

        Those lose what they have not committed, and PostgreSQL hears of it.
        """
        self._probe.dispose()
        self.engine.dispose()
        if self.engine.dialect.name != "postgresql":
            return  # a file needs nobody to tell
        abandoned = self._connections.open
        with contextlib.suppress(self.engine.dialect.loaded_dbapi.Error):
            for connection in abandoned:
                connection.cancel_safe(timeout=CANCEL_SECONDS)
        # PostgreSQL complains when nobody hears that a statement was cancelled.
        until = time.monotonic() + CANCEL_SECONDS
        while any(map(is_busy, abandoned)) and time.monotonic() < until:
            time.sleep(0.01)
        for connection in abandoned:
            connection.close()

    def _create_engine(self, pool_size: int) -> Engine:
        seconds = self._budget.requests
        options = engine_options(self._url, pool_size=pool_size, statement_seconds=seconds)
        engine = create_engine(self._url, **options)
        self._connections.watch(engine, seconds)
        return engine

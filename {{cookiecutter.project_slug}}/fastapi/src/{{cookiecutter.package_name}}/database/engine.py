"""The connections to the database, as a hook of the lifecycle."""

from __future__ import annotations

import asyncio
import contextlib
import time

from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

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
        # As many as threads would use. More do not make a database faster, and many workers must
        # share its limit; who finds none free is told 503 soon.
        self.engine = self._create_engine(THREADS)
        # A connection of its own, so that a busy pool does not look like a dead database.
        self._probe = self._create_engine(1)
        self._has_tables = False
        # Handlers may read what they have committed, without asking the database again.
        self.sessions: async_sessionmaker[AsyncSession] = async_sessionmaker(
            self.engine, expire_on_commit=False
        )

    async def start(self) -> None:
        """Connect, and look for the tables.

        Raises:
            DatabaseError: in one line, what to change.
        """
        try:
            with starting(self._url):
                await self.check()
        finally:
            await self._probe.dispose()  # what has not started is not stopped

    async def check(self) -> None:
        """Raise if the database does not answer, or has not the tables."""
        async with self._probe.connect() as connection:
            if self._has_tables:
                await connection.execute(text("SELECT 1"))
            elif problem := await connection.run_sync(problem_of_schema):
                raise DatabaseError(problem_at(self._url, problem))
            else:
                self._has_tables = True

    async def stop(self) -> None:
        """Close all connections, also those of requests that were abandoned.

        Those lose what they have not committed, and PostgreSQL hears of it.
        """
        await self._probe.dispose()
        await self.engine.dispose()
        if self.engine.dialect.name != "postgresql":
            return  # a file needs nobody to tell
        abandoned = self._connections.open
        with contextlib.suppress(self.engine.dialect.loaded_dbapi.Error):
            for connection in abandoned:
                await connection.cancel_safe(timeout=CANCEL_SECONDS)
        # PostgreSQL complains when nobody hears that a statement was cancelled.
        until = time.monotonic() + CANCEL_SECONDS
        while any(map(is_busy, abandoned)) and time.monotonic() < until:
            await asyncio.sleep(0.01)
        for connection in abandoned:
            await connection.close()

    def _create_engine(self, pool_size: int) -> AsyncEngine:
        seconds = self._budget.requests
        options = engine_options(self._url, pool_size=pool_size, statement_seconds=seconds)
        engine = create_async_engine(self._url, **options)
        self._connections.watch(engine.sync_engine, seconds)
        return engine

"""Databases for tests: on a PostgreSQL of their own, or on that at ``TEST_DATABASE_URL``."""

from __future__ import annotations

import os
import shutil
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from .migrating import create_tables
from .missing import missing
from .services import Service

# Importing the probe takes settings, before any fixture; and never the developer's database.
os.environ["DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/nowhere"


class PostgreSQL(Service):
    """A PostgreSQL server."""

    end_signal = signal.SIGQUIT  # its processes are no group

    def __init__(self) -> None:
        self._programs = _find_programs()
        super().__init__(user="postgres")
        self.url = f"postgresql://tests:secret@127.0.0.1:{self.port}"
        self.database_url = f"{self.url}/postgres"
        (self.folder / "password").write_text("secret")
        if self._user is not None:
            shutil.chown(self.folder / "password", self._user)
        self.run(
            str(self._programs / "initdb"),
            *("--pgdata=data", "--username=tests", "--pwfile=password", "--auth=scram-sha-256"),
            *("--encoding=UTF8", "--locale=C", "--no-sync"),
        )

    def command(self) -> list[str]:
        """What starts it, on TCP only."""
        options = [
            f"port={self.port}",
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
        ]
        return [str(self._programs / "postgres"), "-D", "data", *(f"-c{o}" for o in options)]

    def is_up(self) -> bool:
        """Whether it accepts connections."""
        try:
            psycopg.connect(self.database_url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, signum: int = signal.SIGINT) -> None:
        """Send it that signal: SIGINT tells its clients, SIGQUIT is the same as a crash."""
        super().stop(signum)


def _find_programs() -> Path:
    """Where ``postgres`` and ``initdb`` are: Debian does not put them on the path."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda f: int(f.parent.name))
    if not folders:
        missing("PostgreSQL")
    return folders[-1]


@pytest.fixture(scope="session")
def database_server() -> Iterator[str]:
    """The URL of the server at which tests create databases, without a path."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url.rstrip("/")
    else:
        with PostgreSQL() as server:
            yield server.url


@pytest.fixture(scope="session", autouse=True)
def _database(database_server: str) -> Iterator[None]:
    """Have all tests use one of their own, and never the developer's."""
    with new_database(database_server) as url:
        create_tables(url)
        os.environ["DATABASE_URL"] = url
        yield


@pytest.fixture
def empty_database(database_server: str) -> Iterator[str]:
    """The URL of one without tables."""
    with new_database(database_server) as url:
        yield url


@contextmanager
def new_database(server: str) -> Iterator[str]:
    """Give the URL of an empty database, which ends with the block."""
    name = f"tests_{uuid.uuid4().hex}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield f"{server}/{name}"
        finally:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
            connection.execute(drop.format(sql.Identifier(name)))

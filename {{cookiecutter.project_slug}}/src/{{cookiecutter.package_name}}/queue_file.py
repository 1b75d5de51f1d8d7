"""The SQLite file of the task queue: its tables, how it is opened, how it is written."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

LOCK_SECONDS = 2.0  # how long to wait for others who write
CHECKED_PAGES = 8192  # of 4 KiB; to look at all of a larger file would hold up the start
APPLICATION_ID = 0x67726366
VERSION = 1
OLDEST_SQLITE = (3, 35)  # which has RETURNING
TABLES = f"""
BEGIN IMMEDIATE;
CREATE TABLE tasks (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    payload TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'queued',
    attempts INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL,
    owner TEXT,
    error TEXT,
    finished REAL
);
CREATE INDEX waiting ON tasks (due, number) WHERE status = 'queued';
CREATE INDEX running ON tasks (owner) WHERE status = 'running';
CREATE INDEX finished ON tasks (status, finished) WHERE finished IS NOT NULL;
-- To count very many rows takes long.
CREATE TABLE counts (status TEXT PRIMARY KEY, tasks INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO counts VALUES ('queued', 0), ('running', 0), ('done', 0), ('failed', 0);
CREATE TRIGGER inserted AFTER INSERT ON tasks BEGIN
    UPDATE counts SET tasks = tasks + 1 WHERE status = new.status;
END;
CREATE TRIGGER changed AFTER UPDATE OF status ON tasks WHEN new.status <> old.status BEGIN
    UPDATE counts SET tasks = tasks + (status = new.status) - (status = old.status)
    WHERE status IN (new.status, old.status);
END;
CREATE TRIGGER deleted AFTER DELETE ON tasks BEGIN
    UPDATE counts SET tasks = tasks - 1 WHERE status = old.status;
END;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
COMMIT;
"""


class QueueFileError(RuntimeError):
    """The file cannot be used; the message says why."""


class Connection:
    """One connection to the file, used by one thread at a time::

        with connection as sql:
            sql.execute(...)

    Args:
        path: the file.
        synchronous: ``FULL`` to have each commit on the disk before it returns.
        lock: shared by connections that write. SQLite lets one of them write at a time, and the
            others sleep for some milliseconds before they look again.
    """

    def __init__(
        self, path: Path, *, synchronous: Literal["NORMAL", "FULL"], lock: threading.Lock
    ) -> None:
        self._path = path
        self._synchronous = synchronous
        self._lock = lock
        self._sql: sqlite3.Connection | None = None

    def open(self) -> None:
        """Connect, without a look at the file."""
        self._sql = sqlite3.connect(
            self._path, timeout=LOCK_SECONDS, isolation_level=None, check_same_thread=False
        )
        self._sql.execute(f"PRAGMA synchronous = {self._synchronous}")

    def close(self) -> None:
        """Disconnect, when nobody uses it any more."""
        with self._lock:
            if self._sql is not None:
                self._sql.close()
            self._sql = None

    def __enter__(self) -> sqlite3.Connection:
        self._lock.acquire()
        if self._sql is None:
            self._lock.release()
            raise sqlite3.ProgrammingError("it is not open")
        return self._sql

    def __exit__(self, *exception: object) -> None:
        self._lock.release()


@contextlib.contextmanager
def one_process_at_a_time(folder: Path) -> Iterator[None]:
    """Keep other processes out of the block: SQLite does not wait for those who make a file."""
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def create_private(path: Path) -> None:
    """Make an empty file that nobody else can read, if there is none."""
    if not path.exists():  # opening and closing it again would give up SQLite's locks on it
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def prepare(sql: sqlite3.Connection) -> None:
    """Make the tables in an empty file, and see that it is one of ours.

    Raises:
        QueueFileError: it is of a newer version, or of another program; or SQLite is too old.
        sqlite3.DatabaseError: it is no SQLite file, or cannot be read.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise QueueFileError(f"SQLite {sqlite3.sqlite_version} is too old, 3.35 is needed")
    empty = _number(sql, "SELECT count(*) FROM sqlite_schema") == 0
    if not empty and _number(sql, "PRAGMA application_id") != APPLICATION_ID:
        raise QueueFileError("this is another program's database")
    if (version := _number(sql, "PRAGMA user_version")) > VERSION:
        raise QueueFileError(f"a newer version ({version}) of this service has written it")
    if sql.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
        raise QueueFileError("the file system cannot share it between processes")
    if empty:
        sql.executescript(TABLES)


def refuse_damage(sql: sqlite3.Connection) -> None:
    """Look for damage in a file of up to 32 MiB; in a larger one it shows when it is met.

    Raises:
        QueueFileError: it is damaged.
        sqlite3.DatabaseError: it cannot be read.
    """
    if _number(sql, "PRAGMA page_count") > CHECKED_PAGES:
        return
    [finding] = sql.execute("PRAGMA quick_check(1)").fetchone()
    if finding != "ok":
        damage = str(finding).splitlines()[-1]
        raise QueueFileError(f"it is damaged ({damage}); move it away, or restore it")


def _number(sql: sqlite3.Connection, query: str) -> int:
    return int(sql.execute(query).fetchone()[0])

"""The task queue: an SQLite file that all processes on this machine share.

Our own, since no library that is kept fits: litequeue knows no owner, attempt or error and may
lose the last commits with the power, persist-queue resumes what other processes are working on,
huey forgets what was running when it was killed.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from .presence import Presence
from .queue_file import (
    Connection,
    QueueFileError,
    create_private,
    one_process_at_a_time,
    prepare,
    refuse_damage,
)
from .tasks import (
    MAX_ATTEMPTS,
    QueueUnavailableError,
    Task,
    encode_payload,
    longest_pause,
    retry_pause,
)

logger = logging.getLogger(__name__)

KEEP_SECONDS = {"done": 3600.0, "failed": 7 * 86400.0}
FORGET_AT_ONCE = 200  # tasks: nobody else can write meanwhile


@dataclass(frozen=True)
class Submission:
    """A task that waits to be stored, and those who wait for that."""

    task: Task
    payload: str
    stored: Future[Task]


class SqliteTaskQueue:
    """A :class:`~.tasks.TaskQueue` that survives every end of its processes.

    A task is leased to one process at a time. What a dead process has left is queued again when
    another one opens the queue, as gunicorn's next worker does at once, and by :meth:`tidy`.

    Args:
        path: the file, on a local file system; its folder must be writable.
        max_queued: how many tasks may wait.
    """

    def __init__(self, path: Path, *, max_queued: int = 100_000) -> None:
        self._path = path
        self._max_queued = max_queued
        self._folder = path.with_name(f"{path.name}-processes")
        self._presence = Presence(self._folder)
        writing = threading.Lock()  # readers need not wait for it
        self._accepting = Connection(path, synchronous="FULL", lock=writing)
        # What is lost here when the power fails is done again, which may happen anyway.
        self._working = Connection(path, synchronous="NORMAL", lock=writing)
        self._reading = Connection(path, synchronous="NORMAL", lock=threading.Lock())
        self._submissions: SimpleQueue[Submission | None] = SimpleQueue()
        self._storer = threading.Thread(target=self._store, name="task-store", daemon=True)
        self._subscribers: list[Callable[[], None]] = []
        self._listener = threading.Thread(target=self._listen, name="task-wakeup", daemon=True)
        self._open = False

    def open(self) -> None:
        """Open the file, or make it, and queue again what dead processes have left.

        Raises:
            QueueFileError: it is damaged, of a newer version, of another program, or not writable.
        """
        try:
            with one_process_at_a_time(self._folder):
                create_private(self._path)
                self._accepting.open()
                with self._accepting as sql:
                    prepare(sql)
            self._working.open()
            self._reading.open()
            with self._reading as sql:  # all processes at the same time, for it takes a while
                refuse_damage(sql)
            self._presence.open()
            self._reclaim()
        except (QueueFileError, sqlite3.Error, OSError) as error:
            problem = error.strerror if isinstance(error, OSError) else error
            raise QueueFileError(f"TASK_QUEUE_PATH, {self._path}: {problem}") from None
        self._open = True
        self._storer.start()
        self._listener.start()

    def close(self) -> None:
        """Store what has been submitted, and close the file.

        What is still leased to this process is free for others then.
        """
        self._open = False
        self._submissions.put(None)
        self._storer.join()
        self._presence.wake()
        self._listener.join()
        for connection in (self._accepting, self._working, self._reading):
            connection.close()
        self._presence.close()

    # What the endpoints need

    def enqueue(self, payload: Mapping[str, Any]) -> Future[Task]:
        """Have a task stored; the future is done once it is safe from a failure of the power.

        Its exception is :class:`QueueUnavailableError` if it is not stored: when too many wait,
        the file is locked, the disk is full.

        Raises:
            PayloadError: no task can have that payload.
            QueueUnavailableError: the queue is not open.
        """
        task = Task(uuid.uuid4().hex, payload)
        submission = Submission(task, encode_payload(payload), Future())
        if not self._open:
            raise QueueUnavailableError("the task queue is closed")
        self._submissions.put(submission)
        return submission.stored

    def submit(self, payload: Mapping[str, Any]) -> Task:
        """The same as :meth:`enqueue`, and wait until it is done."""
        return self.enqueue(payload).result()

    def get(self, task_id: str) -> Task | None:
        """The task, or None if it is not known (any more).

        Raises:
            QueueUnavailableError: the file cannot be read now.
        """
        try:
            with self._reading as sql:
                rows = sql.execute(
                    "SELECT id, payload, status, attempts, error FROM tasks WHERE id = ?",
                    (task_id,),
                ).fetchall()
        except sqlite3.Error as error:
            raise QueueUnavailableError(f"the task queue: {error}") from error
        return _task(rows)

    # What the workers need

    def subscribe(self, wake: Callable[[], None]) -> None:
        """Have *wake* called whenever there may be something to :meth:`take`."""
        self._subscribers.append(wake)

    def take(self) -> Task | None:
        """Lease the next task that is due, or return None."""
        with self._working as sql:
            rows = sql.execute(
                """
                UPDATE tasks SET status = 'running', owner = ?, attempts = attempts + 1
                WHERE number = (
                    SELECT number FROM tasks WHERE status = 'queued' AND due <= ?
                    ORDER BY due, number LIMIT 1
                )
                RETURNING id, payload, status, attempts, error
                """,
                (self._presence.name, time.time()),
            ).fetchall()
        return _task(rows)

    def seconds_until_due(self) -> float | None:
        """When the next of the waiting tasks is due, or None if none waits."""
        with self._reading as sql:
            [due] = sql.execute("SELECT min(due) FROM tasks WHERE status = 'queued'").fetchone()
        return None if due is None else max(0.0, due - time.time())

    def counts(self) -> dict[str, int]:
        """How many tasks there are, by status."""
        with self._reading as sql:
            return dict(sql.execute("SELECT status, tasks FROM counts").fetchall())

    def acknowledge(self, task: Task) -> None:
        """Mark *task* as done, unless it is not leased to this process any more."""
        with self._working as sql:
            self._end_lease(sql, task, status="done", finished=time.time(), error=None)

    def fail(self, task: Task, error: str) -> None:
        """Queue *task* again after a pause, or, after the last attempt, mark it as failed."""
        now = time.time()
        pause = retry_pause(task.attempts)
        with self._working as sql:
            if pause is None:
                self._end_lease(sql, task, status="failed", finished=now, error=error)
            else:
                self._end_lease(sql, task, status="queued", due=now + pause, error=error)

    def hand_back(self, task: Task) -> bool:
        """Queue *task* again as if it had never been taken; False when it has just ended."""
        with self._working as sql:
            leased = self._end_lease(sql, task, status="queued", attempts=task.attempts - 1)
        self._wake_everybody()
        return leased

    def tidy(self) -> bool:
        """Queue again what dead processes have left, and forget some of what ended long ago.

        Returns:
            whether there may be more to forget.
        """
        self._reclaim()
        with self._working as sql:
            _mend_due_times(sql)
            return _forget_some(sql)

    # Behind them

    def _reclaim(self) -> None:
        with self._working as sql:
            owners = sql.execute("SELECT DISTINCT owner FROM tasks WHERE status = 'running'")
            dead = [owner for (owner,) in owners if not self._presence.is_alive(owner)]
            count = sum(_reclaim_from(sql, owner) for owner in dead)
        if count:
            logger.warning("tasks of a dead process reclaimed", extra={"tasks": count})
            self._wake_everybody()

    def _store(self) -> None:
        """Commit all that have come meanwhile at once: the disk takes its time for each commit."""
        going_on = True
        while going_on:
            batch = [self._submissions.get()]
            while not self._submissions.empty():
                batch.append(self._submissions.get())
            going_on = None not in batch
            # Unless whoever waited has given up.
            if waiting := [s for s in batch if s and s.stored.set_running_or_notify_cancel()]:
                self._store_all(waiting)

    def _store_all(self, submissions: list[Submission]) -> None:
        accepted = 0
        problem: Exception | str = f"{self._max_queued} tasks are waiting"
        try:
            accepted = self._insert(submissions)
        except Exception as error:  # nobody else would tell those who wait
            problem = error
        for submission in submissions[:accepted]:
            submission.stored.set_result(submission.task)
        for submission in submissions[accepted:]:
            submission.stored.set_exception(QueueUnavailableError(f"the task queue: {problem}"))
        if refused := len(submissions) - accepted:
            logger.error("tasks refused", extra={"tasks": refused, "problem": str(problem)})
        if accepted:
            self._wake_everybody()

    def _insert(self, submissions: list[Submission]) -> int:
        """Store as many as there is room for, the first ones, and return how many."""
        tasks = [{"id": s.task.id, "payload": s.payload} for s in submissions]
        # One statement: between two of them, a busy process takes milliseconds to come back here.
        statement = """
            INSERT INTO tasks (id, payload, due)
            SELECT json_extract(value, '$.id'), json_extract(value, '$.payload'), ?
            FROM json_each(?)
            LIMIT max(0, ? - (SELECT tasks FROM counts WHERE status = 'queued'))
            """
        with self._accepting as sql:
            parameters = (time.time(), json.dumps(tasks), self._max_queued)
            return sql.execute(statement, parameters).rowcount

    def _end_lease(self, sql: sqlite3.Connection, task: Task, **changes: object) -> bool:
        columns = ", ".join(f"{column} = ?" for column in changes)
        cursor = sql.execute(
            f"UPDATE tasks SET owner = NULL, {columns} WHERE id = ? AND owner = ?",
            (*changes.values(), task.id, self._presence.name),
        )
        return cursor.rowcount > 0

    def _wake_everybody(self) -> None:
        self._wake_subscribers()
        try:
            self._presence.wake_others()
        except OSError:  # the tasks are stored; others find them when they look for more
            logger.exception("the other processes could not be woken up")

    def _wake_subscribers(self) -> None:
        for wake in self._subscribers:
            wake()

    def _listen(self) -> None:
        self._presence.wait()
        while self._open:
            self._wake_subscribers()
            self._presence.wait()


def _task(rows: list[tuple[Any, ...]]) -> Task | None:
    for task_id, payload, status, attempts, error in rows:
        return Task(task_id, json.loads(payload), status, attempts, error)
    return None


def _reclaim_from(sql: sqlite3.Connection, owner: str) -> int:
    died = "its process died"
    return sql.execute(
        """
        UPDATE tasks SET owner = NULL, error = :died,
            status = CASE WHEN attempts < :limit THEN 'queued' ELSE 'failed' END,
            finished = CASE WHEN attempts < :limit THEN NULL ELSE :now END
        WHERE owner = :owner AND status = 'running'
        """,
        {"died": died, "limit": MAX_ATTEMPTS, "now": time.time(), "owner": owner},
    ).rowcount


def _mend_due_times(sql: sqlite3.Connection) -> None:
    """Let no task wait longer than for its longest pause, although the clock was set back."""
    now = time.time()
    sql.execute(
        "UPDATE tasks SET due = ? WHERE status = 'queued' AND due > ?", (now, now + longest_pause())
    )


def _forget_some(sql: sqlite3.Connection) -> bool:
    statement = """
        DELETE FROM tasks WHERE number IN (
            SELECT number FROM tasks WHERE status = ? AND finished < ? ORDER BY finished LIMIT ?
        )
        """
    now = time.time()
    forgotten = [
        sql.execute(statement, (status, now - seconds, FORGET_AT_ONCE)).rowcount
        for status, seconds in KEEP_SECONDS.items()
    ]
    return FORGET_AT_ONCE in forgotten

"""The thread that does the queued tasks, one after the other."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from . import tasks
from .lifecycle import BackgroundThread, seconds_left
from .sqlite_queue import SqliteTaskQueue
from .tasks import Task

logger = logging.getLogger(__name__)

# A process that is killed is replaced, and the new one looks at once for what it has left. This is
# for one that is not.
TIDY_SECONDS = 30.0
FORGET_PAUSE_SECONDS = 0.1  # while there is more to forget: the file is for others, too


@dataclass
class Attempt:
    """A task at work, or one whose end could not be stored yet."""

    task: Task
    error: str | None = "it has not come to an end"  # None when the task is done


class TaskThread(BackgroundThread, name="tasks"):
    """Works on a queue. A draining process begins no task: the rest is for others.

    The one that runs has four fifths of what the lifecycle grants this hook at a stop; then it is
    handed back, but not ended: another process may do it while it still goes on here.

    Args:
        queue: where the tasks are.
        draining: whether to begin no more.
        timeout: how long it may take to stop, in seconds.
    """

    def __init__(
        self, queue: SqliteTaskQueue, *, draining: Callable[[], bool], timeout: float
    ) -> None:
        super().__init__()
        self.timeout = timeout
        self._queue = queue
        self._draining = draining
        self._attempt: Attempt | None = None
        self._done = 0
        self._tidy_at = 0.0
        queue.subscribe(self.wake)

    def handle(self) -> None:
        """Do the next task, or wait for one."""
        if self._attempt is not None:  # what became of it could not be stored
            self._settle(self._attempt)
        elif time.monotonic() >= self._tidy_at:
            self._tidy_at = time.monotonic() + TIDY_SECONDS
            if self._queue.tidy():
                self._tidy_at = time.monotonic() + FORGET_PAUSE_SECONDS
        elif self._draining():
            self.wait()
        elif task := self._queue.take():
            self._attempt = Attempt(task)
            self._do(self._attempt)
            self._settle(self._attempt)
        else:
            self._wait_for_a_task()

    def shutdown(self) -> None:
        """Store what became of the last task, if that has failed before."""
        if self._attempt is not None:
            self._settle(self._attempt)

    def stop(self) -> dict[str, int]:
        """Let the running task finish, or hand it back when there is no more time.

        Returns:
            for the report, how many this thread has done and handed back, and how many wait.
        """
        self.ask_to_stop()
        in_time = self.join(seconds_left() * 0.8)
        attempt = self._attempt
        handed_back = not in_time and attempt is not None and self._queue.hand_back(attempt.task)
        return {
            "done": self._done,
            "handed_back": int(handed_back),
            "remaining": self._queue.counts()["queued"],
        }

    def _do(self, attempt: Attempt) -> None:
        try:
            tasks.handle_task(attempt.task)
            attempt.error = None
        except BaseException as error:  # SystemExit too: a task must not end the thread
            attempt.error = tasks.note_failure(attempt.task, error)

    def _settle(self, attempt: Attempt) -> None:
        if attempt.error is None:
            self._queue.acknowledge(attempt.task)
            self._done += 1
        else:
            self._queue.fail(attempt.task, attempt.error)
        self._attempt = None

    def _wait_for_a_task(self) -> None:
        due = self._queue.seconds_until_due()
        until_tidy = self._tidy_at - time.monotonic()
        self.wait(until_tidy if due is None else min(due, until_tidy))

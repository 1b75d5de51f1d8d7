"""Background tasks: a queue, and the thread that works on it.

The queue is this process's memory. What is queued is finished at a stop as far as the cleanup
phase allows; the report counts what is lost.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from .lifecycle import BackgroundThread

logger = logging.getLogger(__name__)

MAX_QUEUED = 10_000
MAX_REMEMBERED = 10_000


def handle_task(task: Task) -> None:
    """Do the work of one task. Replace this with yours; ``task.id`` is the idempotency key."""
    logger.info("task handled", extra={"task": task.id})


class QueueFullError(RuntimeError):
    """No more tasks can be accepted now."""


@dataclass
class Task:
    """One piece of work, and what has become of it."""

    id: str
    payload: Mapping[str, Any]
    status: Literal["queued", "running", "done", "failed"] = "queued"
    error: str | None = None


class TaskQueue(Protocol):
    """What the endpoints and the thread need of a queue."""

    def submit(self, payload: Mapping[str, Any]) -> Task:
        """Accept a task; raise :class:`QueueFullError` if that is not possible."""

    def get(self, task_id: str) -> Task | None:
        """The task, or None if it is not known (any more)."""

    def take(self) -> Task | None:
        """The next queued task, marked as running, or None."""

    def finish(self, task: Task, error: str | None = None) -> None:
        """Mark *task* as done, or as failed with *error*."""

    def queued(self) -> int:
        """How many tasks wait."""

    def subscribe(self, wake: Callable[[], None]) -> None:
        """Have *wake* called whenever a task has been accepted."""


class MemoryTaskQueue:
    """A :class:`TaskQueue` in this process's memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queued: deque[Task] = deque()
        self._known: dict[str, Task] = {}
        self._finished: deque[Task] = deque()
        self._subscribers: list[Callable[[], None]] = []

    def submit(self, payload: Mapping[str, Any]) -> Task:
        """Accept a task; raise :class:`QueueFullError` when 10,000 are waiting."""
        task = Task(uuid.uuid4().hex, payload)
        with self._lock:
            if len(self._queued) >= MAX_QUEUED:
                raise QueueFullError(f"{MAX_QUEUED} tasks are waiting")
            self._queued.append(task)
            self._known[task.id] = task
        for wake in self._subscribers:
            wake()
        return task

    def get(self, task_id: str) -> Task | None:
        """The task, or None if it is not known (any more)."""
        return self._known.get(task_id)

    def take(self) -> Task | None:
        """The next queued task, marked as running, or None."""
        with self._lock:
            if not self._queued:
                return None
            task = self._queued.popleft()
            task.status = "running"
            return task

    def finish(self, task: Task, error: str | None = None) -> None:
        """Mark *task* as done, or as failed with *error*; forget the oldest of very many."""
        task.error = error
        task.status = "done" if error is None else "failed"
        with self._lock:
            self._finished.append(task)
            while len(self._finished) > MAX_REMEMBERED:
                del self._known[self._finished.popleft().id]

    def queued(self) -> int:
        """How many tasks wait."""
        return len(self._queued)

    def subscribe(self, wake: Callable[[], None]) -> None:
        """Have *wake* called whenever a task has been accepted."""
        self._subscribers.append(wake)


class TaskThread(BackgroundThread, name="tasks"):
    """Works on a queue, one task after the other."""

    def __init__(self, queue: TaskQueue) -> None:
        super().__init__()
        self._queue = queue
        queue.subscribe(self.wake)

    def handle(self) -> None:
        """Do the next task, or wait for one."""
        if not self._work_on_next():
            self.wait()

    def shutdown(self) -> dict[str, int]:
        """Finish what is queued, as long as there is time; it would be lost."""
        give_up = time.monotonic() + self.timeout * 0.8
        finished = 0
        while time.monotonic() < give_up and self._work_on_next():
            finished += 1
        return {"finished": finished, "lost": self._queue.queued()}

    def _work_on_next(self) -> bool:
        task = self._queue.take()
        if task is None:
            return False
        try:
            handle_task(task)
        except Exception as error:
            logger.exception("task failed", extra={"task": task.id})
            self._queue.finish(task, f"{type(error).__name__}: {error}")
        else:
            self._queue.finish(task)
        return True

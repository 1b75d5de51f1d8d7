"""Background tasks: what a task is, how it is done, and what the endpoints need of a queue.

A task is done at least once: again when it failed, or when its process was killed meanwhile.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

logger = logging.getLogger(__name__)

MAX_PAYLOAD_BYTES = 64 * 1024
MAX_ATTEMPTS = 5
MAX_ERROR_LENGTH = 1000  # characters
FIRST_RETRY_SECONDS = 1.0


def handle_task(task: Task) -> None:
    """Do the work of one task. Replace this with yours.

    A task that was begun may come again; ``task.id`` stays the same, so it is the key by which to
    notice what is done already. One that outlasts a stop may be begun again elsewhere while this
    still runs. Whatever this raises is logged, and the task is tried again.
    """
    logger.info("task handled", extra={"task": task.id})


class PayloadError(ValueError):
    """The payload cannot be a task's; the message says why."""


class QueueUnavailableError(RuntimeError):
    """The task cannot be stored now, and has not been; the message says why."""


@dataclass(frozen=True)
class Task:
    """One piece of work, and what has become of it."""

    id: str
    payload: Mapping[str, Any] = field(repr=False)  # it may be confidential
    status: Literal["queued", "running", "done", "failed"] = "queued"
    attempts: int = 0
    error: str | None = None


class TaskQueue(Protocol):
    """What the endpoints need of a queue."""

    def submit(self, payload: Mapping[str, Any]) -> Task:
        """Store a task for good before this returns.

        Raises:
            PayloadError: no task can have that payload.
            QueueUnavailableError: it cannot be stored now.
        """

    def enqueue(self, payload: Mapping[str, Any]) -> Future[Task]:
        """The same, without a wait: the future has the task, or the exception."""

    def get(self, task_id: str) -> Task | None:
        """The task, or None if it is not known (any more).

        Raises:
            QueueUnavailableError: that cannot be looked up now.
        """


def encode_payload(payload: Mapping[str, Any]) -> str:
    """Write *payload* as JSON.

    Raises:
        PayloadError: it is larger than 64 KiB, or not JSON (``NaN`` is not, for one).
    """
    try:
        encoded = json.dumps(payload, allow_nan=False, separators=(",", ":"))
    except (ValueError, TypeError, RecursionError) as error:
        raise PayloadError(f"the payload is not JSON: {error}") from None
    if len(encoded) > MAX_PAYLOAD_BYTES:
        raise PayloadError(f"the payload has {len(encoded)} bytes, more than {MAX_PAYLOAD_BYTES}")
    return encoded


def note_failure(task: Task, error: BaseException) -> str:
    """Log that *task* has failed, and what comes next.

    Returns:
        what is kept as the task's error. Whatever the exception says, that can be stored.
    """
    pause = retry_pause(task.attempts)
    fate = "for good" if pause is None else f"and is tried again in {pause:g} s"
    details = {"task": task.id, "attempt": task.attempts}
    logger.error("task failed %s", fate, exc_info=error, extra=details)
    try:
        text = f"{type(error).__name__}: {error}"
    except BaseException:  # of its own __str__
        text = f"{type(error).__name__}, which does not say why"
    # UTF-8 has no lone surrogates, for one.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")[:MAX_ERROR_LENGTH]


def retry_pause(attempts: int) -> float | None:
    """How long to wait after so many attempts have failed, in seconds; None after the last one."""
    return None if attempts >= MAX_ATTEMPTS else FIRST_RETRY_SECONDS * 2.0 ** (attempts - 1)


def longest_pause() -> float:
    """The pause before the last attempt, in seconds."""
    return FIRST_RETRY_SECONDS * 2.0 ** (MAX_ATTEMPTS - 2)

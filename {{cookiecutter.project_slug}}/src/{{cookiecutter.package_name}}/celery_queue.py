"""The queue as the endpoints see it: Celery's broker has the tasks, Celery's workers do them."""

from __future__ import annotations

import contextlib
import logging
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import kombu.pools

from .broker_url import ANSWER_SECONDS
from .celery_app import PUBLISHING, QUEUE, TASK, UNAVAILABLE, create_celery
from .settings import Settings
from .task_records import create_records
from .tasks import QueueUnavailableError, Task, encode_payload

logger = logging.getLogger(__name__)


THREADS = 32
REFUSE_SECONDS = 1.0  # after a failure, so that requests do not queue up for a broker that hangs


class CeleryTaskQueue:
    """A :class:`TaskQueue`. Making one has no effect; it connects when it is used."""

    def __init__(self, settings: Settings) -> None:
        self._celery = create_celery(settings)
        self._records = create_records(settings.records_url)
        self._threads = ThreadPoolExecutor(THREADS, "submit")
        self._refuse_until = 0.0

    def submit(self, payload: Mapping[str, Any]) -> Task:
        """Send a task to the broker; return when that has confirmed it.

        Raises:
            PayloadError: no task can have that payload.
            QueueUnavailableError: the broker or the records do not answer.
        """
        encoded = encode_payload(payload)
        if time.monotonic() < self._refuse_until:
            raise QueueUnavailableError("the broker did not answer a moment ago")
        task = Task(uuid.uuid4().hex, payload)
        try:
            self._records.add(task.id)  # first, for the task may be done at once
            self._send(task.id, encoded)
        except QueueUnavailableError as error:
            self._refuse_until = time.monotonic() + REFUSE_SECONDS
            # Why is for the log: it may name hosts.
            logger.warning("task refused", extra={"problem": str(error.__cause__)})
            raise
        return task

    def enqueue(self, payload: Mapping[str, Any]) -> Future[Task]:
        """As :meth:`submit`, in a thread."""
        return self._threads.submit(self.submit, payload)

    def get(self, task_id: str) -> Task | None:
        """The task, without its payload, or None if it is not known (any more).

        Raises:
            QueueUnavailableError: the records do not answer.
        """
        return self._records.get(task_id)

    def check_records(self) -> None:
        """Return if the Redis of the task records answers, or if there is none.

        Raises:
            QueueUnavailableError: they do not answer.
        """
        self._records.ping()

    def check_broker(self) -> None:
        """Return if the broker takes tasks.

        Raises:
            Exception: it does not answer.
        """
        with self._celery.pool.acquire(block=True, timeout=ANSWER_SECONDS) as connection:
            try:
                self._celery.amqp.queues[QUEUE](connection.default_channel).declare()
            except UNAVAILABLE:
                connection.collect()  # or it would be used again as it is
                raise
        self._refuse_until = 0.0

    def close(self) -> None:
        """Close the connections to the broker."""
        self._threads.shutdown()
        kombu.pools.reset()

    def _send(self, task_id: str, payload: str) -> None:
        try:
            self._celery.tasks[TASK].apply_async((payload,), **PUBLISHING, task_id=task_id)
        except UNAVAILABLE as error:
            with contextlib.suppress(QueueUnavailableError):
                self._records.discard(task_id)
            raise QueueUnavailableError("the broker did not confirm") from error

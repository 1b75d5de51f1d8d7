"""What has become of each task, as the service and its workers note it for each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import SecretStr
from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError, RedisError
from redis.retry import Retry

from .broker_url import ANSWER_SECONDS
from .tasks import QueueUnavailableError, Task

KEEP_SECONDS = 24 * 3600  # the record of a task that is finished
KEEP_OPEN_SECONDS = 30 * 24 * 3600  # that of another one, since it was last touched

# Not if the task has finished meanwhile.
HAND_BACK = """
if redis.call('HGET', KEYS[1], 'status') == 'running' then
    redis.call('HSET', KEYS[1], 'status', 'queued')
    redis.call('HINCRBY', KEYS[1], 'attempts', -1)
end
"""

FINISHED = ("done", "failed")


class TaskRecords:
    """One record for each task. Methods raise QueueUnavailableError if there is no answer.

    This class keeps none, for RabbitMQ alone cannot be asked for one task: only the log tells.
    """

    def ping(self) -> None:
        """Return if the others could be called."""

    def add(self, task_id: str) -> None:
        """Note that a task has been accepted."""

    def discard(self, task_id: str) -> None:
        """Forget a task."""

    def get(self, task_id: str) -> Task | None:
        """The task, without its payload, or None if it is not known (any more)."""
        raise QueueUnavailableError("tasks are not recorded, since TASK_RECORDS_URL is not set")

    def begin(self, task_id: str, sent: int) -> int | None:
        """Note that a task is at work.

        Args:
            task_id: whose.
            sent: how often it was sent, the first time included. It may have come more often,
                from workers that died.

        Returns:
            Which attempt this is, or None if the task is finished.
        """
        return sent

    def finish(self, task_id: str, attempts: int, error: str | None = None) -> None:
        """Note that a task is done, or has failed for good, after so many attempts."""

    def retry_later(self, task_id: str, error: str) -> None:
        """Note that a task waits to be tried again."""

    def hand_back(self, task_id: str) -> None:
        """Note that a task was interrupted by a stop, which is not an attempt that failed."""


class RedisRecords(TaskRecords):
    """Records in Redis."""

    def __init__(self, url: str, retries: int) -> None:
        self._redis: Any = Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
            retry=Retry(ExponentialBackoff(cap=1, base=0.01), retries, (ConnectionError,)),
        )

    def ping(self) -> None:
        with _unavailable():
            self._redis.ping()

    def add(self, task_id: str) -> None:
        self._write(task_id, {"status": "queued", "attempts": 0}, KEEP_OPEN_SECONDS)

    def discard(self, task_id: str) -> None:
        with _unavailable():
            self._redis.delete(_key(task_id))

    def get(self, task_id: str) -> Task | None:
        with _unavailable():
            record = self._redis.hgetall(_key(task_id))
        if not record:
            return None
        return Task(
            task_id, {}, record["status"], int(record["attempts"]), record.get("error") or None
        )

    def begin(self, task_id: str, sent: int) -> int | None:
        key = _key(task_id)
        with _unavailable(), self._redis.pipeline() as pipe:
            if self._redis.hget(key, "status") in FINISHED:
                return None
            pipe.hincrby(key, "attempts")
            pipe.hset(key, "status", "running")
            pipe.expire(key, KEEP_OPEN_SECONDS)
            attempts: int = pipe.execute()[0]
        return attempts

    def finish(self, task_id: str, attempts: int, error: str | None = None) -> None:
        status = "done" if error is None else "failed"
        fields = {"status": status, "attempts": attempts, "error": error or ""}
        self._write(task_id, fields, KEEP_SECONDS)

    def retry_later(self, task_id: str, error: str) -> None:
        self._write(task_id, {"status": "queued", "error": error}, KEEP_OPEN_SECONDS)

    def hand_back(self, task_id: str) -> None:
        with _unavailable():
            self._redis.eval(HAND_BACK, 1, _key(task_id))

    def _write(self, task_id: str, fields: dict[str, Any], seconds: int) -> None:
        with _unavailable(), self._redis.pipeline() as pipe:
            pipe.hset(_key(task_id), mapping=fields)
            pipe.expire(_key(task_id), seconds)
            pipe.execute()


def create_records(url: SecretStr | None, retries: int = 1) -> TaskRecords:
    """Make the records, without any connection.

    Args:
        url: of their Redis, or None if there is none.
        retries: how often to try again if there is no connection. Once at the least: connections
            that have been idle since before a restart of Redis are broken.
    """
    return TaskRecords() if url is None else RedisRecords(url.get_secret_value(), retries)


def _key(task_id: str) -> str:
    return f"{__package__}.task:{task_id}"


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise QueueUnavailableError("the task records do not answer") from error

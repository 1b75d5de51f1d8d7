"""What has become of each task: records in Redis, which the service and its workers share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError, RedisError
from redis.retry import Retry

from .tasks import QueueUnavailableError, Task

ANSWER_SECONDS = 1.0  # how long Redis may take for one answer
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
    """One record for each task. All methods raise QueueUnavailableError if Redis does not answer.

    Args:
        url: of the Redis.
        retries: how often to try again if there is no connection. Once at the least: connections
            that have been idle since before a restart of Redis are broken.
    """

    def __init__(self, url: str, retries: int = 1) -> None:
        self._redis: Any = Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
            retry=Retry(ExponentialBackoff(cap=1, base=0.01), retries, (ConnectionError,)),
        )

    def ping(self) -> None:
        """Return if Redis answers."""
        with _unavailable():
            self._redis.ping()

    def add(self, task_id: str) -> None:
        """Note that a task has been accepted."""
        self._write(task_id, {"status": "queued", "attempts": 0}, KEEP_OPEN_SECONDS)

    def discard(self, task_id: str) -> None:
        """Forget a task."""
        with _unavailable():
            self._redis.delete(_key(task_id))

    def get(self, task_id: str) -> Task | None:
        """The task, without its payload, or None if it is not known (any more)."""
        with _unavailable():
            record = self._redis.hgetall(_key(task_id))
        if not record:
            return None
        return Task(
            task_id, {}, record["status"], int(record["attempts"]), record.get("error") or None
        )

    def begin(self, task_id: str) -> int | None:
        """Note that a task is at work; return which attempt that is, or None if it is finished."""
        key = _key(task_id)
        with _unavailable(), self._redis.pipeline() as pipe:
            if self._redis.hget(key, "status") in FINISHED:
                return None
            pipe.hincrby(key, "attempts")
            pipe.hset(key, "status", "running")
            pipe.expire(key, KEEP_OPEN_SECONDS)
            attempts: int = pipe.execute()[0]
        return attempts

    def finish(self, task_id: str, error: str | None = None) -> None:
        """Note that a task is done, or has failed for good."""
        status = "done" if error is None else "failed"
        self._write(task_id, {"status": status, "error": error or ""}, KEEP_SECONDS)

    def retry_later(self, task_id: str, error: str) -> None:
        """Note that a task waits to be tried again."""
        self._write(task_id, {"status": "queued", "error": error}, KEEP_OPEN_SECONDS)

    def hand_back(self, task_id: str) -> None:
        """Note that a task was interrupted by a stop, which is not an attempt that failed."""
        with _unavailable():
            self._redis.eval(HAND_BACK, 1, _key(task_id))

    def _write(self, task_id: str, fields: dict[str, Any], seconds: int) -> None:
        with _unavailable(), self._redis.pipeline() as pipe:
            pipe.hset(_key(task_id), mapping=fields)
            pipe.expire(_key(task_id), seconds)
            pipe.execute()


def _key(task_id: str) -> str:
    return f"{__package__}.task:{task_id}"


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise QueueUnavailableError(f"the task records do not answer: {error}") from error

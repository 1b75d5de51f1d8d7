"""Brokers for tests, and Celery workers that listen to them."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import kombu
import pytest
import redis

from {{ cookiecutter.package_name }}.celery_app import QUEUE

from .celery_worker import WorkerProcess
from .conftest import BUDGET
from .services import RabbitMq, Redis, Service

BROKERS = ("redis", "rabbitmq")
RABBITMQ_ALONE = "rabbitmq alone"  # without a Redis for the records


class Work(Protocol):
    """Starts a worker, which ends with the test."""

    def __call__(self, **env: str) -> WorkerProcess: ...


@pytest.fixture
def work() -> Iterator[Work]:
    """Starts workers, such as ``work(WORKER_CONCURRENCY="1")``."""
    with ExitStack() as stack:

        def start(**env: str) -> WorkerProcess:
            worker = WorkerProcess({**BUDGET, **env})
            stack.callback(lambda: print(worker.log))  # pytest shows it when the test fails
            stack.enter_context(worker)
            return worker

        yield start


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The Redis at ``TEST_REDIS_URL``, or one of our own."""
    if url := os.environ.get("TEST_REDIS_URL"):
        yield url
    else:
        with Redis() as server:
            yield server.url


@pytest.fixture(autouse=True)
def empty_redis(redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Have each test, and the servers that it starts, find that Redis, with nothing in it."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    monkeypatch.setenv("BROKER_URL", redis_url)
    monkeypatch.delenv("TASK_RECORDS_URL", raising=False)
    monkeypatch.setenv("WORKER_HEARTBEAT_FILE", str(tmp_path / "heartbeat"))


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMq]:
    """A RabbitMQ of our own."""
    with RabbitMq() as server:
        yield server


@pytest.fixture
def rabbitmq_url(request: pytest.FixtureRequest) -> str:
    """That, or the one at ``TEST_RABBITMQ_URL``, without the tasks of earlier tests."""
    url = os.environ.get("TEST_RABBITMQ_URL") or request.getfixturevalue("rabbitmq").url
    with kombu.Connection(url) as connection:
        connection.default_channel.queue_delete(QUEUE)
    return str(url)


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each of the brokers in turn."""
    name: str = request.param
    if name != "redis":
        monkeypatch.setenv("BROKER_URL", request.getfixturevalue("rabbitmq_url"))
    if name == "rabbitmq":
        monkeypatch.setenv("TASK_RECORDS_URL", redis_url)
    return name


@pytest.fixture(params=BROKERS)
def own_broker(
    request: pytest.FixtureRequest, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    """Each of the brokers in turn, to be broken by the test."""
    if request.param == "redis":
        with Redis() as server:
            monkeypatch.setenv("BROKER_URL", server.url)
            yield server
        return
    rabbitmq: RabbitMq = request.getfixturevalue("rabbitmq")
    monkeypatch.setenv("BROKER_URL", rabbitmq.url)
    monkeypatch.setenv("TASK_RECORDS_URL", redis_url)
    yield rabbitmq
    rabbitmq.stop(signal.SIGKILL)
    shutil.rmtree(rabbitmq.folder / "data")
    rabbitmq.start()

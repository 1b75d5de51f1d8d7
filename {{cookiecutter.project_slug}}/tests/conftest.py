"""What tests share: settings, an application, a server of it in a thread, and real servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
#% if cookiecutter.background == "thread"
from pathlib import Path
#% endif
from typing import Any, Protocol

import httpx
import pytest

from {{ cookiecutter.package_name }}.settings import Settings, load_settings

from .barrier import Barrier
from .server_thread import App, ServerThread, create_app
from .servers import UNSET, ServerProcess

# Short, so that the tests are; and not dependent on the project's grace period.
BUDGET = {
    "SHUTDOWN_GRACE_SECONDS": "30",
    "SHUTDOWN_DRAIN_SECONDS": "0",
    "SHUTDOWN_REQUEST_SECONDS": "5",
    "SHUTDOWN_CLEANUP_SECONDS": "2",
}


class Serve(Protocol):
    """Starts a real server, which ends with the test."""

    def __call__(self, *command: str, workers: int = 1, **env: str) -> ServerProcess: ...


InBackground = Callable[..., "Future[Any]"]

# Bounds in time hold for one of these: a busy machine may hold up a single one.
TRIES = range(3)


#% if cookiecutter.background == "thread"
@pytest.fixture(autouse=True)
def task_queue_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's tasks are, and those of the servers that it starts."""
    path = tmp_path / "tasks.sqlite3"
    monkeypatch.setenv("TASK_QUEUE_PATH", str(path))
    return path


#% endif
@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that no environment has an influence on."""
    for name in (*UNSET, "PORT", "SHUTDOWN_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in BUDGET.items():
        monkeypatch.setenv(name, value)
    return load_settings()


@pytest.fixture
def app(settings: Settings) -> App:
    """The application, not started."""
    return create_app(settings)


@pytest.fixture
def server(app: App) -> Iterator[ServerThread]:
    """The application, served by a thread of this process."""
    with ServerThread(app) as server:
        yield server


@pytest.fixture
def client(server: ServerThread) -> Iterator[httpx.Client]:
    """A client of that server."""
    with httpx.Client(base_url=server.url, trust_env=False, verify=False) as client:
        yield client


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts real servers, such as ``serve("gunicorn", workers=2, SHUTDOWN_DRAIN_SECONDS="1")``."""
    with ExitStack() as stack:

        def start(*command: str, workers: int = 1, **env: str) -> ServerProcess:
            environment = {**BUDGET, "WEB_CONCURRENCY": str(workers), **env}
            server = ServerProcess(command, env=environment, workers=workers)
            stack.callback(lambda: print(server.log))  # pytest shows it when the test fails
            return stack.enter_context(server)

        yield start


@pytest.fixture
def in_background() -> Iterator[InBackground]:
    """Calls functions in threads: ``future = in_background(server.get, "/")``."""
    with ThreadPoolExecutor(max_workers=16) as threads:
        yield threads.submit


@pytest.fixture
def barrier() -> Iterator[Barrier]:
    """Holds requests to ``/park``."""
    with Barrier() as barrier:
        yield barrier

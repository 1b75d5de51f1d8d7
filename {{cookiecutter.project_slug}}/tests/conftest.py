"""What tests share: settings, an application, a server of it in a thread, and real servers."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, redirect_stdout
from functools import cache
#% if cookiecutter.background == "thread"
from pathlib import Path
#% endif
from typing import Any, Protocol, TypeVar

import httpx
import pytest

from {{ cookiecutter.package_name }}.settings import Settings, load_settings

from .barrier import Barrier
from .server_thread import App, ServerThread, create_app
from .servers import UNSET, ServerProcess

#% if cookiecutter.background == "celery" and cookiecutter.database != "none"
pytest_plugins = ["tests.brokers", "tests.databases"]
#%%
#% elif cookiecutter.background == "celery"
pytest_plugins = ["tests.brokers"]
#%%
#% elif cookiecutter.database != "none"
pytest_plugins = ["tests.databases"]
#%%
#% endif
# Short, so that the tests are; and not dependent on the project's grace period.
BUDGET = {
    "SHUTDOWN_GRACE_SECONDS": "30",
    "SHUTDOWN_DRAIN_SECONDS": "0",
    "SHUTDOWN_REQUEST_SECONDS": "5",
    "SHUTDOWN_CLEANUP_SECONDS": "2",
}

Result = TypeVar("Result")


class Serve(Protocol):
    """Starts a real server, which ends with the test."""

    def __call__(self, *command: str, workers: int = 1, **env: str) -> ServerProcess: ...


InBackground = Callable[..., "Future[Any]"]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two processes for each core, for much of a test is waiting.

    A test that is named runs in this very process: its prints show, and it starts at once.
    """
    named = any("::" in argument for argument in config.args)
    return 0 if named else 2 * (os.cpu_count() or 1)


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


@contextmanager
def serving() -> Iterator[Serve]:
    """Starts real servers, such as ``serve("gunicorn", workers=2, SHUTDOWN_DRAIN_SECONDS="1")``."""
    with ExitStack() as stack:

        def start(*command: str, workers: int = 1, **env: str) -> ServerProcess:
            environment = {**BUDGET, "WEB_CONCURRENCY": str(workers), **env}
            server = ServerProcess(command, env=environment, workers=workers)
            stack.callback(lambda: print(server.log))  # pytest shows it when the test fails
            return stack.enter_context(server)

        yield start


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts real servers, see :func:`serving`."""
    with serving() as start:
        yield start


def seen_once(scenario: Callable[[Serve], Result]) -> Callable[[], Result]:
    """Let several tests look at what *scenario* has seen: it runs when the first one does.

    Each test calls what this returns: it gets the result, and the servers' log if it fails. Where
    the scenario itself has failed, each of them fails as it did.
    """

    @cache
    def run() -> tuple[str, Future[Result]]:
        seen: Future[Result] = Future()
        with redirect_stdout(io.StringIO()) as log:
            try:
                with serving() as serve:
                    seen.set_result(scenario(serve))
            except (Exception, pytest.fail.Exception) as error:
                seen.set_exception(error)
        return log.getvalue(), seen

    def look() -> Result:
        log, seen = run()
        print(log)
        return seen.result()

    return look


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

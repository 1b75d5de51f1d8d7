"""Every way to start this service also stops it cleanly: one short life under each server."""

from __future__ import annotations

import re
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from .commands import SERVERS, Server
from .conftest import BUDGET
from .servers import PROJECT, ServerProcess

pytestmark = pytest.mark.shutdown

OBSERVED = re.compile(r"observed: (.+) in (\d+)")


def live(server: Server) -> ServerProcess:
    """Start a server, stop it with SIGTERM, and return what is left of it."""
    env = {
        **BUDGET,
        "WEB_CONCURRENCY": str(server.workers),
        "PYTHONPATH": str(PROJECT / "tests" / "observer"),
    }
    with ServerProcess(server.command, env=env, workers=server.workers) as process:
        assert process.get("/readyz").status_code == 200
        process.signal(signal.SIGTERM)
        process.wait()
    return process


@pytest.fixture(scope="module")
def lives() -> Iterator[dict[str, Future[ServerProcess]]]:
    """The lives under all servers, a few at a time."""
    with ThreadPoolExecutor(max_workers=4) as threads:
        yield {name: threads.submit(live, server) for name, server in SERVERS.items()}


@pytest.fixture(params=SERVERS)
def name(request: pytest.FixtureRequest) -> str:
    """The name of a server."""
    return str(request.param)


@pytest.fixture
def ended(lives: dict[str, Future[ServerProcess]], name: str) -> ServerProcess:
    """What is left of that server."""
    return lives[name].result()


def observed(ended: ServerProcess) -> list[tuple[str, int]]:
    """What the observer has seen, and in which process."""
    return [(what, int(pid)) for what, pid in OBSERVED.findall(ended.log)]


def test_it_stops_clean_and_each_worker_says_so(name: str, ended: ServerProcess) -> None:
    assert ended.wait() == 0
    assert len(ended.reports) == SERVERS[name].workers
    assert {(r["reason"], r["exit_code"]) for r in ended.reports} == {("SIGTERM", 0)}


def test_only_serving_processes_have_our_threads_and_one_each(
    name: str, ended: ServerProcess
) -> None:
    serving = ended.worker_pids
    assert len(set(serving)) == SERVERS[name].workers
    assert (ended.pid not in serving) == SERVERS[name].has_parent
    # A hook that is a background thread has the thread's name.
    ours = {"supervisor", *(hook["name"] for hook in ended.reports[0]["hooks"])}
    started = Counter(
        (what.removeprefix("thread "), pid)
        for what, pid in observed(ended)
        if what.removeprefix("thread ") in ours
    )
    assert started == {(thread, pid): 1 for thread, _ in started for pid in serving}


def test_exit_handlers_run_once_and_last_registered_first(ended: ServerProcess) -> None:
    handlers = [(pid, what) for what, pid in observed(ended) if what.startswith("exit handler")]
    for worker in ended.worker_pids:
        assert [what for pid, what in handlers if pid == worker] == [
            "exit handler third",
            "exit handler second",
            "exit handler first",
        ]

"""Every way to start this service also stops it cleanly: one short life under each server."""

from __future__ import annotations

import re
import signal
import socket
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from .commands import SERVERS
from .conftest import Serve, seen_once
from .servers import PROJECT, ServerProcess
from .tries import tries

pytestmark = pytest.mark.shutdown

OBSERVED = re.compile(r"observed: (.+) in (\d+)")

# A server that has ended, and what it has left behind.
Life = tuple[ServerProcess, list[str]]


@pytest.fixture(params=SERVERS, scope="module")
def name(request: pytest.FixtureRequest) -> str:
    """The name of a server."""
    return str(request.param)


@pytest.fixture(scope="module")
def life(name: str) -> Callable[[], Life]:
    """The life that the tests of this server look at."""
    return seen_once(partial(live, name))


def live(name: str, serve: Serve) -> Life:
    """Start a server, let it serve a request, and stop it with SIGTERM."""
    command, workers, _ = SERVERS[name]
    observer = str(PROJECT / "tests" / "observer")
    with TemporaryDirectory() as temporary:
        server = serve(*command, workers=workers, PYTHONPATH=observer, TMPDIR=temporary)
        with server.client() as client:  # its connection is still there when the server stops
            assert client.get("/readyz").status_code == 200
            server.signal(signal.SIGTERM)
            server.wait()
        for _ in tries(2):  # the last process may not be quite gone
            if not (left := left_behind(server, Path(temporary))):
                break
    return server, left


def left_behind(server: ServerProcess, temporary: Path) -> list[str]:
    """What there is still of a server that has ended."""
    left = [f"file {file}" for file in temporary.iterdir()]
    with socket.socket() as client:
        if client.connect_ex(("127.0.0.1", server.port)) == 0:
            left.append(f"port {server.port}")
    for process in Path("/proc").glob("[0-9]*"):  # none but on Linux
        try:
            name, _, fields = (process / "stat").read_text().rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue  # another one that has ended meanwhile
        state, _, _, session, *_ = fields.split()
        ours = session == str(server.pid) or int(process.name) in server.worker_pids
        if ours and state != "Z":
            left.append(f"process {name})")
    return left


def observed(server: ServerProcess) -> list[tuple[str, int]]:
    """What the observer has seen, and in which process."""
    return [(what, int(pid)) for what, pid in OBSERVED.findall(server.log)]


def test_it_stops_clean_and_each_worker_says_so(name: str, life: Callable[[], Life]) -> None:
    server, _ = life()
    assert server.wait() == 0
    assert len(server.reports) == SERVERS[name].workers
    assert {(r["reason"], r["exit_code"]) for r in server.reports} == {("SIGTERM", 0)}


def test_it_leaves_nothing_behind(life: Callable[[], Life]) -> None:
    _, left = life()
    assert left == []


def test_only_serving_processes_have_our_threads_and_one_each(
    name: str, life: Callable[[], Life]
) -> None:
    server, _ = life()
    serving = server.worker_pids
    assert len(set(serving)) == SERVERS[name].workers
    assert (server.pid not in serving) == SERVERS[name].has_parent
    # A hook that is a background thread has the thread's name.
    ours = {"supervisor", *(hook["name"] for hook in server.reports[0]["hooks"])}
    started = Counter(
        (what.removeprefix("thread "), pid)
        for what, pid in observed(server)
        if what.removeprefix("thread ") in ours
    )
    assert started == {(thread, pid): 1 for thread, _ in started for pid in serving}


def test_exit_handlers_run_once_and_last_registered_first(life: Callable[[], Life]) -> None:
    server, _ = life()
    handlers = [(pid, what) for what, pid in observed(server) if what.startswith("exit handler")]
    for worker in server.worker_pids:
        assert [what for pid, what in handlers if pid == worker] == [
            "exit handler third",
            "exit handler second",
            "exit handler first",
        ]

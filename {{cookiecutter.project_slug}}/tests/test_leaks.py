"""Nothing is left open, running or lying about: black-box tests on real servers."""

from __future__ import annotations

import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .barrier import Barrier
from .commands import BARE, SERVERS
from .conftest import InBackground, Serve

pytestmark = [
    pytest.mark.shutdown,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
]

PROBE = ("gunicorn", "tests.probe:app")


def open_files(pid: int) -> list[str]:
    """What a process has open, files and sockets alike."""
    found = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(str(descriptor.readlink()).partition(":")[0])
        except FileNotFoundError:
            continue  # closed meanwhile
    return sorted(found)


def processes_of_session(session: int) -> list[str]:
    """The command names of the processes in it, dead ones that nobody waited for included."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, fields = stat.read_text().rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended meanwhile
        if int(fields.split()[3]) == session:
            found.append(name)
    return found


def settle(look: Callable[[], list[str]], expected: list[str]) -> list[str]:
    """Wait a while for *look* to see what is expected, and return what it has seen last."""
    deadline = time.monotonic() + 5
    while (seen := look()) != expected and time.monotonic() < deadline:
        time.sleep(0.02)
    return seen


def test_requests_leave_no_file_open(
    serve: Serve, barrier: Barrier, in_background: InBackground
) -> None:
    server = serve(*PROBE)
    [worker] = server.worker_pids

    def make_requests(count: int) -> None:
        for _ in range(count):
            with server.client() as client:
                for path in ("/livez", "/readyz", "/no-such-page", "/error"):
                    client.get(path)
            # Gone in the middle of a response, and of a request.
            for request in (b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n", b"POST / HT"):
                with socket.create_connection(("127.0.0.1", server.port)) as client:
                    client.sendall(request)
                    if request.endswith(b"\r\n\r\n"):
                        client.recv(10)

    # What is opened once, such as by a pool of threads at work.
    parked = [in_background(server.get, f"/park?port={barrier.port}") for _ in range(8)]
    barrier.wait_for_arrivals(8)
    barrier.release()
    for answer in parked:
        answer.result()
    make_requests(2)
    time.sleep(0.3)
    before = open_files(worker)
    make_requests(50)
    assert settle(lambda: open_files(worker), before) == before
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    [report] = server.reports
    assert report["requests_abandoned"] == 0


@pytest.mark.parametrize("name", ["gunicorn", BARE, "python -m"])
def test_a_stop_leaves_nothing_behind(name: str, serve: Serve, tmp_path: Path) -> None:
    command, workers, _ = SERVERS[name]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    server = serve(*command, workers=workers, TMPDIR=str(temporary))
    with server.client() as client:
        assert client.get("/livez").status_code == 200
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert processes_of_session(server.pid) == [], "it left a process behind"
    for worker in server.worker_pids:
        assert not Path(f"/proc/{worker}").exists(), "it left a worker behind"
    assert list(temporary.iterdir()) == [], "it left a temporary file behind"
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", server.port))  # fails if anybody still listens

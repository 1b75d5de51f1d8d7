"""The helper that runs real servers, with servers that behave badly."""

from __future__ import annotations

import os
import signal
import socket
import sys

import pytest

from .servers import ServerProcess, reserved_port

SERVER = """
import os, signal, socket, time
listener = socket.create_server(("127.0.0.1", 0))
{before}
print(f"Serving on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
time.sleep(60)
"""
IGNORE = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
# Only the parent prints: the lines of two processes could get mixed up.
LEAVE_A_CHILD = f"""
{IGNORE}
child = os.fork()
if not child:
    time.sleep(60)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
print("child", child)
"""


def bad_server(before: str, start_timeout: float = 30) -> ServerProcess:
    """A server that does as *before* says."""
    command = ("python", "-c", SERVER.replace("{before}", before))
    return ServerProcess(command, workers=0, start_timeout=start_timeout, stop_timeout=0.3)


def is_alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_server_is_asked_to_stop() -> None:
    with bad_server("") as server:
        assert server.url == f"http://127.0.0.1:{server.port}"
    assert server.wait() == -signal.SIGTERM
    assert not is_alive(server.pid)


def test_one_that_does_not_stop_is_killed() -> None:
    with bad_server(IGNORE) as server:
        pass
    assert server.wait() == -signal.SIGKILL


def test_so_are_the_children_that_it_leaves_behind() -> None:
    with bad_server(LEAVE_A_CHILD) as server:
        assert is_alive(int(server.wait_for_log("child").split()[1]))
    server.wait(0)  # or the child would still hold the log


def test_one_that_does_not_become_ready_is_told_with_its_log_and_stopped() -> None:
    server = bad_server("print('about to hang'); time.sleep(60)", start_timeout=1)
    with pytest.raises(AssertionError, match="about to hang"), server:
        pass
    assert not is_alive(server.pid)


def test_one_that_ends_is_not_waited_for() -> None:
    server = bad_server("raise SystemExit('no luck')", start_timeout=60)
    with pytest.raises(AssertionError, match="no luck"), server:
        pass
    assert server.wait() == 1


def test_a_log_line_that_does_not_come_is_told_with_the_log() -> None:
    with bad_server("") as server, pytest.raises(AssertionError, match="Serving on"):
        server.wait_for_log("no such line", timeout=0.1)


def test_no_setting_leaks_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHUTDOWN_DRAIN_SECONDS", "5")
    monkeypatch.setenv("LOG_LEVEL", "error")
    names = "[name for name in os.environ if name.startswith('SHUTDOWN_') or name == 'LOG_LEVEL']"
    with bad_server(f"print('leaked:', {names})") as server:
        assert server.wait_for_log("leaked:") == "leaked: []"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere ports cannot be reserved")
def test_a_reserved_port_is_for_its_server_alone() -> None:
    with reserved_port() as port:
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        for _ in range(2):
            socket.create_server(("127.0.0.1", port)).close()

"""Requests leave no file open: a black-box test on the production server."""

from __future__ import annotations

import signal
import socket
import sys
from collections import Counter
from pathlib import Path

import pytest

from .conftest import Serve
from .tries import tries

pytestmark = [
    pytest.mark.shutdown,
    pytest.mark.skipif(sys.platform != "linux", reason="needs /proc, which lists open files"),
]


def open_files(pid: int) -> list[str]:
    """What a process has open, files and sockets alike; nothing but on Linux."""
    found = []
    for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            found.append(str(descriptor.readlink()).partition(":")[0])
        except FileNotFoundError:
            continue  # closed meanwhile
    return sorted(found)


def files_left_open(pid: int, before: list[str]) -> list[str]:
    """What a process has open that it had not before, when it has had time to close its files."""
    for _ in tries(5):
        if not (left := sorted((Counter(open_files(pid)) - Counter(before)).elements())):
            break
    return left


def test_requests_leave_no_file_open(serve: Serve) -> None:
    server = serve("gunicorn", "tests.probe:app")
    [worker] = server.worker_pids
    assert server.get("/readyz").status_code == 200  # it is up, and has what that needs
    before = open_files(worker)
    for _ in range(20):
        with server.client() as client:
            for path in ("/livez", "/readyz", "/no-such-page", "/error"):
                client.get(path)
        # Gone in the middle of a response, and of a request.
        for request in (b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n", b"POST / HT"):
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                connection.sendall(request)
                if request.endswith(b"\r\n\r\n"):
                    connection.recv(10)
    assert files_left_open(worker, before) == []
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    [report] = server.reports
    assert report["requests_abandoned"] == 0

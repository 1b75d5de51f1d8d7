"""WebSockets that end in any way leave nothing behind: a black-box test."""

from __future__ import annotations

import signal
import sys
import time

import pytest

from .conftest import Serve
from .test_leaks import open_files, settle
from .test_websocket import open_deaf_websocket, open_websocket, reset

pytestmark = [
    pytest.mark.shutdown,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
]


def test_websockets_leave_no_file_open(serve: Serve) -> None:
    server = serve("gunicorn")
    [worker] = server.worker_pids

    def use_websockets(count: int) -> None:
        for _ in range(count):
            with open_websocket(server.url) as websocket:
                websocket.send("hello")
                assert websocket.recv(timeout=5) == "hello"
            open_deaf_websocket(server.port).close()  # without a word
            reset(open_deaf_websocket(server.port))

    use_websockets(2)
    time.sleep(0.3)
    before = open_files(worker)
    use_websockets(30)
    assert settle(lambda: open_files(worker), before) == before
    begun = time.monotonic()
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert time.monotonic() - begun < 1.5, "it took leave of WebSockets that had gone"
    [report] = server.reports
    assert report["problems"] == []

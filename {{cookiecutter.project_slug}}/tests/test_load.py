"""Stops and reloads lose no request under load: black-box tests on the production server."""

from __future__ import annotations

import http.client
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from .barrier import Barrier
from .conftest import InBackground, Serve
from .servers import ServerProcess

pytestmark = pytest.mark.shutdown

PROBE = ("gunicorn", "tests.probe:app")
KEEPING, RECONNECTING, SLOW = 16, 4, 4


class Load:
    """What clients at full speed have seen."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._enough = threading.Event()
        self.served = 0
        self.failures: list[str] = []

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Have all clients at work during the block."""
        clients = [
            threading.Thread(target=self._send_requests, args=(keep,))
            for keep in [True] * KEEPING + [False] * RECONNECTING
        ]
        for client in clients:
            client.start()
        try:
            yield
        finally:
            self._enough.set()
            for client in clients:
                client.join()

    def _send_requests(self, keep: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        headers = {} if keep else {"Connection": "close"}
        while not self._enough.is_set():
            try:
                connection.request("GET", "/livez", headers=headers)
                response = connection.getresponse()
                response.read()
                if response.status != 200:
                    self.failures.append(f"status {response.status}")
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
            self.served += 1
        connection.close()


def test_no_request_fails_when_the_server_is_stopped(
    serve: Serve, barrier: Barrier, in_background: InBackground
) -> None:
    server = serve(*PROBE, workers=2, SHUTDOWN_DRAIN_SECONDS="2")
    slow = [in_background(server.get, f"/park?port={barrier.port}") for _ in range(SLOW)]
    barrier.wait_for_arrivals(SLOW)
    load = Load(server.port)
    with load.going_on():
        time.sleep(0.5)
        server.signal(signal.SIGTERM)
        time.sleep(1)  # as long as it may take a load balancer to notice
    barrier.release()
    assert [answer.result().status_code for answer in slow] == [200] * SLOW
    assert load.failures == []
    assert load.served > 100
    assert server.wait() == 0
    assert sum(report["requests_completed"] for report in server.reports) > 100


def test_no_request_fails_when_the_workers_are_replaced(serve: Serve) -> None:
    server = serve(*PROBE, workers=2, SHUTDOWN_DRAIN_SECONDS="0.5")

    def replaced(server: ServerProcess = server) -> bool:
        return len(server.reports) == 2 and len(server.worker_pids) == 4

    load = Load(server.port)
    with load.going_on():
        server.signal(signal.SIGHUP)
        server.wait_until(replaced, 20, "the old workers' end")
    assert load.failures == []
    assert load.served > 100
    server.signal(signal.SIGTERM)
    assert server.wait() == 0

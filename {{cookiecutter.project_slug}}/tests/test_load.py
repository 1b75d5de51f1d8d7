"""Stops and reloads lose no request under load: black-box tests on the production server."""

from __future__ import annotations

import signal
import time

import pytest

from .barrier import Barrier
from .conftest import InBackground, Serve
from .load import Load
from .servers import ServerProcess

pytestmark = pytest.mark.shutdown

PROBE = ("gunicorn", "tests.probe:app")
SLOW = 4


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

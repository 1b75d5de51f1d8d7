"""A worker is recycled as it is stopped: black-box tests on the production server."""

from __future__ import annotations

import signal

import httpx
import pytest

from .barrier import Barrier
from .conftest import InBackground, Serve
from .servers import ServerProcess

pytestmark = pytest.mark.shutdown

MAX_REQUESTS = 3
RECYCLED = ("gunicorn", "tests.probe:app", "--max-requests", str(MAX_REQUESTS))


def send_max_requests(server: ServerProcess) -> None:
    """Send them all, since some servers count requests at their begin, and some at their end."""
    for _ in range(MAX_REQUESTS):
        assert server.get("/livez").status_code == 200


def test_a_worker_drains_before_it_is_recycled(serve: Serve) -> None:
    server = serve(*RECYCLED, SHUTDOWN_DRAIN_SECONDS="0.5")
    send_max_requests(server)
    server.wait_until(lambda: bool(server.reports), 10, "its end")
    assert server.reports[0]["phases"]["drain"] >= 0.5, "it went without a drain"
    server.signal(signal.SIGTERM)
    assert server.wait() == 0


def test_a_recycled_worker_ends_its_streams_and_finishes_its_requests(
    serve: Serve, barrier: Barrier, in_background: InBackground
) -> None:
    server = serve(*RECYCLED, SHUTDOWN_DRAIN_SECONDS="1")
    parked = in_background(server.get, f"/park?port={barrier.port}")
    barrier.wait_for_arrivals()
    with server.client(timeout=5) as client, client.stream("GET", "/stream") as stream:
        events = stream.iter_text()
        assert next(events) == "data: tick\n\n"
        send_max_requests(server)
        assert "".join(events) in ("", "data: tick\n\n")  # raises if the stream goes on
    barrier.release()
    assert parked.result().json() == {"status": "released"}
    server.wait_until(lambda: len(server.worker_pids) == 2, 10, "a worker in its place")
    assert server.reports[0]["problems"] == []
    server.signal(signal.SIGTERM)
    assert server.wait() == 0


def test_a_stuck_request_holds_up_a_recycled_worker_no_longer_than_a_stop(
    serve: Serve, barrier: Barrier, in_background: InBackground
) -> None:
    server = serve(*RECYCLED, SHUTDOWN_DRAIN_SECONDS="1", SHUTDOWN_REQUEST_SECONDS="0.5")
    stuck = in_background(server.get, f"/stuck?port={barrier.port}")
    barrier.wait_for_arrivals()
    send_max_requests(server)
    server.wait_until(lambda: len(server.worker_pids) == 2, 10, "a worker in its place")
    assert isinstance(stuck.exception(), httpx.RemoteProtocolError)
    assert server.reports[0]["requests_abandoned"] == 1


def test_a_worker_that_drains_is_not_recycled(serve: Serve) -> None:
    server = serve(*RECYCLED, SHUTDOWN_DRAIN_SECONDS="1.5")
    server.signal(signal.SIGTERM)
    server.wait_for_log("draining")
    for _ in range(2):
        send_max_requests(server)
    assert server.wait() == 0
    [report] = server.reports
    assert report["phases"]["drain"] >= 1.5, "it was recycled in its drain"
    assert report["requests_completed"] == 2 * MAX_REQUESTS
    assert "max_requests reached" not in server.log

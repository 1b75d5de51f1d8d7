"""A stop loses no request: black-box tests on the production server."""

from __future__ import annotations

import contextlib
import signal
import socket
import time

import httpx
import pytest

from .barrier import Barrier
from .conftest import TRIES, InBackground, Serve
from .probe import BIG_CHUNK, BIG_CHUNKS
from .servers import ServerProcess

pytestmark = pytest.mark.shutdown

PROBE = ("gunicorn", "tests.probe:app")


def test_a_request_in_flight_is_answered(
    serve: Serve, barrier: Barrier, in_background: InBackground
) -> None:
    server = serve(*PROBE)
    answer = in_background(server.get, f"/park?port={barrier.port}")
    barrier.wait_for_arrivals()
    server.signal(signal.SIGTERM)
    server.wait_for_log("draining")
    barrier.release()
    assert answer.result().json() == {"status": "released"}
    assert server.wait() == 0
    [report] = server.reports
    assert report["requests_completed"] == 1
    assert report["requests_abandoned"] == 0


def test_a_response_under_way_is_sent_to_its_last_byte(serve: Serve) -> None:
    server = serve(*PROBE)
    with server.client() as client, client.stream("GET", "/big") as response:
        server.signal(signal.SIGTERM)
        server.wait_for_log("draining")
        size = sum(len(chunk) for chunk in response.iter_bytes())
    assert size == len(BIG_CHUNK) * BIG_CHUNKS
    assert server.wait() == 0


def test_readyz_turns_503_at_once_while_livez_stays_200(serve: Serve) -> None:
    assert any(seconds_to_503(serve) < 0.25 for _ in TRIES)


def seconds_to_503(serve: Serve) -> float:
    """Stop a server, and look at its health until it says so."""
    server = serve(*PROBE, SHUTDOWN_DRAIN_SECONDS="1")
    assert server.get("/readyz").status_code == 200
    begun = time.monotonic()
    server.signal(signal.SIGTERM)
    while server.get("/readyz").status_code == 200:
        assert time.monotonic() - begun < 1
    seconds = time.monotonic() - begun
    assert server.get("/livez").status_code == 200
    assert server.wait() == 0
    return seconds


def test_every_response_of_the_drain_closes_its_connection(serve: Serve) -> None:
    server = serve(*PROBE, SHUTDOWN_DRAIN_SECONDS="1")
    with server.client() as kept:
        assert "close" not in kept.get("/livez").headers.get("connection", "")
        server.signal(signal.SIGTERM)
        server.wait_for_log("draining")
        responses = [kept.get("/livez")]
    responses += map(server.get, ("/readyz", "/livez", "/big", "/error", "/no-such-page"))
    assert [r.status_code for r in responses] == [200, 503, 200, 200, 500, 404]
    assert {r.headers["connection"].lower() for r in responses} == {"close"}
    assert server.wait() == 0


def test_new_requests_are_served_during_the_drain_and_refused_after_it(
    serve: Serve, barrier: Barrier, in_background: InBackground
) -> None:
    server = serve(*PROBE, SHUTDOWN_DRAIN_SECONDS="0.5")
    answer = in_background(server.get, f"/park?port={barrier.port}")
    barrier.wait_for_arrivals()
    server.signal(signal.SIGTERM)
    server.wait_for_log("draining")
    assert server.get("/livez").status_code == 200
    wait_until_not_served(server)
    with pytest.raises(httpx.ConnectError):
        server.get("/livez")
    barrier.release()
    assert answer.result().status_code == 200
    assert server.wait() == 0


def wait_until_not_served(server: ServerProcess) -> None:
    """Send requests until one fails; the bound is far below the request deadline."""
    deadline = time.monotonic() + 2
    with contextlib.suppress(httpx.NetworkError):
        while server.get("/livez").status_code == 200:
            assert time.monotonic() < deadline


def test_a_client_that_leaves_its_connection_open_does_not_hold_up_others(serve: Serve) -> None:
    assert any(seconds_beside_an_open_connection(serve) < 0.5 for _ in TRIES)


def seconds_beside_an_open_connection(serve: Serve) -> float:
    """Send a request in the drain while another client keeps its connection."""
    server = serve(*PROBE, SHUTDOWN_DRAIN_SECONDS="1")
    server.signal(signal.SIGTERM)
    server.wait_for_log("draining")
    with socket.create_connection(("127.0.0.1", server.port)) as left_open:
        left_open.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 200 " in left_open.recv(1024)
        begun = time.monotonic()
        assert server.get("/livez").status_code == 200
        seconds = time.monotonic() - begun
    assert server.wait() == 0
    return seconds


def test_an_endless_stream_ends_with_the_drain(serve: Serve) -> None:
    assert any(seconds_to_stop_with_a_stream(serve) < 1 for _ in TRIES)


def seconds_to_stop_with_a_stream(serve: Serve) -> float:
    """Stop a server that has an endless stream open."""
    server = serve(*PROBE)
    with server.client() as client, client.stream("GET", "/stream") as response:
        events = response.iter_text()
        assert next(events) == "data: tick\n\n"
        begun = time.monotonic()
        server.signal(signal.SIGTERM)
        assert "".join(events) in ("", "data: tick\n\n")  # and a regular end, or it would raise
    assert server.wait() == 0
    return time.monotonic() - begun

"""Connections in every state when the signal comes: black-box tests on the production server."""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
import time

import pytest

from .barrier import Barrier
from .conftest import Serve
from .servers import ServerProcess

pytestmark = pytest.mark.shutdown

PROBE = ("gunicorn", "tests.probe:app")


def wait_until_refused(server: ServerProcess) -> None:
    """Wait until the server accepts no connection, that is, until it has been told to stop."""
    deadline = time.monotonic() + 3
    with contextlib.suppress(OSError):
        while True:
            socket.create_connection(("127.0.0.1", server.port)).close()
            assert time.monotonic() < deadline, "it still accepts connections"
            time.sleep(0.01)


def test_a_request_body_half_sent_is_received_to_its_end(serve: Serve, barrier: Barrier) -> None:
    server = serve(*PROBE)
    head = f"POST /upload?port={barrier.port} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(f"{head}\r\n12345".encode())
        barrier.wait_for_arrivals()
        server.signal(signal.SIGTERM)
        wait_until_refused(server)
        for byte in b"67890":  # for longer than idle connections stay
            time.sleep(0.15)
            client.sendall(bytes([byte]))
        response = http.client.HTTPResponse(client)
        response.begin()
        assert response.status == 200, "the upload was cut off by the stop"
        assert b"10" in response.read()
    assert server.wait() == 0
    [report] = server.reports
    assert report["requests_completed"] == 1


def test_idle_connections_do_not_hold_the_exit(serve: Serve) -> None:
    server = serve(*PROBE, SHUTDOWN_DRAIN_SECONDS="0.3")
    request = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with contextlib.ExitStack() as stack:

        def connect(sent: bytes) -> socket.socket:
            client = socket.create_connection(("127.0.0.1", server.port), timeout=10)
            client.sendall(sent)
            return stack.enter_context(client)

        kept = [connect(request) for _ in range(10)]
        for client in kept:
            response = http.client.HTTPResponse(client)
            response.begin()
            assert response.status == 200
            response.read()
        for _ in range(10):
            connect(b"")  # load balancers and browsers connect in advance
            connect(request[:10])
        begun = time.monotonic()
        server.signal(signal.SIGTERM)
        assert server.wait() == 0, "connections without a request were waited for"
        assert time.monotonic() - begun < 3, "connections without a request were waited for"
        assert [client.recv(1) for client in kept] == [b""] * 10
    [report] = server.reports
    assert report["problems"] == []

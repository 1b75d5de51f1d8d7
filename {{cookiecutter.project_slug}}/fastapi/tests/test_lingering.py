"""Who has connected in time is served, though the request comes late: a black-box test."""

from __future__ import annotations

import http.client
import signal
import socket
import time

import pytest

from .conftest import Serve
from .tries import tries

pytestmark = pytest.mark.shutdown


def wait_until_refused(port: int) -> None:
    """Wait until no connection is accepted any more."""
    for _ in tries(10):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            return
    raise AssertionError("connections are accepted on and on")


def test_a_request_on_a_connection_made_before_the_end_is_answered(serve: Serve) -> None:
    server = serve("gunicorn", "tests.lingering:app", SHUTDOWN_REQUEST_SECONDS="20")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.connect()
    assert server.get("/livez").status_code == 200, "and so the one before it is accepted, too"
    begun = time.monotonic()
    server.signal(signal.SIGTERM)
    wait_until_refused(server.port)
    connection.request("GET", "/livez")
    response = connection.getresponse()
    assert (response.status, response.getheader("Connection")) == (200, "close")
    connection.close()
    assert server.wait() == 0
    assert time.monotonic() - begun < 10, "it went on lingering when all had left"

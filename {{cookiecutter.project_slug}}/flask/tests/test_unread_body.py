"""A response reaches its client even if nobody reads the request: a black-box test."""

from __future__ import annotations

import http.client
import signal

import pytest

from .conftest import Serve

pytestmark = pytest.mark.shutdown

UPLOAD = b"x" * 8 * 2**20  # more than the sockets' buffers hold


def answer_to_upload(port: int) -> tuple[int, str | None]:
    """The status that an upload to no such page gets, and what becomes of the connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", "/no-such-page", UPLOAD)
        response = connection.getresponse()
        response.read()
    except ConnectionError as error:
        return 0, repr(error)
    finally:
        connection.close()
    return response.status, response.headers["Connection"]


def test_a_refused_upload_gets_its_answer_before_its_connection_is_closed(serve: Serve) -> None:
    server = serve("gunicorn", SHUTDOWN_DRAIN_SECONDS="2")
    server.signal(signal.SIGTERM)
    server.wait_for_log("draining")
    assert answer_to_upload(server.port) == (404, "close")
    assert server.wait() == 0

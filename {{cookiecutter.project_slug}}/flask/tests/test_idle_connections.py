"""Connections that have waited for a request for long do not hold the exit: a black-box test."""

from __future__ import annotations

import signal
import socket

import pytest

from .conftest import Serve

pytestmark = pytest.mark.shutdown


def test_a_connection_opened_long_in_advance_does_not_hold_the_exit(serve: Serve) -> None:
    server = serve(
        *("gunicorn", "tests.probe:app", "--threads", "1"),
        PROBE_DATA_SECONDS="0.1",
        SHUTDOWN_REQUEST_SECONDS="15",
    )
    with socket.create_connection(("127.0.0.1", server.port)):
        # The only thread has time for it when the connection has been set aside.
        assert server.get("/livez").status_code == 200
        server.signal(signal.SIGTERM)
        assert server.wait(timeout=6) == 0

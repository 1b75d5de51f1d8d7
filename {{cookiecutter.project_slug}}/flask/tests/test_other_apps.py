"""gunicorn stops any other WSGI application as cleanly: a black-box test."""

from __future__ import annotations

import signal

import pytest

from .barrier import Barrier
from .conftest import InBackground, Serve

pytestmark = pytest.mark.shutdown


def test_an_application_without_a_lifecycle_gets_one(
    serve: Serve, barrier: Barrier, in_background: InBackground
) -> None:
    server = serve("gunicorn", "tests.bare:app", SHUTDOWN_DRAIN_SECONDS="0.2")
    answer = in_background(server.get, f"/{barrier.port}")
    barrier.wait_for_arrivals()
    server.signal(signal.SIGTERM)
    server.wait_for_log("draining")
    response = server.get("/")
    assert (response.text, response.headers["connection"]) == ("served", "close")
    barrier.release()
    assert answer.result().text == "served"
    assert server.wait() == 0
    [report] = server.reports
    assert report["requests_completed"] == 2

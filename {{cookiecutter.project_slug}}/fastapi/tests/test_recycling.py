"""A worker is recycled as it is stopped: a black-box test on the production server."""

from __future__ import annotations

import signal

import pytest

from .conftest import Serve

pytestmark = pytest.mark.shutdown


def test_a_worker_drains_before_it_is_recycled(serve: Serve) -> None:
    server = serve(
        *("gunicorn", "tests.probe:app", "--max-requests", "3"), SHUTDOWN_DRAIN_SECONDS="0.5"
    )
    for _ in range(3):
        assert server.get("/livez").status_code == 200
    server.wait_until(lambda: bool(server.reports), 10, "its end")
    assert server.reports[0]["phases"]["drain"] >= 0.5, "it went without a drain"
    server.signal(signal.SIGTERM)
    assert server.wait() == 0

"""What does not stop is abandoned in time, and said so: black-box tests on the real server."""

from __future__ import annotations

import signal
import time

import pytest

from .barrier import Barrier
from .conftest import InBackground, Serve
from .probe import STUCK

pytestmark = pytest.mark.shutdown

PROBE = ("gunicorn", "tests.probe:app")


def test_a_stuck_request_does_not_outlast_its_deadline(
    serve: Serve, barrier: Barrier, in_background: InBackground
) -> None:
    budget = {"SHUTDOWN_REQUEST_SECONDS": "0.5", "SHUTDOWN_CLEANUP_SECONDS": "1"}
    starts = [in_background(serve, *PROBE, PROBE_HOOKS="first,last", **budget) for _ in STUCK]
    servers = [start.result() for start in starts]
    for path, server in zip(STUCK, servers, strict=True):
        in_background(server.get, f"{path}?port={barrier.port}")
        barrier.wait_for_arrivals()
    begun = time.monotonic()
    for server in servers:
        server.signal(signal.SIGTERM)
    for path, server in zip(STUCK, servers, strict=True):
        assert server.wait() == 1, path
        assert "stuck_forever" in server.log
        assert "did not end by itself" not in server.log  # which would be the last resort
        [report] = server.reports
        assert report["requests_abandoned"] == 1
        assert report["abandoned"] == [f"GET {path}"]
        outcomes = {hook["name"]: hook["outcome"] for hook in report["hooks"]}
        assert outcomes["first"] == outcomes["last"] == "ok"
    assert time.monotonic() - begun < 0.5 + 1 + 1


def test_hooks_that_fail_or_hang_do_not_keep_others_from_running(serve: Serve) -> None:
    server = serve(*PROBE, PROBE_HOOKS="first,async,failing,hanging,last")
    server.signal(signal.SIGTERM)
    assert server.wait() == 1
    [report] = server.reports
    assert [(hook["name"], hook["outcome"]) for hook in report["hooks"][:5]] == [
        ("last", "ok"),
        ("hanging", "timed out"),
        ("failing", "failed"),
        ("async", "ok"),
        ("first", "ok"),
    ]
    assert report["problems"] == ["hook 'hanging' timed out", "hook 'failing' failed"]
    assert report["hooks"][2]["error"] == "RuntimeError: broken on purpose"


def test_a_hook_that_does_not_start_ends_the_server_with_its_name(serve: Serve) -> None:
    server = serve(*PROBE, PROBE_HOOKS="first,not starting", workers=0, WEB_CONCURRENCY="2")
    assert server.wait() == 3
    assert "Traceback" not in server.log
    assert "hook 'not starting' did not start: RuntimeError: broken on purpose" in server.log

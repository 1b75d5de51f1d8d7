"""What holds the end of the process does not hold it long, and is named: black-box tests."""

from __future__ import annotations

import signal
import time

import pytest

from .conftest import Serve

pytestmark = pytest.mark.shutdown


def test_a_thread_that_never_ends_does_not_hold_the_exit(serve: Serve) -> None:
    server = serve(
        *("gunicorn", "tests.variants:leaving_a_thread()"),
        SHUTDOWN_GRACE_SECONDS="5",
        SHUTDOWN_REQUEST_SECONDS="0.5",
        SHUTDOWN_CLEANUP_SECONDS="0.5",
    )
    begun = time.monotonic()
    server.signal(signal.SIGTERM)
    assert server.wait() == 1, "it was killed, or nobody was told that it had to be ended"
    assert time.monotonic() - begun < 4
    assert "exited with code 1" in server.log, "the master had to kill it"
    [line] = [r for r in server.records if r["event"] == "the process did not end by itself"]
    assert any("work_forever" in stack for stack in line["stacks"].values())


def test_the_log_says_where_a_hook_hangs(serve: Serve) -> None:
    server = serve("gunicorn", "tests.probe:app", PROBE_HOOKS="hanging")
    server.signal(signal.SIGTERM)
    assert server.wait() == 1
    [line] = [r for r in server.records if r["event"] == "hook did not stop in time"]
    assert line["hook"] == "hanging"
    assert any("hang (" in stack for stack in line["stacks"].values())

"""What does not stop is abandoned in time, and said so: black-box tests on the real server."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest

from .barrier import Barrier
from .conftest import InBackground, Serve, seen_once
from .probe import STUCK
from .servers import ServerProcess

pytestmark = pytest.mark.shutdown

PROBE = ("gunicorn", "tests.probe:app")


@pytest.mark.parametrize("paths", STUCK, ids=" ".join)
def test_a_stuck_request_does_not_outlast_its_deadline(
    paths: tuple[str, ...], serve: Serve, barrier: Barrier, in_background: InBackground
) -> None:
    server = serve(
        *PROBE,
        PROBE_HOOKS="first,last",
        SHUTDOWN_REQUEST_SECONDS="0.5",
        SHUTDOWN_CLEANUP_SECONDS="1",
    )
    # And one whose client does not read the response.
    with server.client() as client, client.stream("GET", "/big-in-one-piece"):
        for path in paths:
            in_background(server.get, f"{path}?port={barrier.port}")
            barrier.wait_for_arrivals()
        begun = time.monotonic()
        server.signal(signal.SIGTERM)
        assert server.wait() == 1, "the exit code does not tell that requests were abandoned"
        assert time.monotonic() - begun < 0.5 + 1 + 1
    assert "did not end by itself" not in server.log  # which would be the last resort
    [report] = server.reports
    abandoned = [f"GET {path}" for path in ("/big-in-one-piece", *paths)]
    assert report["requests_abandoned"] == len(abandoned)
    assert sorted(report["abandoned"]) == abandoned
    outcomes = {hook["name"]: hook["outcome"] for hook in report["hooks"]}
    assert outcomes["first"] == outcomes["last"] == "ok"
    [line] = [r for r in server.records if r["event"] == "requests abandoned"]
    stuck = [stack for stack in line["stacks"].values() if "stuck_forever (" in stack]
    assert len(stuck) == len(paths), "the log does not say where they are stuck"


@pytest.fixture(scope="module")
def stop() -> Callable[[], ServerProcess]:
    """The stop that the tests of hooks look at."""
    return seen_once(stop_with_bad_hooks)


def stop_with_bad_hooks(serve: Serve) -> ServerProcess:
    """Stop a server some of whose hooks misbehave."""
    server = serve(*PROBE, PROBE_HOOKS="first,async,failing,hanging,last")
    server.signal(signal.SIGTERM)
    server.wait()
    return server


def test_hooks_that_fail_or_hang_do_not_keep_others_from_running(
    stop: Callable[[], ServerProcess],
) -> None:
    server = stop()
    assert server.wait() == 1, "hooks failed, and the exit code says that all is well"
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


def test_the_log_says_where_a_hook_hangs(stop: Callable[[], ServerProcess]) -> None:
    [line] = [r for r in stop().records if r["event"] == "hook did not stop in time"]
    assert line["hook"] == "hanging"
    assert any("hang (" in stack for stack in line["stacks"].values())


def test_the_server_leaves_alone_what_a_hook_opens(serve: Serve) -> None:
    server = serve(*PROBE, PROBE_HOOKS="opening sockets", SHUTDOWN_CLEANUP_SECONDS="6")
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert server.reports[0]["problems"] == []


def test_a_hook_that_does_not_start_ends_the_server_with_its_name(
    serve: Serve, barrier: Barrier
) -> None:
    server = serve(
        *PROBE,
        PROBE_HOOKS="starting slowly,not starting",
        PROBE_BARRIER=str(barrier.port),
        workers=0,
        WEB_CONCURRENCY="2",
    )
    barrier.wait_for_arrivals(2)
    barrier.release(1)
    server.wait_for_log("exited with code 3")
    barrier.release()  # the other worker fails while the master is halting already
    assert server.wait() == 3, "the master was not told, or made something else of it"
    assert "Traceback" not in server.log
    assert "hook 'not starting' did not start: RuntimeError: broken on purpose" in server.log


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

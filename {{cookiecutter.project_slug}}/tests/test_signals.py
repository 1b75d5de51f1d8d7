"""Signals, many or few: black-box tests on the real servers."""

from __future__ import annotations

import signal
import time

import pytest

from .barrier import Barrier
from .commands import BARE, SERVERS
from .conftest import TRIES, InBackground, Serve
from .probe import STUCK

pytestmark = pytest.mark.shutdown

PROBE = ("gunicorn", "tests.probe:app")
DEVELOP = ("python", "-m", "tests.develop")


@pytest.mark.parametrize("target", ["master", "worker"])
def test_a_burst_of_signals_is_one_stop(
    target: str, serve: Serve, barrier: Barrier, in_background: InBackground
) -> None:
    server = serve(*PROBE)
    answer = in_background(server.get, f"/park?port={barrier.port}")
    barrier.wait_for_arrivals()
    pid = server.pid if target == "master" else server.worker_pids[0]
    for _ in range(100):
        server.signal(signal.SIGTERM, pid)
        time.sleep(0.002)  # or the kernel makes one of them
    server.wait_for_log("draining")
    barrier.release()
    assert answer.result().status_code == 200
    if target == "worker":  # the master starts another one in its place
        server.wait_until(lambda: len(server.worker_pids) == 2, 10, "a second worker")
        server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert [report["reason"] for report in server.reports] == ["SIGTERM"] * len(server.worker_pids)


def test_ctrl_c_does_not_wait_for_load_balancers(serve: Serve) -> None:
    assert any(seconds_to_stop_at_ctrl_c(serve) < 1 for _ in TRIES)


def seconds_to_stop_at_ctrl_c(serve: Serve) -> float:
    """Stop a server that would have a long drain."""
    server = serve(*SERVERS[BARE].command, SHUTDOWN_DRAIN_SECONDS="10")
    begun = time.monotonic()
    server.signal(signal.SIGINT)
    assert server.wait() == 0
    seconds = time.monotonic() - begun
    assert [report["reason"] for report in server.reports] == ["SIGINT"]
    return seconds


def test_a_second_signal_cuts_the_drain_short(serve: Serve) -> None:
    assert any(seconds_to_stop_in_the_drain(serve) < 1 for _ in TRIES)


def seconds_to_stop_in_the_drain(serve: Serve) -> float:
    """Send a server a second signal in a long drain."""
    server = serve(*SERVERS[BARE].command, SHUTDOWN_DRAIN_SECONDS="10")
    server.signal(signal.SIGTERM)
    server.wait_for_log("draining")
    begun = time.monotonic()
    server.signal(signal.SIGINT)
    assert server.wait() == 0
    return time.monotonic() - begun


def test_ctrl_c_after_a_stop_has_begun_hurries_it(serve: Serve) -> None:
    server = serve(*PROBE, SHUTDOWN_DRAIN_SECONDS="10", PROBE_HOOKS="first,last")
    server.signal(signal.SIGTERM)
    server.wait_for_log("draining")
    begun = time.monotonic()
    server.signal(signal.SIGINT)
    server.wait()
    assert time.monotonic() - begun < 2, "it went on draining"
    [report] = server.reports
    outcomes = {hook["name"]: hook["outcome"] for hook in report["hooks"]}
    assert outcomes["first"] == outcomes["last"] == "ok"


@pytest.mark.parametrize("paths", STUCK, ids=" ".join)
def test_ctrl_c_twice_forces_the_exit(
    paths: tuple[str, ...], serve: Serve, in_background: InBackground
) -> None:
    assert any(seconds_to_force(paths, serve, in_background) < 1 for _ in TRIES)


def seconds_to_force(paths: tuple[str, ...], serve: Serve, in_background: InBackground) -> float:
    """Press Ctrl-C twice at a development server that has stuck requests."""
    server = serve(*DEVELOP)
    with Barrier() as barrier:
        for path in paths:
            in_background(server.get, f"{path}?port={barrier.port}")
            barrier.wait_for_arrivals()
    begun = time.monotonic()
    server.signal(signal.SIGINT)
    server.wait_for_log("SIGINT")
    server.signal(signal.SIGINT)
    assert server.wait() == 1
    seconds = time.monotonic() - begun
    [report] = server.reports
    assert report["forced"]
    return seconds

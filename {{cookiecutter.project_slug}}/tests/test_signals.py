"""Signals, many or few: black-box tests on the real servers."""

from __future__ import annotations

import contextlib
import os
import signal
import time

import pytest

from .barrier import Barrier
from .commands import BARE, BARE_PROBE, SERVERS
from .conftest import InBackground, Serve
from .probe import STUCK
from .servers import ServerProcess

pytestmark = pytest.mark.shutdown

PROBE = ("gunicorn", "tests.probe:app")
DEVELOP = ("python", "-m", "tests.develop")

# What must be cut short takes LONG if it is not; SOON is far from that, and from a busy machine's.
LONG, SOON = "10", 4


@pytest.mark.parametrize("target", ["the only process", "master", "worker"])
def test_a_burst_of_signals_is_one_stop(
    target: str, serve: Serve, barrier: Barrier, in_background: InBackground
) -> None:
    server = serve(*(BARE_PROBE if target == "the only process" else PROBE))
    answer = in_background(server.get, f"/park?port={barrier.port}")
    barrier.wait_for_arrivals()
    pid = server.worker_pids[0] if target == "worker" else server.pid
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


# gunicorn passes SIGINT on to its workers as SIGQUIT.
@pytest.mark.parametrize(("name", "reason"), [(BARE, "SIGINT"), ("gunicorn", "SIGQUIT")])
def test_ctrl_c_does_not_wait_for_load_balancers(name: str, reason: str, serve: Serve) -> None:
    server = serve(*SERVERS[name].command, SHUTDOWN_DRAIN_SECONDS=LONG)
    begun = time.monotonic()
    server.signal(signal.SIGINT)
    assert server.wait() == 0
    assert time.monotonic() - begun < SOON
    assert [report["reason"] for report in server.reports] == [reason]


def test_a_second_signal_cuts_the_drain_short(serve: Serve) -> None:
    server = serve(*SERVERS[BARE].command, SHUTDOWN_DRAIN_SECONDS=LONG)
    server.signal(signal.SIGTERM)
    server.wait_for_log("draining")
    time.sleep(0.3)  # a repeat within a quarter of a second would be the same request
    begun = time.monotonic()
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert time.monotonic() - begun < SOON, "it went on draining"


def test_a_worker_that_is_one_too_many_takes_its_time(
    serve: Serve, barrier: Barrier, in_background: InBackground
) -> None:
    server = serve(*PROBE)
    answer = in_background(server.get, f"/park?port={barrier.port}")
    barrier.wait_for_arrivals()
    for _ in range(5):  # gunicorn repeats it each second
        server.signal(signal.SIGTERM, server.worker_pids[0])
        server.wait_for_log("draining")
        time.sleep(0.3)  # it is no burst
    barrier.release()
    assert answer.result().status_code == 200, "a request in flight was abandoned"
    server.wait_for_log("shutdown report")
    [report] = server.reports
    assert not report["forced"]


def test_ctrl_c_after_a_stop_has_begun_hurries_it(serve: Serve) -> None:
    server = serve(*PROBE, SHUTDOWN_DRAIN_SECONDS=LONG, PROBE_HOOKS="first,last")
    server.signal(signal.SIGTERM)
    server.wait_for_log("draining")
    begun = time.monotonic()
    server.signal(signal.SIGINT)
    server.wait()
    assert time.monotonic() - begun < SOON, "it went on draining"
    [report] = server.reports
    assert report["forced"], "gunicorn grants two seconds more, and then kills"
    outcomes = {hook["name"]: hook["outcome"] for hook in report["hooks"]}
    assert outcomes["first"] == outcomes["last"] == "ok"


# gunicorn's worker hears of it from the terminal, and then from its master once more.
@pytest.mark.parametrize("command", [DEVELOP, PROBE], ids=["python -m", "gunicorn"])
def test_ctrl_c_in_a_terminal_is_one_signal(
    command: tuple[str, ...], serve: Serve, barrier: Barrier, in_background: InBackground
) -> None:
    server = serve(*command)
    if command == DEVELOP:  # two signals that come at once may be seen as one
        group = os.getpgid(server.worker_pids[0])
        assert group != server.pid, "the terminal tells the server, and then its parent does so"
    answer = in_background(server.get, f"/park?port={barrier.port}")
    barrier.wait_for_arrivals()
    os.killpg(server.pid, signal.SIGINT)  # as a terminal does
    server.wait_for_log("SIGINT")
    if command == PROBE:
        server.wait_for_log("Handling signal: int")
    barrier.release()
    assert answer.result().status_code == 200
    assert server.wait() == 0
    [report] = server.reports
    assert not report["forced"]


def press_ctrl_c_again(server: ServerProcess) -> None:
    """Do so until it has an effect, as people do, three times at most.

    CPython runs a handler when its main thread is awake: a signal that comes in the moment in
    which that falls asleep waits for the next one.
    """
    for _ in range(3):
        server.signal(signal.SIGINT)
        with contextlib.suppress(AssertionError):
            server.wait_for_log(lambda line: "signal received" in line and "force" in line, 0.5)
            return


@pytest.mark.parametrize("paths", STUCK, ids=" ".join)
def test_ctrl_c_twice_forces_the_exit(
    paths: tuple[str, ...], serve: Serve, barrier: Barrier, in_background: InBackground
) -> None:
    server = serve(
        *DEVELOP,
        PROBE_HOOKS="first,hanging long",
        SHUTDOWN_GRACE_SECONDS="40",
        SHUTDOWN_REQUEST_SECONDS=LONG,
        SHUTDOWN_CLEANUP_SECONDS="20",  # of which a hook that hangs has its share
    )
    for path in paths:
        in_background(server.get, f"{path}?port={barrier.port}")
        barrier.wait_for_arrivals()
    begun = time.monotonic()
    server.signal(signal.SIGINT)
    server.wait_for_log("SIGINT")
    press_ctrl_c_again(server)
    assert server.wait() == 1
    assert time.monotonic() - begun < SOON
    [report] = server.reports
    assert report["forced"]
    outcomes = {hook["name"]: hook["outcome"] for hook in report["hooks"]}
    assert (outcomes["hanging long"], outcomes["first"]) == ("timed out", "ok")


def test_ctrl_c_twice_cuts_a_hook_short(serve: Serve, barrier: Barrier) -> None:
    server = serve(
        *DEVELOP,
        PROBE_HOOKS="first,stopping slowly",
        PROBE_BARRIER=str(barrier.port),
        SHUTDOWN_GRACE_SECONDS="60",
        SHUTDOWN_CLEANUP_SECONDS="30",
    )
    server.signal(signal.SIGINT)
    barrier.wait_for_arrivals()
    begun = time.monotonic()
    press_ctrl_c_again(server)
    assert server.wait() == 1
    assert time.monotonic() - begun < SOON, "it went on waiting for the hook"
    [report] = server.reports
    assert report["forced"]
    outcomes = {hook["name"]: hook["outcome"] for hook in report["hooks"]}
    assert (outcomes["stopping slowly"], outcomes["first"]) == ("timed out", "ok")

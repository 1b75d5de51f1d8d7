"""Workers that end, or whose master does: black-box tests on the production server."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

import {{ cookiecutter.package_name }} as package

from .barrier import Barrier
from .conftest import InBackground, Serve
from .servers import PROJECT, ServerProcess

pytestmark = pytest.mark.shutdown

PROBE = ("gunicorn", "tests.probe:app")


def booting_pid(server: ServerProcess) -> int:
    """The process of the first worker, which need not be ready."""
    booting = server.wait_for_log("Booting worker with pid").split("pid: ")[1]
    return int(booting.split('"')[0])


def serve_starting_worker(serve: Serve, barrier: Barrier) -> ServerProcess:
    """A server whose one worker, and each that comes in its place, starts when the test lets it."""
    server = serve(
        *PROBE,
        workers=0,
        WEB_CONCURRENCY="1",
        PROBE_HOOKS="first,starting slowly",
        PROBE_BARRIER=str(barrier.port),
    )
    barrier.wait_for_arrivals()
    return server


def test_a_worker_that_was_killed_shows_in_the_exit_code(serve: Serve) -> None:
    server = serve(*PROBE)
    assert server.get("/livez").status_code == 200
    [killed] = server.worker_pids
    server.signal(signal.SIGKILL, killed)
    server.wait_until(lambda: len(server.worker_pids) == 2, 10, "another worker")
    server.signal(signal.SIGTERM)
    assert server.wait() == 1
    assert f"workers that did not stop clean: {killed}" in server.log
    [report] = server.reports
    assert report["exit_code"] == 0


def test_a_worker_that_the_master_has_to_kill_shows_in_the_exit_code(serve: Serve) -> None:
    server = serve(
        *PROBE,
        SHUTDOWN_GRACE_SECONDS="5",
        SHUTDOWN_REQUEST_SECONDS="0.5",
        SHUTDOWN_CLEANUP_SECONDS="0.5",
    )
    [frozen] = server.worker_pids
    server.signal(signal.SIGSTOP, frozen)
    begun = time.monotonic()
    server.signal(signal.SIGTERM)
    assert server.wait() == 1
    assert time.monotonic() - begun < 5
    assert f"workers that did not stop clean: {frozen}" in server.log


def test_a_worker_killed_during_the_drain_shows_and_does_not_disturb_the_other(
    serve: Serve,
) -> None:
    server = serve(*PROBE, workers=2, SHUTDOWN_DRAIN_SECONDS="0.7")
    killed, other = server.worker_pids
    server.signal(signal.SIGTERM)
    server.wait_until(lambda: server.log.count('"draining"') == 2, 5, "both workers' drain")
    server.signal(signal.SIGKILL, killed)
    assert server.wait() == 1, "a worker was killed, and the exit code says that all is well"
    assert f"workers that did not stop clean: {killed}" in server.log
    [report] = server.reports
    assert report["exit_code"] == 0
    assert report["phases"]["drain"] >= 0.7
    assert other in server.worker_pids


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_workers_stop_clean_when_their_master_is_killed(
    serve: Serve, barrier: Barrier, in_background: InBackground
) -> None:
    server = serve(*PROBE, SHUTDOWN_DRAIN_SECONDS="1.5")
    answer = in_background(server.get, f"/park?port={barrier.port}")
    barrier.wait_for_arrivals()
    server.signal(signal.SIGKILL)
    server.wait_for_log("draining")
    barrier.release()
    assert answer.result().status_code == 200
    assert server.wait() == -signal.SIGKILL
    [report] = server.reports
    assert report["phases"]["drain"] >= 1.5, "it did not drain"
    assert (report["reason"], report["exit_code"]) == ("parent process died", 0)


def test_a_worker_killed_as_its_hooks_start_shows_in_the_exit_code(
    serve: Serve, barrier: Barrier
) -> None:
    server = serve_starting_worker(serve, barrier)
    killed = booting_pid(server)
    server.signal(signal.SIGKILL, killed)
    barrier.wait_for_arrivals()  # of the next one
    server.signal(signal.SIGTERM)
    barrier.release()
    assert server.wait() == 1, "a worker was killed, and the exit code says that all is well"
    assert f"workers that did not stop clean: {killed}" in server.log


@pytest.mark.parametrize("target", ["master", "worker"])
def test_a_stop_while_a_worker_starts_is_a_stop_all_the_same(
    target: str, serve: Serve, barrier: Barrier
) -> None:
    server = serve_starting_worker(serve, barrier)
    if target == "master":
        server.signal(signal.SIGTERM)
        server.wait_for_log("Handling signal: term")
    else:
        server.signal(signal.SIGTERM, booting_pid(server))
        # The next one starts at once, and so does the test's own stop of it.
    barrier.release()
    server.wait_for_log("shutdown report")
    server.stop()
    outcomes = {hook["name"]: hook["outcome"] for hook in server.reports[0]["hooks"]}
    assert outcomes["first"] == outcomes["starting slowly"] == "ok"
    assert server.reports[0]["exit_code"] == 0


def test_changed_code_is_served_after_a_reload(serve: Serve, tmp_path: Path) -> None:
    copy = shutil.copytree(PROJECT / "src" / package.__name__, tmp_path / package.__name__)
    server = serve("gunicorn", PYTHONPATH=str(tmp_path))
    assert server.get("/livez").json() == {"status": "alive"}
    # One module that the master uses, too, and one that it does not.
    with (copy / "settings.py").open("a") as settings:
        settings.write("\nALIVE = 'changed'\n")
    health = (copy / "web" / "health.py").read_text("utf-8")
    health = health.replace("logger =", "from ..settings import ALIVE\nlogger =")
    (copy / "web" / "health.py").write_text(health.replace('"alive"', "ALIVE"), "utf-8")
    server.signal(signal.SIGHUP)
    server.wait_until(lambda: len(server.worker_pids) > len(server.reports) > 0, 20, "a new worker")
    assert server.get("/livez").json() == {"status": "changed"}
    server.signal(signal.SIGTERM)
    assert server.wait() == 0

"""Stops that come early, and what is refused at the start: black-box tests on real servers."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess

import pytest

from .barrier import Barrier
from .commands import BARE, BARE_PROBE, SERVERS
from .conftest import BUDGET, Serve
from .servers import ServerProcess, children_of
from .tries import tries

pytestmark = pytest.mark.shutdown

NEW_PID_NAMESPACE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
BOOTING = re.compile(r"Booting worker with pid: (\d+)")


@pytest.mark.parametrize("target", ["master", "worker"])
def test_a_stop_while_the_application_is_imported_is_not_forgotten(
    target: str, serve: Serve, barrier: Barrier
) -> None:
    server = serve(
        *("gunicorn", "tests.variants:importing_slowly()"),
        workers=0,
        WEB_CONCURRENCY="1",
        PROBE_BARRIER=str(barrier.port),
    )
    barrier.wait_for_arrivals()
    if target == "worker":
        booting = BOOTING.search(server.log)
        assert booting is not None
        server.signal(signal.SIGTERM, int(booting[1]))
    else:
        server.signal(signal.SIGTERM)
        server.wait_for_log("Handling signal: term")
    barrier.release()
    server.wait_until(lambda: len(server.reports) == 1, 5, "that worker's end")
    if target == "worker":
        barrier.wait_for_arrivals()  # the one in its place
        barrier.release()
        server.wait_until(lambda: len(server.worker_pids) == 2, 10, "another worker")
        server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert "Traceback" not in server.log


def test_a_stop_while_hooks_start_stops_those_that_did(barrier: Barrier) -> None:
    env = {**BUDGET, "PROBE_HOOKS": "first,starting slowly", "PROBE_BARRIER": str(barrier.port)}
    server = ServerProcess(BARE_PROBE, env=env)
    try:
        barrier.wait_for_arrivals()
        server.signal(signal.SIGTERM)
        barrier.release()
        server.wait()
    finally:
        server.stop()
    [report] = server.reports
    outcomes = [(hook["name"], hook["outcome"]) for hook in report["hooks"]]
    assert outcomes[:2] == [("starting slowly", "ok"), ("first", "ok")]
    assert "Traceback" not in server.log


@pytest.mark.parametrize("name", ["gunicorn", BARE])
def test_a_budget_that_does_not_fit_is_refused_with_the_sum(name: str) -> None:
    env = {**BUDGET, "SHUTDOWN_REQUEST_SECONDS": "60"}
    server = ServerProcess(SERVERS[name].command, env=env)
    assert server.wait_for_refusal() == 3
    [line] = server.log.splitlines()
    assert "drain 0 + requests 60 + cleanup 2 + margin 5 = 67 s" in line


def test_an_application_that_cannot_be_imported_is_told_once() -> None:
    server = ServerProcess(("gunicorn", "tests.nowhere:app"), env=BUDGET)
    assert server.wait_for_refusal() == 3
    assert "No module named 'tests.nowhere'" in server.log
    assert server.log.count("Traceback") == 1


def test_overwritten_signal_handlers_show_in_readiness(serve: Serve) -> None:
    server = serve("gunicorn", "tests.variants:overwriting_a_handler()")
    assert server.get("/readyz").status_code == 200
    server.signal(signal.SIGUSR2, server.worker_pids[0])
    for _ in tries(5):
        if (response := server.get("/readyz")).status_code != 200:
            break
    assert response.status_code == 503, "nobody noticed that SIGINT has another handler"
    assert response.json() == {"status": "signal handlers overwritten: SIGINT"}
    assert server.get("/livez").status_code == 200
    server.signal(signal.SIGTERM)
    assert server.wait() == 0


def why_no_namespace() -> str:
    """Why this machine makes no new process namespace; empty if it does."""
    if shutil.which(NEW_PID_NAMESPACE[0]) is None:
        return "there is no unshare"
    tried = subprocess.run([*NEW_PID_NAMESPACE, "true"], capture_output=True, text=True)
    return f"not permitted here: {tried.stderr.strip()}" if tried.returncode else ""


@pytest.mark.parametrize("name", ["gunicorn", BARE])
def test_it_stops_clean_as_process_1_of_a_container(name: str, serve: Serve) -> None:
    if reason := why_no_namespace():
        pytest.skip(reason)
    server = serve(*NEW_PID_NAMESPACE, *SERVERS[name].command, SHUTDOWN_DRAIN_SECONDS="0.2")
    [process_1] = children_of(server.pid)
    assert server.get("/readyz").status_code == 200
    server.signal(signal.SIGTERM, process_1)
    server.wait_for_log("draining", timeout=5)
    assert server.wait() == 0
    assert [report["problems"] for report in server.reports] == [[]]

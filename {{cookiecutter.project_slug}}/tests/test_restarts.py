"""Workers come and go while the server serves: black-box tests on the production server."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from .conftest import Serve
from .load import Load
from .servers import PROJECT

pytestmark = pytest.mark.shutdown

PROBE = ("gunicorn", "tests.probe:app")


def test_no_request_fails_when_a_worker_is_added_and_one_is_removed(serve: Serve) -> None:
    server = serve(*PROBE, SHUTDOWN_DRAIN_SECONDS="0.5")
    load = Load(server.port)
    with load.going_on():
        server.signal(signal.SIGTTIN)
        server.wait_until(lambda: len(server.worker_pids) == 2, 20, "a second worker")
        server.signal(signal.SIGTTOU)
        server.wait_until(lambda: len(server.reports) == 1, 20, "the end of one of them")
    assert load.failures == []
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert [report["exit_code"] for report in server.reports] == [0, 0]


def test_no_request_fails_when_a_setting_is_changed(serve: Serve, tmp_path: Path) -> None:
    config = tmp_path / "gunicorn.conf.py"
    settings = (PROJECT / "gunicorn.conf.py").read_text("utf-8")
    config.write_text(settings, "utf-8")
    server = serve(*PROBE, "--config", str(config), SHUTDOWN_DRAIN_SECONDS="0.5")
    load = Load(server.port)
    with load.going_on():
        config.write_text(f"{settings}\nworkers = 2\n", "utf-8")
        server.signal(signal.SIGHUP)
        server.wait_until(lambda: len(server.worker_pids) == 3, 20, "two workers in place of one")
        server.wait_until(lambda: len(server.reports) == 1, 20, "the old worker's end")
    assert load.failures == []
    server.signal(signal.SIGTERM)
    assert server.wait() == 0


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

"""No request fails, whatever happens to the workers: black-box tests on the production server."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from .barrier import Barrier
from .conftest import InBackground, Serve, seen_once
from .load import Load
from .servers import PROJECT

pytestmark = pytest.mark.shutdown

PROBE = ("gunicorn", "tests.probe:app")
SLOW = 4

# The failures of requests while something happened, which is the key.
Failures = dict[str, list[str]]


def test_no_request_fails_when_the_server_is_stopped(
    serve: Serve, barrier: Barrier, in_background: InBackground
) -> None:
    server = serve(*PROBE, workers=2, SHUTDOWN_DRAIN_SECONDS="2")
    slow = [in_background(server.get, f"/park?port={barrier.port}") for _ in range(SLOW)]
    barrier.wait_for_arrivals(SLOW)
    load = Load(server.port)
    with load.going_on():
        server.signal(signal.SIGTERM)
        time.sleep(1)  # as long as it may take a load balancer to notice
    barrier.release()
    assert [answer.result().status_code for answer in slow] == [200] * SLOW
    assert load.failures == []
    assert server.wait() == 0
    assert sum(report["requests_completed"] for report in server.reports) > 100


def test_no_request_fails_when_a_worker_is_recycled(serve: Serve) -> None:
    server = serve(*PROBE, "--max-requests", "300", SHUTDOWN_DRAIN_SECONDS="0.5")
    load = Load(server.port)
    with load.going_on():
        server.wait_until(lambda: len(server.worker_pids) > 1, 20, "a worker in its place")
    assert load.failures == []
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert {report["exit_code"] for report in server.reports} == {0}


@pytest.fixture(scope="module")
def failures() -> Callable[[], Failures]:
    """The failures that the tests of changes to a running server look at."""
    return seen_once(change_while_it_serves)


def change_while_it_serves(serve: Serve) -> Failures:
    """Change a setting, and the number of workers, of a server under load."""
    settings = (PROJECT / "gunicorn.conf.py").read_text("utf-8")
    failures: Failures = {}
    with TemporaryDirectory() as folder:
        config = Path(folder, "gunicorn.conf.py")
        config.write_text(settings, "utf-8")
        server = serve(*PROBE, "--config", str(config), SHUTDOWN_DRAIN_SECONDS="0.5")

        def expect(signum: signal.Signals, started: int, ended: int) -> None:
            before = len(load.failures)
            server.signal(signum)
            server.wait_until(
                lambda: (len(server.worker_pids), len(server.reports)) == (started, ended),
                *(20, f"{started} workers to have started, and {ended} to have ended"),
            )
            failures[signum.name] = load.failures[before:]

        load = Load(server.port)
        with load.going_on():
            expect(signal.SIGTTIN, started=2, ended=0)
            expect(signal.SIGTTOU, started=2, ended=1)
            config.write_text(f"{settings}\nworkers = 2\n", "utf-8")
            expect(signal.SIGHUP, started=4, ended=2)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    return failures


def test_no_request_fails_when_a_worker_is_added(failures: Callable[[], Failures]) -> None:
    assert failures()["SIGTTIN"] == []


def test_no_request_fails_when_a_worker_is_removed(failures: Callable[[], Failures]) -> None:
    assert failures()["SIGTTOU"] == []


def test_no_request_fails_when_a_setting_is_changed(failures: Callable[[], Failures]) -> None:
    assert failures()["SIGHUP"] == []

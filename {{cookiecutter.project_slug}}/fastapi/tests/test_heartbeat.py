"""gunicorn does not take a worker that stops for one that hangs: a black-box test."""

from __future__ import annotations

import signal

from .barrier import Barrier
from .conftest import InBackground, Serve


def test_a_worker_that_stops_is_not_killed_while_it_finishes_a_request(
    serve: Serve, barrier: Barrier, in_background: InBackground
) -> None:
    server = serve("gunicorn", "tests.probe:app", "--timeout", "2", SHUTDOWN_REQUEST_SECONDS="15")
    answer = in_background(server.get, f"/park?port={barrier.port}")
    barrier.wait_for_arrivals()
    server.signal(signal.SIGTTIN)
    server.wait_until(lambda: len(server.worker_pids) == 2, 10, "another worker")
    stopping, other = server.worker_pids
    server.signal(signal.SIGTERM, stopping)
    server.wait_for_log("Shutting down")
    # One that hangs from now on tells when the master would have killed the first, too.
    server.signal(signal.SIGSTOP, other)
    server.wait_until(lambda: len(server.worker_pids) == 3, 15, "a worker in its place")
    assert f"WORKER TIMEOUT (pid:{other})" in server.log
    assert f"WORKER TIMEOUT (pid:{stopping})" not in server.log
    barrier.release()
    assert answer.result().status_code == 200
    server.wait_until(lambda: bool(server.reports), 5, "its report")
    assert server.reports[0]["problems"] == []

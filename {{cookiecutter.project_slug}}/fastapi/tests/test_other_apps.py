"""gunicorn serves other ASGI applications, and middleware: black-box tests."""

from __future__ import annotations

import signal

import pytest

from .barrier import Barrier
from .conftest import BUDGET, InBackground, Serve
from .servers import ServerProcess


@pytest.mark.parametrize("name", ["app", "with_lifespan"])
def test_an_application_without_a_lifecycle_gets_one(
    name: str, serve: Serve, barrier: Barrier, in_background: InBackground
) -> None:
    server = serve("gunicorn", f"tests.bare:{name}", SHUTDOWN_DRAIN_SECONDS="0.2")
    answer = in_background(server.get, f"/?port={barrier.port}")
    barrier.wait_for_arrivals()
    server.signal(signal.SIGTERM)
    server.wait_for_log("draining")
    response = server.get("/")
    assert (response.text, response.headers["connection"]) == ("served", "close")
    barrier.release()
    assert answer.result().text == "served"
    assert server.wait() == 0
    [report] = server.reports
    assert report["requests_completed"] == 2
    assert [(hook["name"], hook["outcome"]) for hook in report["hooks"]] == [("lifespan", "ok")]
    assert ("its lifespan has ended" in server.log) == (name == "with_lifespan")


@pytest.mark.parametrize("name", ["wrapped()", "mounted()"])
def test_an_application_inside_of_another_keeps_its_lifecycle(
    name: str, serve: Serve, barrier: Barrier, in_background: InBackground
) -> None:
    server = serve(
        *("gunicorn", f"tests.other_apps:{name}"),
        PROBE_HOOKS="first",
        SHUTDOWN_DRAIN_SECONDS="0.2",
    )
    assert server.get("/readyz").status_code == 200
    answer = in_background(server.get, f"/park?port={barrier.port}")
    barrier.wait_for_arrivals()
    server.signal(signal.SIGTERM)
    server.wait_for_log("draining")
    assert server.get("/readyz").json() == {"status": "draining"}
    barrier.release()
    assert answer.result().status_code == 200
    assert server.wait() == 0, "a clean stop, and the exit code says something else"
    [report] = server.reports
    assert report["requests_completed"] == 2
    assert "first" in [hook["name"] for hook in report["hooks"]]


def test_an_application_that_another_does_not_start_is_refused_with_what_to_do() -> None:
    server = ServerProcess(("gunicorn", "tests.other_apps:not_started()"), env=BUDGET)
    assert server.wait_for_refusal() == 3
    assert "async with lifespan(app)" in server.wait_for_log("Starlette does not start")
    assert "Traceback" not in server.log

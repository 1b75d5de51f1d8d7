"""gunicorn serves other WSGI applications, and middleware: black-box tests."""

from __future__ import annotations

import signal

from .barrier import Barrier
from .conftest import BUDGET, InBackground, Serve
from .servers import ServerProcess


def test_an_application_without_a_lifecycle_gets_one(
    serve: Serve, barrier: Barrier, in_background: InBackground
) -> None:
    server = serve("gunicorn", "tests.bare:app", SHUTDOWN_DRAIN_SECONDS="0.2")
    answer = in_background(server.get, f"/{barrier.port}")
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


def test_middleware_is_served_inside_of_the_application(serve: Serve) -> None:
    server = serve("gunicorn", "tests.wrapped:inside")
    assert server.get("/readyz").status_code == 200
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    [report] = server.reports
    assert report["problems"] == []


def test_middleware_around_the_application_is_refused_with_what_to_do() -> None:
    server = ServerProcess(("gunicorn", "tests.wrapped:outside"), env=BUDGET)
    assert server.wait_for_refusal() == 3
    assert "app.wsgi_app = ProxyFix(app.wsgi_app)" in server.wait_for_log("ProxyFix hides")
    assert "Traceback" not in server.log

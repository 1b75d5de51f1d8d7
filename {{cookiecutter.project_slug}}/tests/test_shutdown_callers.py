"""``POST /shutdown`` called early, late, and by many at once."""

from __future__ import annotations

import signal
import threading

import httpx
import pytest

from {{ cookiecutter.package_name }}.settings import Settings, load_settings

from .conftest import InBackground, Serve
from .server_thread import ServerThread
from .servers import ServerProcess

TOKEN = "0123456789abcdef0123456789abcdef"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with a token."""
    monkeypatch.setenv("SHUTDOWN_TOKEN", TOKEN)
    return load_settings()


def call(server: ServerProcess, token: str = TOKEN) -> httpx.Response:
    """Ask a server to stop."""
    with server.client() as client:
        return client.post("/shutdown", headers={"Authorization": f"Bearer {token}"})


def test_the_caller_is_answered_before_the_stop_begins(
    client: httpx.Client, server: ServerThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()
    in_time: list[bool] = []

    def stop(requested_by: str) -> None:
        in_time.append(answered.wait(3))

    monkeypatch.setattr(server.lifecycle, "request_stop", stop)
    assert client.post("/shutdown", headers=AUTHORIZED, timeout=10).status_code == 202
    answered.set()
    server.stop()
    assert in_time == [True], "the stop began while the caller still waited for the answer"


@pytest.mark.shutdown
def test_many_callers_at_once_are_answered_and_it_stops_once(
    serve: Serve, in_background: InBackground
) -> None:
    server = serve("gunicorn", workers=2, SHUTDOWN_DRAIN_SECONDS="1", SHUTDOWN_TOKEN=TOKEN)
    calls = [in_background(call, server) for _ in range(8)]
    server.wait_for_log("Handling signal: term", timeout=5)
    assert [each.result().status_code for each in calls] == [202] * 8
    assert server.wait() == 0
    assert [report["exit_code"] for report in server.reports] == [0, 0]
    assert all(report["phases"]["drain"] >= 1 for report in server.reports), "the drain was cut"


@pytest.mark.shutdown
def test_a_call_during_the_drain_is_answered_and_changes_nothing(serve: Serve) -> None:
    server = serve("gunicorn", SHUTDOWN_DRAIN_SECONDS="1", SHUTDOWN_TOKEN=TOKEN)
    server.signal(signal.SIGTERM)
    server.wait_for_log("draining")
    assert call(server).status_code == 202
    assert server.wait() == 0
    [report] = server.reports
    assert (report["reason"], report["requested_by"]) == ("SIGTERM", None)
    assert report["phases"]["drain"] >= 1
    assert "stop requested" not in server.log, "it signalled a server that was stopping already"


@pytest.mark.shutdown
def test_no_token_is_logged_right_or_wrong(serve: Serve) -> None:
    server = serve("gunicorn", LOG_LEVEL="debug", SHUTDOWN_TOKEN=TOKEN)
    wrong = "another-token-that-somebody-tried"
    assert call(server, wrong).status_code == 401
    assert call(server).status_code == 202
    server.wait_for_log("Handling signal: term", timeout=5)
    assert server.wait() == 0
    assert TOKEN not in server.log
    assert wrong not in server.log

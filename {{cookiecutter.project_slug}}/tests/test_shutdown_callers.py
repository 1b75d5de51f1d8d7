"""``POST /shutdown`` called early, late, and by many at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from {{ cookiecutter.package_name }}.settings import Settings, load_settings

from .conftest import Serve, seen_once
from .server_thread import ServerThread
from .servers import ServerProcess

TOKEN = "0123456789abcdef0123456789abcdef"
WRONG = "another-token-that-somebody-tried"
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


@dataclass
class Stop:
    """What callers have seen of it."""

    refused: int
    answers: list[int]
    exit_code: int
    log: str
    reports: list[dict[str, Any]]


@pytest.fixture(scope="module")
def stop() -> Callable[[], Stop]:
    """The stop that the tests of many callers look at."""
    return seen_once(stop_by_many_callers)


def stop_by_many_callers(serve: Serve) -> Stop:
    """Have a server asked to stop, first with a wrong token, then by many at once."""
    server = serve(
        "gunicorn", workers=2, LOG_LEVEL="debug", SHUTDOWN_DRAIN_SECONDS="1", SHUTDOWN_TOKEN=TOKEN
    )
    refused = call(server, WRONG).status_code
    with ThreadPoolExecutor(max_workers=8) as threads:
        calls = [threads.submit(call, server) for _ in range(8)]
        answers = [each.result().status_code for each in calls]
    return Stop(refused, answers, server.wait(), server.log, server.reports)


@pytest.mark.shutdown
def test_many_callers_at_once_are_answered_and_it_stops_once(stop: Callable[[], Stop]) -> None:
    seen = stop()
    assert seen.answers == [202] * 8
    assert seen.exit_code == 0
    assert [report["exit_code"] for report in seen.reports] == [0, 0], "a worker was not stopped"
    assert all(report["phases"]["drain"] >= 1 for report in seen.reports), "the drain was cut"
    asked = [report for report in seen.reports if report["requested_by"] == "127.0.0.1"]
    assert {report["reason"] for report in asked} == {"shutdown endpoint"}
    assert seen.log.count("stop requested") == len(asked), "a worker signalled more than once"


@pytest.mark.shutdown
def test_no_token_is_logged_right_or_wrong(stop: Callable[[], Stop]) -> None:
    seen = stop()
    assert seen.refused == 401
    assert TOKEN not in seen.log
    assert WRONG not in seen.log


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

"""Health endpoints."""

from __future__ import annotations

import threading
import time

import httpx
import pytest

from .server_thread import App, ServerThread, add_check, forget_checks


@pytest.fixture(autouse=True)
def _no_checks(app: App) -> None:
    """Each test adds its own."""
    forget_checks(app)


def test_it_is_alive_and_ready(client: httpx.Client) -> None:
    for path, status in (("/livez", "alive"), ("/readyz", "ready")):
        response = client.get(path)
        assert (response.status_code, response.json()) == (200, {"status": status})


def test_it_is_not_ready_but_alive_in_a_stop(
    app: App, client: httpx.Client, server: ServerThread
) -> None:
    add_check(app, "mixer", lambda: 1 / 0)  # a stop is not put down to others
    server.lifecycle.request_stop("a test")
    assert server.lifecycle.stopped.wait(5)
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (503, {"status": "stopped"})
    assert client.get("/livez").status_code == 200


def test_it_is_not_ready_when_its_signal_handlers_are_overwritten(
    client: httpx.Client, server: ServerThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals = server.lifecycle._signals
    monkeypatch.setattr(signals, "overwritten", lambda: ["SIGTERM"])
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"status": "signal handlers overwritten: SIGTERM"}


def test_it_is_ready_again_when_what_it_needs_is_back(app: App, client: httpx.Client) -> None:
    mixer_is_up = threading.Event()

    def check_mixer() -> None:
        if not mixer_is_up.is_set():
            raise ConnectionError("broken on purpose")

    add_check(app, "printer", lambda: None)
    add_check(app, "mixer", check_mixer)
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (503, {"status": "no answer: mixer"})
    assert client.get("/livez").status_code == 200
    mixer_is_up.set()
    assert client.get("/readyz").status_code == 200


def test_what_hangs_does_not_hold_up_the_answer(app: App, client: httpx.Client) -> None:
    end = threading.Event()
    add_check(app, "printer", lambda: end.wait(30))
    add_check(app, "mixer", lambda: end.wait(30))
    add_check(app, "scanner", lambda: None)
    asked = time.monotonic()
    response = client.get("/readyz")
    took = time.monotonic() - asked
    end.set()
    assert response.json() == {"status": "no answer: printer, mixer"}
    assert took < 2, "one after the other"
    assert client.get("/readyz").status_code == 200


def test_an_application_that_does_not_start_is_not_served(app: App) -> None:
    server = ServerThread(app)
    server.lifecycle.append(_NotStarting())
    with pytest.raises(RuntimeError, match="did not start"):
        server.__enter__()


class _NotStarting:
    name = "not starting"
    timeout = 1.0
    stop = None

    def start(self) -> None:
        raise ZeroDivisionError

"""``POST /shutdown``, in this process and on the real servers."""

from __future__ import annotations

import httpx
import pytest

from {{ cookiecutter.package_name }}.settings import Settings, load_settings

from .commands import KINDS, SERVERS
from .conftest import Serve
from .server_thread import ServerThread, create_app

TOKEN = "0123456789abcdef0123456789abcdef"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with a token."""
    monkeypatch.setenv("SHUTDOWN_TOKEN", TOKEN)
    return load_settings()


def test_there_is_no_endpoint_without_a_token(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHUTDOWN_TOKEN")
    with ServerThread(create_app(load_settings())) as server:
        url = f"{server.url}/shutdown"
        assert httpx.post(url, headers=AUTHORIZED, trust_env=False).status_code == 404


def test_a_short_token_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHUTDOWN_TOKEN", TOKEN[:31])
    with pytest.raises(SystemExit) as ended:
        load_settings()
    assert ended.value.code == 3
    [line] = capsys.readouterr().err.splitlines()
    assert "SHUTDOWN_TOKEN" in line
    assert TOKEN[:31] not in line


def test_the_token_is_not_shown_with_the_settings(settings: Settings) -> None:
    assert TOKEN not in repr(settings)


def test_it_takes_post_only(client: httpx.Client) -> None:
    assert client.get("/shutdown", headers=AUTHORIZED).status_code == 405


def test_it_refuses_callers_without_the_token(client: httpx.Client, server: ServerThread) -> None:
    values = ("", "Bearer", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}0")
    wrong = [{}, *({"Authorization": value} for value in values)]
    responses = [client.post("/shutdown", headers=headers) for headers in wrong]
    responses.append(client.post("/shutdown", headers={b"Authorization": b"Bearer \xe9\xff"}))
    assert [r.status_code for r in responses] == [401] * 8
    assert [r.headers["WWW-Authenticate"] for r in responses] == ["Bearer"] * 8
    assert not server.lifecycle.draining


def test_it_names_the_deadline_and_the_caller(client: httpx.Client, server: ServerThread) -> None:
    response = client.post("/shutdown", headers=AUTHORIZED)
    assert response.status_code == 202
    deadline = server.lifecycle.budget.deadline
    assert response.json() == {"status": "stopping", "deadline_seconds": deadline}
    assert server.lifecycle.stopped.wait(5)
    report = server.lifecycle.report
    assert report is not None
    assert (report.reason, report.requested_by) == ("shutdown endpoint", "127.0.0.1")


@pytest.mark.shutdown
@pytest.mark.parametrize("name", KINDS)
def test_it_stops_the_whole_server(name: str, serve: Serve) -> None:
    command, workers, _ = SERVERS[name]
    server = serve(*command, workers=workers, SHUTDOWN_TOKEN=TOKEN)
    with server.client() as client:
        response = client.post("/shutdown", headers=AUTHORIZED)
    assert response.status_code == 202
    assert response.json()["status"] == "stopping"
    assert server.wait() == 0
    assert len(server.reports) == workers
    # The worker that was asked knows who did; the others got the signal that it has caused.
    callers = [report["requested_by"] for report in server.reports if report["requested_by"]]
    assert callers == ["127.0.0.1"]
    assert "stop requested" in server.log
    assert TOKEN not in server.log

"""Background tasks, as clients see them."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from queue import SimpleQueue

import httpx
import pytest

from {{ cookiecutter.package_name }} import queue_file, tasks
from {{ cookiecutter.package_name }}.settings import Settings
from {{ cookiecutter.package_name }}.tasks import MAX_PAYLOAD_BYTES, Task

from .server_thread import ServerThread, create_app

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def handled(monkeypatch: pytest.MonkeyPatch) -> SimpleQueue[Task]:
    """The tasks that were begun, in place of the work."""
    handled: SimpleQueue[Task] = SimpleQueue()
    monkeypatch.setattr(tasks, "handle_task", handled.put)
    return handled


def test_a_task_is_accepted_and_done(client: httpx.Client, handled: SimpleQueue[Task]) -> None:
    response = client.post("/tasks", json={"any": ["thing", "ü", None]})
    assert response.status_code == 202
    accepted = response.json()
    assert response.headers["Location"] == f"/tasks/{accepted['id']}"
    assert accepted == {"id": accepted["id"], "status": "queued", "attempts": 0, "error": None}
    task = handled.get(timeout=5)
    assert (task.id, task.payload) == (accepted["id"], {"any": ["thing", "ü", None]})
    client.post("/tasks", json={})
    handled.get(timeout=5)  # the second one begins when the first one is finished
    response = client.get(f"/tasks/{accepted['id']}")
    assert response.status_code == 200
    assert response.json() == {"id": task.id, "status": "done", "attempts": 1, "error": None}


def test_a_task_that_fails_for_good_says_why_and_does_not_end_the_thread(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "FIRST_RETRY_SECONDS", 0.01)
    attempts: SimpleQueue[Task] = SimpleQueue()
    handled: SimpleQueue[Task] = SimpleQueue()

    def fail(task: Task) -> None:
        if task.payload == {"fail": True}:
            attempts.put(task)
            raise ZeroDivisionError("on purpose")
        handled.put(task)

    monkeypatch.setattr(tasks, "handle_task", fail)
    failing = client.post("/tasks", json={"fail": True}).json()["id"]
    tried = [attempts.get(timeout=5).attempts for _ in range(tasks.MAX_ATTEMPTS)]
    assert tried == [1, 2, 3, 4, 5]
    succeeding = client.post("/tasks", json={}).json()["id"]
    assert handled.get(timeout=5).id == succeeding
    assert client.get(f"/tasks/{failing}").json() == {
        "id": failing,
        "status": "failed",
        "attempts": 5,
        "error": "ZeroDivisionError: on purpose",
    }
    assert attempts.empty()


class UnspeakableError(Exception):
    """Cannot even be written down."""

    def __str__(self) -> str:
        raise self.args[0]


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (ValueError("lone \ud800"), "ValueError: lone \\ud800"),
        (UnspeakableError(ValueError()), "UnspeakableError, which does not say why"),
        (UnspeakableError(SystemExit()), "UnspeakableError, which does not say why"),
        (ValueError("\ud800" * 999), "ValueError: " + ("\\ud800" * 999)[:988]),
        (SystemExit(0), "SystemExit: 0"),
    ],
    ids=["lone surrogate", "unspeakable", "unspeakable exit", "long", "exit"],
)
def test_whatever_a_task_raises_counts_as_a_failure(
    error: BaseException, kept: str, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks.logger, "disabled", True)  # xdist cannot carry a lone surrogate
    monkeypatch.setattr(tasks, "MAX_ATTEMPTS", 1)
    handled: SimpleQueue[Task] = SimpleQueue()

    def fail(task: Task) -> None:
        handled.put(task)
        if task.payload == {"fail": True}:
            raise error

    monkeypatch.setattr(tasks, "handle_task", fail)
    failing = client.post("/tasks", json={"fail": True}).json()["id"]
    client.post("/tasks", json={})
    assert handled.get(timeout=5).id == failing
    handled.get(timeout=5)  # the second one begins when the first one is finished
    failed = client.get(f"/tasks/{failing}").json()
    assert (failed["status"], failed["error"]) == ("failed", kept)


def test_an_unknown_task_is_not_found(client: httpx.Client) -> None:
    assert client.get("/tasks/no-such-task").status_code == 404


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"\\ud800"', b"null", b'{"x": NaN}', b'{"x": 1e999}', b'{"x":' * 9_999],
    ids=["nothing", "half", "list", "lone surrogate", "null", "NaN", "infinity", "too deep"],
)
def test_a_task_must_be_a_json_object(client: httpx.Client, body: bytes) -> None:
    response = client.post("/tasks", content=body, headers=JSON)
    assert response.status_code in (400, 422)
    assert response.json()["detail"]
    assert "input" not in response.text, "it may be confidential"


def test_a_body_that_does_not_say_it_is_json_is_refused(client: httpx.Client) -> None:
    assert client.post("/tasks", content=b"{}").status_code == 422


def test_a_task_must_not_be_too_large(client: httpx.Client) -> None:
    fits = {"text": "x" * (MAX_PAYLOAD_BYTES - len('{"text":""}'))}
    too_large = {"text": "x" * MAX_PAYLOAD_BYTES}
    # Written as JSON, each of these letters takes six bytes.
    larger_than_it_looks = ('{"text": "' + "ü" * (MAX_PAYLOAD_BYTES // 3) + '"}').encode()
    assert client.post("/tasks", json=fits).status_code == 202
    assert client.post("/tasks", json=too_large).status_code == 413
    response = client.post("/tasks", content=larger_than_it_looks, headers=JSON)
    assert response.status_code == 422
    assert str(MAX_PAYLOAD_BYTES) in response.json()["detail"]


def test_a_full_queue_asks_to_come_back_later(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"task_queue_length": 0}))
    with ServerThread(app) as server, httpx.Client(base_url=server.url, trust_env=False) as client:
        response = client.post("/tasks", json={})
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    assert response.json() == {"detail": "the task queue: 0 tasks are waiting"}


def test_a_queue_that_another_program_has_locked_asks_to_come_back_later(
    app_of_impatient_queue: None, client: httpx.Client, task_queue_path: Path
) -> None:
    other = sqlite3.connect(task_queue_path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    response = client.post("/tasks", json={})
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    assert response.json() == {"detail": "the task queue: database is locked"}
    other.execute("ROLLBACK")
    other.close()
    assert client.post("/tasks", json={}).status_code == 202


@pytest.fixture
def app_of_impatient_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the queue not wait for long until it is unlocked."""
    monkeypatch.setattr(queue_file, "LOCK_SECONDS", 0.05)

"""Background tasks: the endpoints, the queue, and the thread that works on it."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from queue import SimpleQueue

import httpx
import pytest

from {{ cookiecutter.package_name }} import tasks
from {{ cookiecutter.package_name }}.lifecycle import Budget, Lifecycle
from {{ cookiecutter.package_name }}.tasks import (
    MemoryTaskQueue,
    QueueFullError,
    Task,
    TaskThread,
)

from .conftest import Serve
from .threads import in_thread


@pytest.fixture
def handled(monkeypatch: pytest.MonkeyPatch) -> SimpleQueue[str]:
    """The ids of the tasks that are done, in place of the work."""
    handled: SimpleQueue[str] = SimpleQueue()
    monkeypatch.setattr(tasks, "handle_task", lambda task: handled.put(task.id))
    return handled


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Semaphore]:
    """Lets one task through for each release; all of them at the end."""
    gate = threading.Semaphore(0)
    monkeypatch.setattr(tasks, "handle_task", lambda task: gate.acquire(timeout=10))
    yield gate
    gate.release(100)


# The endpoints


def test_a_task_is_accepted_and_done(client: httpx.Client, handled: SimpleQueue[str]) -> None:
    response = client.post("/tasks", json={"any": ["thing"]})
    assert response.status_code == 202
    accepted = response.json()
    assert response.headers["Location"] == f"/tasks/{accepted['id']}"
    assert accepted["status"] in ("queued", "running", "done")
    assert handled.get(timeout=5) == accepted["id"]
    client.post("/tasks", json={})
    handled.get(timeout=5)  # the second one begins when the first one is finished
    response = client.get(f"/tasks/{accepted['id']}")
    assert response.status_code == 200
    assert response.json() == {"id": accepted["id"], "status": "done", "error": None}


def test_a_task_that_fails_says_why_and_does_not_end_the_thread(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    handled: SimpleQueue[str] = SimpleQueue()

    def fail(task: Task) -> None:
        handled.put(task.id)
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(tasks, "handle_task", fail)
    first = client.post("/tasks", json={}).json()["id"]
    second = client.post("/tasks", json={}).json()["id"]
    assert [handled.get(timeout=5), handled.get(timeout=5)] == [first, second]
    task = client.get(f"/tasks/{first}").json()
    assert task == {"id": first, "status": "failed", "error": "ZeroDivisionError: on purpose"}


def test_an_unknown_task_is_not_found(client: httpx.Client) -> None:
    assert client.get("/tasks/no-such-task").status_code == 404


def test_a_task_must_be_a_json_object(client: httpx.Client) -> None:
    headers = {"Content-Type": "application/json"}
    for body in (b"[]", b'"text"', b"{", b""):
        assert client.post("/tasks", content=body, headers=headers).status_code == 422, body
    assert client.post("/tasks", content=b"{}").status_code == 422  # does not say what it is


def test_a_full_queue_asks_to_come_back_later(
    client: httpx.Client, gate: threading.Semaphore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "MAX_QUEUED", 2)
    responses = [client.post("/tasks", json={}) for _ in range(5)]
    refused = [r for r in responses if r.status_code != 202]
    assert len(refused) in (2, 3)  # two wait, and a third one may be at work already
    assert {(r.status_code, r.headers["Retry-After"]) for r in refused} == {(503, "1")}


# The queue and the thread


def test_tasks_are_taken_in_order() -> None:
    queue = MemoryTaskQueue()
    ids = [queue.submit({"number": number}).id for number in range(3)]
    assert queue.queued() == 3
    taken = [queue.take() for _ in range(3)]
    assert [task.id for task in taken if task] == ids
    assert queue.take() is None
    assert {task.status for task in taken if task} == {"running"}


def test_a_full_queue_accepts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "MAX_QUEUED", 1)
    queue = MemoryTaskQueue()
    queue.submit({})
    with pytest.raises(QueueFullError, match="1 tasks are waiting"):
        queue.submit({})


def test_the_oldest_finished_tasks_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "MAX_REMEMBERED", 2)
    queue = MemoryTaskQueue()
    ids = [queue.submit({}).id for _ in range(4)]
    waiting = queue.submit({}).id
    for _ in ids:
        task = queue.take()
        assert task is not None
        queue.finish(task)
    remembered = [task_id for task_id in ids if queue.get(task_id)]
    assert remembered == ids[2:]
    assert queue.get(waiting) is not None


def test_a_task_is_picked_up_within_20_ms(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: SimpleQueue[float] = SimpleQueue()
    monkeypatch.setattr(tasks, "handle_task", lambda task: begun.put(time.monotonic()))
    queue = MemoryTaskQueue()
    thread = TaskThread(queue)
    thread.start()
    seconds = []
    for _ in range(9):
        time.sleep(0.005)  # let it wait
        submitted = time.monotonic()
        queue.submit({})
        seconds.append(begun.get(timeout=5) - submitted)
    thread.stop()
    assert statistics.median(seconds) < 0.02  # one of them may meet a busy machine


def test_what_is_queued_is_finished_at_a_stop(gate: threading.Semaphore) -> None:
    queue = MemoryTaskQueue()
    thread = TaskThread(queue)
    thread.start()
    queued = [queue.submit({}) for _ in range(5)]
    stopping = threading.Timer(0, thread.stop)
    stopping.start()
    gate.release(5)
    stopping.join()
    assert {task.status for task in queued} == {"done"}
    assert queue.queued() == 0


def test_what_cannot_be_finished_in_time_is_told_as_lost(gate: threading.Semaphore) -> None:
    queue = MemoryTaskQueue()
    thread = TaskThread(queue)
    thread.timeout = 0.5
    lifecycle = Lifecycle(Budget.derive(30, drain=0, requests=1, cleanup=2))
    lifecycle.append(thread)
    in_thread(lifecycle.start)
    for _ in range(50):
        queue.submit({})

    def work_slowly() -> None:
        while not lifecycle.stopped.wait(0.02):
            gate.release()

    slow = threading.Thread(target=work_slowly)
    slow.start()
    lifecycle.stop()
    slow.join()
    report = lifecycle.report
    assert report is not None
    [record] = report.hooks
    assert record.outcome == "ok"
    lost = record.details["lost"]
    assert 0 < lost < 50
    assert report.problems == [f"hook 'tasks' lost {lost} task(s)"]
    assert report.exit_code == 1


# On the real server


@pytest.mark.shutdown
def test_accepted_tasks_are_done_when_the_server_has_stopped(serve: Serve) -> None:
    server = serve("gunicorn", workers=2)
    with server.client() as client:
        accepted = [client.post("/tasks", json={"number": n}).json()["id"] for n in range(50)]
    assert server.stop() == 0
    done = [record["task"] for record in server.records if record["event"] == "task handled"]
    assert sorted(done) == sorted(accepted)

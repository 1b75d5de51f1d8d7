"""What was accepted with 202 is done, whatever ends the processes: on the real server."""

from __future__ import annotations

import os
import resource
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from {{ cookiecutter.package_name }}.sqlite_queue import SqliteTaskQueue
from {{ cookiecutter.package_name }}.tasks import Task

from .barrier import Barrier
from .conftest import Serve
from .servers import ServerProcess
from .task_log import traced

APP = "tests.traced_tasks:app"


def submit_until_refused(server: ServerProcess, enough: threading.Event) -> list[str]:
    """Submit tasks one after the other; the ids of those that were accepted."""
    accepted: list[str] = []
    with server.client() as client:
        while len(accepted) < 1000:
            try:
                response = client.post("/tasks", json={})
            except httpx.TransportError:
                break
            if response.status_code == 202:
                accepted.append(response.json()["id"])
            if len(accepted) == 20:
                enough.set()
    return accepted


def take(path: Path) -> Task | None:
    """Open the queue, as one more process would, and take a task."""
    queue = SqliteTaskQueue(path)
    queue.open()
    task = queue.take()
    queue.close()
    return task


def kill_all(server: ServerProcess) -> None:
    """Kill the master first, which would start new workers."""
    for pid in (server.pid, *server.worker_pids):
        os.kill(pid, signal.SIGKILL)


ENDS = {
    "TERM": lambda server: server.signal(signal.SIGTERM),
    "the master is killed": lambda server: server.signal(signal.SIGKILL),
    "all are killed": kill_all,
}


@pytest.mark.parametrize(
    ("end", "workers"),
    [
        pytest.param("TERM", 2, marks=pytest.mark.shutdown),
        ("the master is killed", 1),
        ("all are killed", 2),
    ],
)
def test_every_accepted_task_is_done_after_a_restart(
    serve: Serve, task_queue_path: Path, end: str, workers: int
) -> None:
    first = serve("gunicorn", APP, workers=workers)
    enough = threading.Event()
    with ThreadPoolExecutor(4) as clients:
        submitting = [clients.submit(submit_until_refused, first, enough) for _ in range(4)]
        assert enough.wait(10)
        ENDS[end](first)
        accepted = {task_id for each in submitting for task_id in each.result()}
    first.wait()
    if end == "TERM":
        processes = task_queue_path.with_name(f"{task_queue_path.name}-processes")
        assert list(processes.iterdir()) == [], "a process has not signed off"
    second = serve("gunicorn", APP)
    second.wait_until(lambda: accepted <= traced("ended", first, second).keys(), 20, "all tasks")
    if end == "TERM":
        assert max(traced("begun", first, second).values()) == 1, "none is begun twice"


@pytest.mark.parametrize("options", [(), ("--preload",)], ids=" ".join)
def test_the_tasks_of_a_killed_worker_are_done_without_a_restart(
    options: tuple[str, ...], serve: Serve, barrier: Barrier
) -> None:
    server = serve("gunicorn", *options, APP)
    with server.client() as client:
        accepted = [
            client.post("/tasks", json={"port": barrier.port}).json()["id"] for _ in range(2)
        ]
    barrier.wait_for_arrivals()
    server.signal(signal.SIGKILL, server.worker_pids[0])
    barrier.wait_for_arrivals()
    barrier.release()
    barrier.wait_for_arrivals()
    barrier.release()
    server.wait_until(lambda: traced("ended", server).keys() == set(accepted), 10, "both tasks")
    assert traced("begun", server) == {accepted[0]: 2, accepted[1]: 1}


@pytest.mark.shutdown
def test_a_stop_finishes_the_running_task_and_accepts_others_for_the_next_process(
    serve: Serve, barrier: Barrier
) -> None:
    server = serve("gunicorn", APP, SHUTDOWN_DRAIN_SECONDS="1")
    with server.client() as client:
        running = client.post("/tasks", json={"port": barrier.port}).json()["id"]
        barrier.wait_for_arrivals()
        server.signal(signal.SIGTERM)
        server.wait_for_log("draining")
        assert client.get("/readyz").status_code == 503
    with server.client() as client:
        assert client.post("/tasks", json={}).status_code == 202
    barrier.release()
    assert server.wait() == 0
    [report] = server.reports
    assert report["hooks"][0]["details"] == {"done": 1, "handed_back": 0, "remaining": 1}
    assert traced("begun", server) == {running: 1}


@pytest.mark.shutdown
def test_a_task_that_outlasts_the_stop_is_handed_back(
    serve: Serve, barrier: Barrier, task_queue_path: Path
) -> None:
    server = serve("gunicorn", APP, SHUTDOWN_CLEANUP_SECONDS="3")
    with server.client() as client:
        task_id = client.post("/tasks", json={"port": barrier.port}).json()["id"]
    barrier.wait_for_arrivals()
    assert server.stop() == 0
    [report] = server.reports
    hook, *behind_it = report["hooks"]
    assert hook["details"] == {"done": 0, "handed_back": 1, "remaining": 1}
    # The queue's own hook claims 1 s. A database's claims 5 s; then each has a third.
    share = 2 if len(behind_it) == 1 else 1
    assert hook["seconds"] >= 0.8 * share
    handed_back = take(task_queue_path)
    assert handed_back is not None
    assert (handed_back.id, handed_back.attempts) == (task_id, 1)


def test_a_busy_worker_leaves_the_next_task_to_an_idle_one(serve: Serve, barrier: Barrier) -> None:
    server = serve("gunicorn", APP, workers=2)
    with server.client() as client:  # one connection, so both tasks come to the same worker
        for _ in range(2):
            client.post("/tasks", json={"port": barrier.port})
            barrier.wait_for_arrivals()
    barrier.release()
    assert server.stop() == 0
    done = sorted(report["hooks"][0]["details"]["done"] for report in server.reports)
    assert done == [1, 1]


def test_a_full_disk_is_told_and_loses_nothing(serve: Serve) -> None:
    server = serve("gunicorn", APP)
    [worker] = server.worker_pids
    limit = resource.prlimit(worker, resource.RLIMIT_FSIZE)
    large = {"text": "x" * 60_000}
    with server.client() as client:
        accepted = [client.post("/tasks", json={}).json()["id"]]
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (100_000, limit[1]))
        responses = [client.post("/tasks", json=large) for _ in range(4)]
        resource.prlimit(worker, resource.RLIMIT_FSIZE, limit)
        responses.append(client.post("/tasks", json=large))
    refused = [response for response in responses if response.status_code != 202]
    assert {(r.status_code, r.headers["Retry-After"]) for r in refused} == {(503, "1")}
    assert responses[-1].status_code == 202
    accepted += [r.json()["id"] for r in responses if r.status_code == 202]
    server.wait_until(lambda: traced("ended", server).keys() == set(accepted), 20, "all tasks")


def test_a_damaged_queue_ends_the_start_with_one_clear_line(
    serve: Serve, task_queue_path: Path
) -> None:
    task_queue_path.write_text("my diary" * 1000)
    with pytest.raises(AssertionError, match=r"TASK_QUEUE_PATH, .*: file is not a database"):
        serve("gunicorn", APP)

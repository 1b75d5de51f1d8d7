"""Background tasks with Celery: on the real broker, with real workers."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import kombu
import pytest
import redis

from {{ cookiecutter.package_name }} import tasks, worker_health
from {{ cookiecutter.package_name }}.celery_app import QUEUE, configuration, create_celery, work_on
from {{ cookiecutter.package_name }}.celery_queue import CeleryTaskQueue
from {{ cookiecutter.package_name }}.celery_worker import worker_budget
from {{ cookiecutter.package_name }}.lifecycle import Budget
from {{ cookiecutter.package_name }}.settings import Settings, load_settings
from {{ cookiecutter.package_name }}.task_records import TaskRecords, create_records
from {{ cookiecutter.package_name }}.tasks import (
    MAX_ATTEMPTS,
    MAX_PAYLOAD_BYTES,
    PayloadError,
    QueueUnavailableError,
    Task,
)

from .barrier import Barrier
from .brokers import BROKERS, RABBITMQ_ALONE, Work
from .celery_worker import WorkerProcess
from .conftest import BUDGET, Serve
from .servers import PROJECT, ServerProcess, children_of, reserved_port
from .services import Redis, Service
from .task_log import traced
from .tries import tries

UNACKED = f"{QUEUE}.unacked"
QUICKLY = 9.0  # a broker that hangs costs a request 4 s; without a limit it would be for ever


EVERY_BROKER = pytest.mark.parametrize("broker", [*BROKERS, RABBITMQ_ALONE], indirect=True)


def submit(server: ServerProcess, **payload: Any) -> str:
    """Submit a task that must be accepted; return its id."""
    with server.client() as client:
        response = client.post("/tasks", json=payload)
        assert response.status_code == 202, response.text
        task_id: str = response.json()["id"]
        return task_id


def wait_for_status(server: ServerProcess, task_id: str, status: str) -> dict[str, Any]:
    """Wait until that has become of the task."""
    for _ in tries(20):
        task: dict[str, Any] = server.get(f"/tasks/{task_id}").json()
        if task["status"] == status:
            return task
    raise AssertionError(task)


def attempts(task_id: str, worker: ServerProcess) -> list[int]:
    """Which attempts at a task have begun."""
    events = [record for record in worker.records if record["event"] == "task begun"]
    return [record["attempt"] for record in events if record["task"] == task_id]


# What clients see


def test_a_task_is_accepted_and_done(serve: Serve, work: Work, broker: str) -> None:
    server = serve("gunicorn")
    with server.client() as client:
        response = client.post("/tasks", json={"any": ["thing", "ü", None]})
        assert response.status_code == 202
        task_id = response.json()["id"]
        assert response.headers["Location"] == f"/tasks/{task_id}"
        queued = {"id": task_id, "status": "queued", "attempts": 0, "error": None}
        assert response.json() == queued
        assert client.get(f"/tasks/{task_id}").json() == queued
        assert client.get("/tasks/no-such-task").status_code == 404
    work()
    done = wait_for_status(server, task_id, "done")
    assert done == {"id": task_id, "status": "done", "attempts": 1, "error": None}


def test_a_running_task_is_seen_running(
    serve: Serve, work: Work, broker: str, barrier: Barrier
) -> None:
    server, _ = serve("gunicorn"), work()
    task_id = submit(server, port=barrier.port)
    barrier.wait_for_arrivals()
    assert server.get(f"/tasks/{task_id}").json()["status"] == "running"
    barrier.release()
    wait_for_status(server, task_id, "done")


def test_a_task_that_fails_is_tried_again_until_it_has_failed_for_good(
    serve: Serve, work: Work, broker: str
) -> None:
    server, worker = serve("gunicorn"), work()
    failing, succeeding = submit(server, fail=True), submit(server)
    wait_for_status(server, succeeding, "done")
    failed = wait_for_status(server, failing, "failed")
    assert failed == {
        "id": failing,
        "status": "failed",
        "attempts": 5,
        "error": "ValueError: on purpose",
    }
    worker.wait_until(lambda: attempts(failing, worker) == [1, 2, 3, 4, 5], 5, "its log")


@pytest.mark.parametrize("broker", [RABBITMQ_ALONE], indirect=True)
def test_without_records_only_the_log_tells(serve: Serve, work: Work, broker: str) -> None:
    server, worker = serve("gunicorn"), work()
    failing, succeeding = submit(server, fail=True), submit(server)
    assert server.get("/readyz").status_code == 200
    answer = server.get(f"/tasks/{succeeding}")
    assert answer.status_code == 503
    assert answer.json()["detail"] == "tasks are not recorded, since TASK_RECORDS_URL is not set"
    worker.wait_for_log(lambda line: "task failed for good" in line and failing in line, 20)
    assert worker.stop() == 0
    assert attempts(failing, worker) == [1, 2, 3, 4, 5]
    assert traced("begun", worker)[succeeding] == 1


def test_payloads_are_not_logged(serve: Serve, work: Work, broker: str) -> None:
    server, worker = serve("gunicorn"), work(LOG_LEVEL="debug")
    wait_for_status(server, submit(server, password="correct horse"), "done")
    worker.stop()
    server.stop()
    assert "correct horse" not in worker.log + server.log


def test_no_json_is_taken_for_more_than_that(serve: Serve, work: Work, broker: str) -> None:
    server, worker = serve("gunicorn"), work()
    celerys_own = {"__type__": "uuid", "__value__": "horse"}
    accepted = [submit(server, **celerys_own), submit(server, nested=[celerys_own])]
    for task_id in accepted:
        wait_for_status(server, task_id, "done")
    worker.stop()
    assert "horse" not in worker.log


def test_a_payload_that_is_too_large_is_refused(settings: Settings) -> None:
    queue = CeleryTaskQueue(settings)
    with pytest.raises(PayloadError):
        queue.submit({"text": "x" * MAX_PAYLOAD_BYTES})


# What happens to a message


@pytest.fixture
def records(settings: Settings) -> TaskRecords:
    """The records of tasks."""
    return create_records(settings.records_url)


def work_on_again(task_id: str, records: TaskRecords, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Deliver a task; return whether its work was done."""
    handled: list[Task] = []
    monkeypatch.setattr(tasks, "handle_task", handled.append)
    work_on(task_id, 1, {}, records, send_again=lambda pause: None)
    return bool(handled)


def test_a_task_that_comes_again_after_its_end_is_not_done_again(
    records: TaskRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    records.add("some-task")
    assert work_on_again("some-task", records, monkeypatch)
    assert not work_on_again("some-task", records, monkeypatch)


def test_a_task_that_kills_its_worker_each_time_fails(
    records: TaskRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    records.add("some-task")
    for _ in range(MAX_ATTEMPTS):
        records.begin("some-task", sent=1)  # and the worker dies
    assert not work_on_again("some-task", records, monkeypatch)
    task = records.get("some-task")
    assert task is not None
    problem = "its worker has died in each of 5 attempts"
    assert (task.status, task.attempts, task.error) == ("failed", 5, problem)


def test_whatever_a_task_raises_counts_as_a_failure(
    records: TaskRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(task: Task) -> None:
        raise ValueError("lone \ud800")

    monkeypatch.setattr(tasks.logger, "disabled", True)  # xdist cannot carry a lone surrogate
    monkeypatch.setattr(tasks, "handle_task", fail)
    records.add("some-task")
    pauses: list[float] = []
    for sent in range(1, MAX_ATTEMPTS + 1):
        work_on("some-task", sent, {}, records, pauses.append)
    task = records.get("some-task")
    assert task is not None
    assert (task.status, task.error) == ("failed", "ValueError: lone \\ud800")
    assert pauses == [1, 2, 4, 8]


@contextmanager
def consuming(settings: Settings) -> Iterator[Any]:
    """A connection that a worker would take tasks from."""
    celery = create_celery(settings)
    with celery.connection_for_read() as connection:
        celery.amqp.TaskConsumer(connection, callbacks=[lambda body, message: None]).consume()
        yield connection


def test_a_worker_that_is_killed_as_it_takes_a_task_does_not_lose_it(
    settings: Settings, redis_url: str
) -> None:
    CeleryTaskQueue(settings).submit({})
    with redis.Redis.from_url(redis_url) as client, consuming(settings) as connection:
        connection.transport.cycle.on_poll_start()  # asks for a task; nobody reads the answer
        for _ in tries(5):
            if client.llen(QUEUE) == 0:
                break
        assert (client.llen(QUEUE), client.hlen(UNACKED)) == (0, 1)


def test_only_tasks_that_nobody_claims_any_more_are_given_to_others(
    settings: Settings, redis_url: str
) -> None:
    CeleryTaskQueue(settings).submit({})
    with (
        redis.Redis.from_url(redis_url) as client,
        consuming(settings) as holder,
        consuming(settings) as other,
    ):
        holder.drain_events(timeout=5)
        [tag] = client.hkeys(UNACKED)
        client.zadd(f"{UNACKED}_index", {tag: 0})
        holder.default_channel.qos.restore_visible()  # renews its claim
        other.default_channel.qos.restore_visible()
        assert (client.llen(QUEUE), client.hlen(UNACKED)) == (0, 1)
        client.zadd(f"{UNACKED}_index", {tag: 0})
        other.default_channel.qos.restore_visible()
        assert (client.llen(QUEUE), client.hlen(UNACKED)) == (1, 0)


def test_a_worker_that_stops_renews_its_claims_once_more(
    settings: Settings, redis_url: str
) -> None:
    CeleryTaskQueue(settings).submit({})
    with redis.Redis.from_url(redis_url) as client, consuming(settings) as holder:
        holder.drain_events(timeout=5)
        [tag] = client.hkeys(UNACKED)
        client.zadd(f"{UNACKED}_index", {tag: 1})
        [consumer_tag] = holder.default_channel._consumers
        holder.default_channel.basic_cancel(consumer_tag)
        assert client.zscore(f"{UNACKED}_index", tag) > time.time() - 60


def test_a_message_that_no_queue_takes_is_not_accepted(
    settings: Settings, rabbitmq_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_URL", rabbitmq_url)
    queue = CeleryTaskQueue(load_settings())
    queue.submit({})
    with kombu.Connection(rabbitmq_url) as connection:
        connection.default_channel.queue_delete(QUEUE)
    with pytest.raises(QueueUnavailableError):
        queue.submit({})
    queue.check_broker()  # which readiness does all the time
    queue.submit({})
    queue.close()


# Settings

EITHER = "redis://host:6379/0 or amqp://user:password@host:5672/"


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        (
            {"BROKER_URL": "mysql://user:secret@host/"},
            f"wrong setting: BROKER_URL: must look like {EITHER}",
        ),
        (
            {"BROKER_URL": "redis://user:secret@host:port/0"},
            f"wrong setting: BROKER_URL: must look like {EITHER}",
        ),
        (
            {"TASK_RECORDS_URL": "amqp://user:secret@host//"},
            "wrong setting: TASK_RECORDS_URL: must look like redis://host:6379/0",
        ),
        (
            {"WORKER_CONCURRENCY": "0"},
            "wrong setting: WORKER_CONCURRENCY: Input should be greater than or equal to 1",
        ),
    ],
)
def test_a_wrong_setting_is_named_without_its_secret(
    variables: dict[str, str],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match="3"):
        load_settings()
    assert capsys.readouterr().err == f"{line}\n"


def test_workers_have_the_budget_of_the_service_but_no_drain() -> None:
    settings = load_settings(
        shutdown_grace_seconds=40,
        shutdown_drain_seconds=4,
        shutdown_request_seconds=20,
        shutdown_cleanup_seconds=6,
    )
    assert worker_budget(settings) == Budget.derive(40, drain=0, requests=20, cleanup=10)


def test_a_claim_outlasts_every_stop() -> None:
    for grace in (5, 30, 3600):
        settings = load_settings(
            broker_url="redis://host/0",
            shutdown_grace_seconds=grace,
            shutdown_drain_seconds=0,
            shutdown_request_seconds=1,
            shutdown_cleanup_seconds=1,
        )
        options = configuration(settings)["broker_transport_options"]
        assert options["visibility_timeout"] >= grace
        assert options["unacked_restore_interval"] < options["visibility_timeout"] / 2


def test_nothing_but_json_is_accepted(settings: Settings) -> None:
    assert configuration(settings)["accept_content"] == ["json"]


# How a worker stops


@pytest.mark.shutdown
@EVERY_BROKER
def test_a_running_task_is_finished_before_the_worker_ends(
    serve: Serve, work: Work, broker: str, barrier: Barrier
) -> None:
    server, worker = serve("gunicorn"), work(WORKER_CONCURRENCY="1")
    running, waiting = submit(server, port=barrier.port), submit(server)
    barrier.wait_for_arrivals()
    worker.signal(signal.SIGTERM)
    worker.wait_for_log("taking no more tasks")
    barrier.release()
    assert worker.wait() == 0
    [report] = worker.reports
    assert report["reason"] == "SIGTERM"
    assert report["hooks"][-1]["details"] == {"done": 1, "handed_back": 0}
    assert traced("ended", worker) == {running: 1}
    other = work(WORKER_CONCURRENCY="1")
    other.wait_until(lambda: bool(traced("ended", other)), 20, "the task that waited")
    assert traced("begun", other) == {waiting: 1}


@pytest.mark.shutdown
def test_a_task_that_outlasts_the_stop_is_handed_back(
    serve: Serve, work: Work, broker: str, barrier: Barrier
) -> None:
    server = serve("gunicorn")
    worker = work(SHUTDOWN_REQUEST_SECONDS="0.5", SHUTDOWN_CLEANUP_SECONDS="5")
    task_id = submit(server, port=barrier.port)
    barrier.wait_for_arrivals()
    assert worker.stop() == 0
    [report] = worker.reports
    assert report["hooks"][-1]["details"] == {"done": 0, "handed_back": 1}
    interrupted = server.get(f"/tasks/{task_id}").json()
    assert (interrupted["status"], interrupted["attempts"]) == ("queued", 0)
    work()
    barrier.wait_for_arrivals()
    barrier.release()
    assert wait_for_status(server, task_id, "done")["attempts"] == 1


@pytest.mark.shutdown
def test_a_second_interrupt_forces_the_end(
    serve: Serve, work: Work, broker: str, barrier: Barrier
) -> None:
    server, worker = serve("gunicorn"), work()
    submit(server, port=barrier.port)
    barrier.wait_for_arrivals()
    worker.signal(signal.SIGINT)
    worker.wait_for_log("signal received")
    begun = time.monotonic()
    worker.signal(signal.SIGINT)
    assert worker.wait() == 1
    assert time.monotonic() - begun < 3


@pytest.mark.shutdown
def test_hooks_run_around_the_tasks_of_a_worker(serve: Serve, work: Work) -> None:
    server, worker = serve("gunicorn"), work(PROBE_HOOKS="first,async,last")
    wait_for_status(server, submit(server), "done")
    assert worker.stop() == 0
    [report] = worker.reports
    assert [hook["name"] for hook in report["hooks"]] == ["tasks", "last", "async", "first"]


@pytest.mark.shutdown
def test_a_failing_hook_shows_in_the_exit_code_of_a_worker(work: Work) -> None:
    worker = work(PROBE_HOOKS="failing")
    assert worker.stop() == 1
    assert worker.reports[0]["problems"] == ["hook 'failing' failed"]


@pytest.mark.parametrize(
    ("broker", "pattern", "wrong", "why"),
    [
        ("redis", "//", "//nobody:wrong@", "invalid username-password pair"),
        (RABBITMQ_ALONE, "//.*@", "//nobody:wrong@", "ACCESS_REFUSED"),
        (RABBITMQ_ALONE, "/*$", "/no-such-host", "vhost no-such-host not found"),
    ],
    indirect=["broker"],
)
def test_a_worker_that_its_broker_refuses_says_so_in_one_line(
    broker: str, pattern: str, wrong: str, why: str
) -> None:
    url = re.sub(pattern, wrong, os.environ["BROKER_URL"], count=1)
    worker = WorkerProcess({**BUDGET, "BROKER_URL": url})
    assert worker.wait_for_refusal() == 3
    [line] = worker.log.splitlines()
    assert "wrong setting: BROKER_URL: the broker refuses it: " in line
    assert why in line


@pytest.mark.shutdown
@pytest.mark.parametrize("own_broker", ["redis"], indirect=True)
def test_a_worker_that_celery_ends_does_not_report_a_clean_stop(
    serve: Serve, work: Work, own_broker: Redis
) -> None:
    server, worker = serve("gunicorn"), work()
    submit(server)
    with redis.Redis.from_url(own_broker.url) as client:
        client.config_set("maxmemory", 1)
    assert worker.wait() == 1
    assert worker.reports[0]["reason"] == "server stopped"
    assert worker.reports[0]["problems"] == ["hook 'tasks' failed"]


@pytest.mark.shutdown
def test_a_worker_stops_clean_when_it_is_hung_up(work: Work) -> None:
    worker = work()
    worker.signal(signal.SIGHUP)
    assert worker.wait() == 0
    assert worker.reports[0]["reason"] == "SIGTERM"


@pytest.mark.shutdown
def test_a_worker_whose_hook_does_not_start_takes_no_task(serve: Serve) -> None:
    server = serve("gunicorn")
    task_id = submit(server)
    worker = WorkerProcess({**BUDGET, "PROBE_HOOKS": "not starting"})
    assert worker.wait_for_refusal() == 3
    assert "hook 'not starting' did not start: RuntimeError: broken on purpose" in worker.log
    assert "Traceback" not in worker.log
    assert server.get(f"/tasks/{task_id}").json()["status"] == "queued"


@pytest.mark.shutdown
def test_the_health_check_tells_whether_a_worker_listens(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-m", worker_health.__name__]
    worker = work()
    assert subprocess.run(command, cwd=PROJECT).returncode == 0
    worker.stop()
    dead = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert (dead.returncode, dead.stderr) == (1, f"no worker has touched {tmp_path}/heartbeat\n")


def test_a_worker_that_is_silent_for_long_is_not_well(tmp_path: Path) -> None:
    heartbeat = tmp_path / "heartbeat"
    heartbeat.touch()
    assert worker_health.problem(heartbeat) is None
    os.utime(heartbeat, (time.time() - 31,) * 2)
    assert worker_health.problem(heartbeat) == f"no heartbeat in {heartbeat} for 31 s"


# What was accepted is done


def kill_children(worker: WorkerProcess) -> None:
    """Kill the processes that do the tasks."""
    for pid in children_of(worker.pid):
        os.kill(pid, signal.SIGKILL)


ENDS: dict[str, Callable[[WorkerProcess], None]] = {
    "TERM": lambda worker: worker.signal(signal.SIGTERM),
    "the worker is killed": lambda worker: worker.signal(signal.SIGKILL),
    "its children are killed": kill_children,
}


# A claim outlasts the grace period, but is 10 s at least.
SOON = {"SHUTDOWN_GRACE_SECONDS": "9"}


@pytest.mark.shutdown
@EVERY_BROKER
@pytest.mark.parametrize("end", ["the worker is killed", "its children are killed"])
def test_a_task_comes_again_when_its_process_is_killed(
    serve: Serve, work: Work, broker: str, barrier: Barrier, end: str
) -> None:
    server, worker = serve("gunicorn"), work(**SOON)
    task_id = submit(server, port=barrier.port)
    barrier.wait_for_arrivals()
    ENDS[end](worker)
    if end == "its children are killed":
        worker.wait_for_log(lambda line: "its process died" in line and task_id in line)
    work(**SOON)
    barrier.wait_for_arrivals(timeout=20)
    barrier.release()


@pytest.mark.shutdown
def test_a_task_that_ends_its_own_process_is_named_and_fails_at_last(
    serve: Serve, work: Work, broker: str
) -> None:
    server, worker = serve("gunicorn"), work()
    task_id = submit(server, exit=True)
    worker.wait_for_log(lambda line: "its process died" in line and task_id in line)
    assert wait_for_status(server, task_id, "failed")["attempts"] == MAX_ATTEMPTS


@pytest.mark.shutdown
@EVERY_BROKER
@pytest.mark.parametrize("end", ENDS)
def test_every_accepted_task_is_done(serve: Serve, work: Work, broker: str, end: str) -> None:
    server, first = serve("gunicorn"), work(**SOON)
    with ThreadPoolExecutor(4) as clients:
        submitting = [clients.submit(submit, server) for _ in range(200)]
        first.wait_until(lambda: len(traced("ended", first)) >= 20, 20, "some tasks")
        ENDS[end](first)
        accepted = {each.result() for each in submitting}
    workers = [first]
    if end != "its children are killed":
        first.wait()
        workers.append(work(**SOON))
    workers[-1].wait_until(lambda: accepted <= traced("ended", *workers).keys(), 40, "all tasks")
    if end == "TERM":
        assert max(traced("begun", *workers).values()) == 1, "none is begun twice"


@pytest.mark.shutdown
@pytest.mark.parametrize("broker", [RABBITMQ_ALONE], indirect=True)
def test_a_worker_that_stops_amid_many_tasks_does_none_twice(
    serve: Serve, work: Work, broker: str
) -> None:
    server = serve("gunicorn")
    with ThreadPoolExecutor(4) as clients:
        accepted = set(clients.map(lambda _: submit(server), range(300)))
    # Many processes, so that there are tasks of which the worker does not know yet that they began.
    first = work(WORKER_CONCURRENCY="8")
    first.wait_until(lambda: len(traced("ended", first)) >= 20, 20, "some tasks")
    assert first.stop() == 0
    other = work()
    other.wait_until(lambda: accepted <= traced("ended", first, other).keys(), 20, "all tasks")
    assert max(traced("begun", first, other).values()) == 1


@pytest.mark.shutdown
@EVERY_BROKER
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_what_a_server_has_accepted_is_done_after_its_end(
    serve: Serve, work: Work, broker: str, signum: signal.Signals
) -> None:
    server = serve("gunicorn", workers=2)
    enough = threading.Event()

    def submit_until_refused() -> set[str]:
        accepted: set[str] = set()
        while True:
            try:
                accepted.add(submit(server))
            except httpx.TransportError:
                return accepted
            if len(accepted) == 20:
                enough.set()

    with ThreadPoolExecutor(4) as clients:
        submitting = [clients.submit(submit_until_refused) for _ in range(4)]
        assert enough.wait(20)
        server.signal(signum)
        accepted = set().union(*(each.result() for each in submitting))
    worker = work()
    worker.wait_until(lambda: accepted <= traced("ended", worker).keys(), 20, "all tasks")
    assert max(traced("begun", worker).values()) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can end a child with its parent")
@pytest.mark.shutdown
def test_the_processes_of_a_killed_worker_end_with_it(
    serve: Serve, work: Work, barrier: Barrier
) -> None:
    server, worker = serve("gunicorn"), work(WORKER_CONCURRENCY="2")
    submit(server, port=barrier.port)
    barrier.wait_for_arrivals()
    children = [os.pidfd_open(pid) for pid in children_of(worker.pid)]
    assert len(children) == 2
    worker.signal(signal.SIGKILL)
    for child in children:
        ended, _, _ = select.select([child], [], [], 5)
        assert ended, "one goes on with its task, which the broker gives to others, too"
        os.close(child)


# Brokers that go down


def wait_for_readiness(server: ServerProcess, code: int) -> httpx.Response:
    """Wait until that is what the server says of itself."""
    for _ in tries(20):
        if (response := server.get("/readyz")).status_code == code:
            return response
    raise AssertionError(response.text)


def assert_refused_quickly(server: ServerProcess) -> None:
    begun = time.monotonic()
    with server.client() as client:
        response = client.post("/tasks", json={})
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    assert time.monotonic() - begun < QUICKLY


@pytest.mark.shutdown
def test_a_broker_that_is_killed_under_load_loses_nothing(
    serve: Serve, work: Work, own_broker: Service
) -> None:
    server, worker = serve("gunicorn"), work(**SOON)
    accepted, refused = set(), 0
    down, stop = threading.Event(), threading.Event()

    def load() -> tuple[set[str], int]:
        accepted: set[str] = set()
        refused = 0
        with server.client() as client:
            while not stop.wait(0.01):
                response = client.post("/tasks", json={})
                if response.status_code == 202:
                    accepted.add(response.json()["id"])
                else:
                    assert response.status_code == 503, response.text
                    refused += 1
                    down.set()
        return accepted, refused

    with ThreadPoolExecutor(4) as clients:
        loads = [clients.submit(load) for _ in range(4)]
        try:
            worker.wait_until(lambda: len(traced("ended", worker)) >= 20, 20, "some tasks")
            own_broker.stop(signal.SIGKILL)
            assert down.wait(20)
            assert "no answer: broker" in wait_for_readiness(server, 503).json()["status"]
            own_broker.start()
            wait_for_readiness(server, 200)
            before = len(traced("ended", worker))
            worker.wait_until(lambda: len(traced("ended", worker)) >= before + 20, 60, "more tasks")
        finally:
            stop.set()
        for each in loads:
            some, few = each.result()
            accepted |= some
            refused += few
    assert refused
    worker.wait_until(lambda: accepted <= traced("ended", worker).keys(), 60, "all tasks")
    assert worker.stop() == 0


@pytest.mark.shutdown
def test_a_broker_that_hangs_does_not_hang_requests(serve: Serve, own_broker: Service) -> None:
    server = serve("gunicorn")
    submit(server)
    own_broker.freeze()
    assert_refused_quickly(server)
    begun = time.monotonic()
    assert server.get("/readyz").status_code == 503
    assert time.monotonic() - begun < QUICKLY
    own_broker.thaw()
    wait_for_readiness(server, 200)
    submit(server)


@pytest.mark.parametrize("broker", ["rabbitmq"], indirect=True)
def test_records_that_are_down_are_named(
    serve: Serve, broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with reserved_port() as nobody_listens:
        monkeypatch.setenv("TASK_RECORDS_URL", f"redis://127.0.0.1:{nobody_listens}/0")
        server = serve("gunicorn")
        reasons = (server.get("/readyz").json()["status"] for _ in tries(20))
        assert "no answer: task records" in reasons, "the broker may be slow at first"
        assert_refused_quickly(server)


def test_the_check_of_a_broker_that_hangs_does_not_keep_its_thread(own_broker: Service) -> None:
    queue = CeleryTaskQueue(load_settings())
    queue.check_broker()
    own_broker.freeze()
    with ThreadPoolExecutor(1) as thread:
        checking = thread.submit(queue.check_broker)
        try:
            assert checking.exception(QUICKLY)
        finally:
            own_broker.thaw()
    queue.close()


@pytest.mark.shutdown
@pytest.mark.parametrize("outage", ["killed", "frozen"])
def test_a_stop_while_the_broker_is_down_stays_inside_the_budget(
    serve: Serve, work: Work, own_broker: Service, barrier: Barrier, outage: str
) -> None:
    budget = Budget.derive(
        drain=0,
        requests=float(BUDGET["SHUTDOWN_REQUEST_SECONDS"]),
        cleanup=float(BUDGET["SHUTDOWN_CLEANUP_SECONDS"]),
    )
    server, worker = serve("gunicorn"), work()
    submit(server, port=barrier.port)
    barrier.wait_for_arrivals()
    if outage == "killed":
        own_broker.stop(signal.SIGKILL)
    else:
        own_broker.freeze()
    assert_refused_quickly(server)
    begun = time.monotonic()
    for process in (server, worker):
        process.signal(signal.SIGTERM)
    assert server.wait() == 0
    worker.wait()
    assert time.monotonic() - begun < budget.deadline + budget.margin
    assert len(worker.reports) == 1

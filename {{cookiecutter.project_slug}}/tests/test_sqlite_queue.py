"""The queue in its file, shared by processes that end in every way, and the thread on it."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from queue import SimpleQueue

import pytest

from {{ cookiecutter.package_name }} import queue_file, sqlite_queue, task_thread, tasks
from {{ cookiecutter.package_name }}.lifecycle import Budget, Lifecycle, background
from {{ cookiecutter.package_name }}.queue_file import QueueFileError, refuse_damage
from {{ cookiecutter.package_name }}.sqlite_queue import SqliteTaskQueue
from {{ cookiecutter.package_name }}.task_thread import TaskThread
from {{ cookiecutter.package_name }}.tasks import (
    MAX_ATTEMPTS,
    QueueUnavailableError,
    Task,
    TaskQueue,
    retry_pause,
)

from .servers import PROJECT
from .threads import in_thread

OTHER_PROCESS = """
import sys
from pathlib import Path
from {{ cookiecutter.package_name }}.sqlite_queue import SqliteTaskQueue

queue = SqliteTaskQueue(Path(sys.argv[1]))
queue.open()
"""
TAKE_ALL = """
while task := queue.take():
    print(task.id, flush=True)
    queue.acknowledge(task)
"""
TAKE_ONE_AND_WAIT = """
print(queue.take().id, flush=True)
sys.stdin.read()
"""
SUBMIT_WHEN_TOLD = """
print("open", flush=True)
sys.stdin.readline()
queue.submit({})
sys.stdin.read()
"""

Open = Callable[[], SqliteTaskQueue]


@pytest.fixture
def open_queue(task_queue_path: Path) -> Iterator[Open]:
    """Opens the queue, as one more process would; all are closed at the end."""
    queues: list[SqliteTaskQueue] = []

    def open_one_more() -> SqliteTaskQueue:
        queue = SqliteTaskQueue(task_queue_path)
        queue.open()
        queues.append(queue)
        return queue

    yield open_one_more
    for queue in queues:
        queue.close()


@pytest.fixture
def queue(open_queue: Open) -> SqliteTaskQueue:
    """The queue."""
    return open_queue()


@pytest.fixture
def pipes(task_queue_path: Path) -> Path:
    """Where each process that has the queue open has its pipe."""
    return task_queue_path.with_name(f"{task_queue_path.name}-processes")


def other_process(path: Path, code: str) -> subprocess.Popen[str]:
    """Another process that has the queue open, until it is told to end."""
    return subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS + code, str(path)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def first_line(process: subprocess.Popen[str]) -> str:
    """What it has printed."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def end(process: subprocess.Popen[str], signum: int = signal.SIGTERM) -> None:
    """End it, and wait for that."""
    process.send_signal(signum)
    process.communicate(timeout=10)


def take(queue: SqliteTaskQueue) -> Task:
    """Take a task that must be there."""
    task = queue.take()
    assert task is not None
    return task


def take_and_leave(path: Path) -> None:
    """As a process that takes a task and is gone before the end of it, without a trace."""
    leaving = SqliteTaskQueue(path)
    leaving.open()
    take(leaving)
    leaving.close()


def status(queue: TaskQueue, task_id: str) -> tuple[str, int, str | None]:
    """What has become of a task."""
    task = queue.get(task_id)
    assert task is not None
    return task.status, task.attempts, task.error


# Taking, and what may follow


def test_tasks_are_taken_in_order_with_their_payload(queue: SqliteTaskQueue) -> None:
    payloads = [{"number": number, "text": "ü\ud800\0"} for number in range(3)]
    ids = [queue.submit(payload).id for payload in payloads]
    taken = [take(queue) for _ in ids]
    assert [task.id for task in taken] == ids
    assert [task.payload for task in taken] == payloads
    assert {(task.status, task.attempts) for task in taken} == {("running", 1)}
    assert queue.take() is None


def test_tasks_that_were_stored_together_are_taken_in_order(
    queue: SqliteTaskQueue, task_queue_path: Path
) -> None:
    other = sqlite3.connect(task_queue_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = [queue.enqueue({}) for _ in range(5)]
    other.close()
    submitted = [each.result(5).id for each in waiting]
    assert [take(queue).id for _ in submitted] == submitted


def test_an_acknowledged_task_is_done(queue: SqliteTaskQueue) -> None:
    task_id = queue.submit({}).id
    queue.acknowledge(take(queue))
    assert status(queue, task_id) == ("done", 1, None)
    assert queue.counts() == {"queued": 0, "running": 0, "done": 1, "failed": 0}


def test_a_task_that_failed_waits_for_a_growing_pause(queue: SqliteTaskQueue) -> None:
    task_id = queue.submit({}).id
    queue.fail(take(queue), "broken")
    assert status(queue, task_id) == ("queued", 1, "broken")
    assert queue.take() is None
    due = queue.seconds_until_due()
    assert due is not None
    assert 0.5 < due <= 1
    assert [retry_pause(attempts) for attempts in range(1, MAX_ATTEMPTS)] == [1, 2, 4, 8]


def test_a_task_that_fails_each_time_is_kept_with_its_error(
    queue: SqliteTaskQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "FIRST_RETRY_SECONDS", 0)
    task_id = queue.submit({}).id
    for attempt in range(MAX_ATTEMPTS):
        queue.fail(take(queue), f"broken {attempt}")
    assert status(queue, task_id) == ("failed", 5, "broken 4")
    assert queue.take() is None
    assert queue.counts()["failed"] == 1


def test_a_task_that_was_handed_back_is_as_if_never_taken(queue: SqliteTaskQueue) -> None:
    task_id = queue.submit({}).id
    task = take(queue)
    assert queue.hand_back(task)
    assert status(queue, task_id) == ("queued", 0, None)
    assert not queue.hand_back(task)


def test_another_process_hears_at_once_of_a_task_that_was_handed_back(open_queue: Open) -> None:
    one, other = open_queue(), open_queue()
    woken = threading.Semaphore(0)
    other.subscribe(woken.release)
    one.submit({})
    assert woken.acquire(timeout=5)
    one.hand_back(take(one))
    assert woken.acquire(timeout=5), "it waits until others look for it"


def test_who_has_lost_the_lease_cannot_end_the_task(open_queue: Open) -> None:
    one, other = open_queue(), open_queue()
    task_id = one.submit({}).id
    task = take(one)
    one.hand_back(task)
    take(other)
    one.acknowledge(task)
    one.fail(task, "too late")
    assert status(one, task_id) == ("running", 1, None)


def test_done_tasks_are_forgotten_after_an_hour_and_failed_ones_after_a_week(
    queue: SqliteTaskQueue, task_queue_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, failed = queue.submit({}).id, queue.submit({}).id
    queue.acknowledge(take(queue))
    monkeypatch.setattr(tasks, "MAX_ATTEMPTS", 1)
    queue.fail(take(queue), "broken")
    waiting = queue.submit({}).id

    def known_after(seconds: float) -> list[str]:
        with contextlib.closing(sqlite3.connect(task_queue_path)) as file, file:
            file.execute("UPDATE tasks SET finished = ?", (time.time() - seconds,))
        queue.tidy()
        return [task_id for task_id in (done, failed, waiting) if queue.get(task_id)]

    hour, week = 3600, 7 * 24 * 3600
    assert known_after(0.9 * hour) == [done, failed, waiting]
    assert known_after(1.1 * hour) == [failed, waiting]
    assert known_after(0.9 * week) == [failed, waiting]
    assert known_after(1.1 * week) == [waiting]
    assert queue.counts() == {"queued": 1, "running": 0, "done": 0, "failed": 0}


def test_no_task_waits_for_long_because_the_clock_was_set_back(
    queue: SqliteTaskQueue, task_queue_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "FIRST_RETRY_SECONDS", 60.0)
    queue.submit({})
    queue.fail(take(queue), "broken")
    queue.tidy()
    assert queue.take() is None, "its pause is not over"
    with contextlib.closing(sqlite3.connect(task_queue_path)) as file, file:
        file.execute("UPDATE tasks SET due = due + 3600")
    queue.tidy()
    assert take(queue).attempts == 2


@pytest.fixture
def five_old_tasks(queue: SqliteTaskQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks that ended long ago, of which two at a time are forgotten."""
    for future in [queue.enqueue({}) for _ in range(5)]:
        future.result()
    for _ in range(5):
        queue.acknowledge(take(queue))
    monkeypatch.setattr(sqlite_queue, "KEEP_SECONDS", {"done": -1, "failed": -1})
    monkeypatch.setattr(sqlite_queue, "FORGET_AT_ONCE", 2)


def test_old_tasks_are_forgotten_a_few_at_a_time(
    queue: SqliteTaskQueue, five_old_tasks: None
) -> None:
    seen = [(queue.tidy(), queue.counts()["done"]) for _ in range(3)]
    assert seen == [(True, 3), (True, 1), (False, 0)]


def test_opening_the_queue_does_not_wait_until_old_tasks_are_forgotten(
    open_queue: Open, five_old_tasks: None
) -> None:
    assert open_queue().counts()["done"] == 5


def test_the_queue_holds_as_many_tasks_as_it_should(task_queue_path: Path) -> None:
    queue = SqliteTaskQueue(task_queue_path, max_queued=2)
    queue.open()
    submitted = [queue.enqueue({}) for _ in range(3)]
    assert [submission.exception() is None for submission in submitted] == [True, True, False]
    take(queue)
    queue.submit({})
    with pytest.raises(QueueUnavailableError, match=r"^the task queue: 2 tasks are waiting$"):
        queue.submit({})
    queue.close()


# The file


def test_the_file_and_its_folder_are_private(
    queue: SqliteTaskQueue, task_queue_path: Path, pipes: Path
) -> None:
    queue.submit({})
    files = [file for file in task_queue_path.parent.iterdir() if file.is_file()]
    assert len(files) == 3  # with the log and its index
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert pipes.stat().st_mode & 0o777 == 0o700


def test_each_commit_is_synced_to_the_disk(queue: SqliteTaskQueue) -> None:
    with queue._accepting as sql:
        assert sql.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert sql.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_a_locked_file_is_not_waited_for_longer_than_clients_wait(queue: SqliteTaskQueue) -> None:
    with queue._accepting as sql:
        [milliseconds] = sql.execute("PRAGMA busy_timeout").fetchone()
    assert milliseconds < 5000


def open_file(path: Path) -> None:
    """Open the queue, which fails."""
    SqliteTaskQueue(path).open()


def test_a_file_that_is_no_queue_is_refused_and_left_alone(task_queue_path: Path) -> None:
    task_queue_path.write_bytes(b"my diary, which happens to be here" * 1000)
    before = task_queue_path.read_bytes()
    with pytest.raises(QueueFileError, match=r"^TASK_QUEUE_PATH, .*: file is not a database$"):
        open_file(task_queue_path)
    assert task_queue_path.read_bytes() == before


def test_another_programs_database_is_refused_and_left_alone(task_queue_path: Path) -> None:
    other = sqlite3.connect(task_queue_path)
    other.execute("CREATE TABLE diary (day TEXT)")
    other.close()
    before = task_queue_path.read_bytes()
    with pytest.raises(QueueFileError, match="this is another program's database"):
        open_file(task_queue_path)
    assert task_queue_path.read_bytes() == before


def test_a_newer_versions_file_is_refused_and_left_alone(
    open_queue: Open, task_queue_path: Path
) -> None:
    task_id = open_queue().submit({}).id
    newer = sqlite3.connect(task_queue_path)
    newer.execute("PRAGMA user_version = 2")
    newer.close()
    with pytest.raises(QueueFileError, match=r"a newer version \(2\) of this service"):
        open_file(task_queue_path)
    newer = sqlite3.connect(task_queue_path)
    assert newer.execute("SELECT id FROM tasks").fetchall() == [(task_id,)]
    newer.close()


@pytest.fixture
def damaged_file(task_queue_path: Path) -> bytearray:
    """A queue of 200 tasks, of which one page was overwritten."""
    queue = SqliteTaskQueue(task_queue_path)
    queue.open()
    for future in [queue.enqueue({"text": "x" * 500}) for _ in range(200)]:
        future.result()
    queue.close()
    content = bytearray(task_queue_path.read_bytes())
    content[-8192:-4096] = b"\xff" * 4096
    task_queue_path.write_bytes(content)
    return content


def test_a_damaged_file_is_refused_and_left_alone(
    damaged_file: bytearray, task_queue_path: Path
) -> None:
    with pytest.raises(QueueFileError, match=r"damaged|malformed"):
        open_file(task_queue_path)
    assert task_queue_path.read_bytes() == damaged_file


def test_a_large_file_is_opened_without_a_look_at_all_of_it(
    damaged_file: bytearray, open_queue: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_file, "CHECKED_PAGES", len(damaged_file) // 4096 - 1)
    assert open_queue().counts()["queued"] == 200


def test_a_file_that_cannot_be_looked_at_is_not_taken_for_sound(tmp_path: Path) -> None:
    path = tmp_path / "locked.sqlite3"
    sql = sqlite3.connect(path, timeout=0)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        refuse_damage(sql)
    other.close()
    refuse_damage(sql)
    sql.close()


def test_processes_look_at_the_file_at_the_same_time(
    open_queue: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2)

    def look(sql: sqlite3.Connection) -> None:
        both.wait(5)
        refuse_damage(sql)

    monkeypatch.setattr(sqlite_queue, "refuse_damage", look)
    with ThreadPoolExecutor(2) as threads:
        opened = [threads.submit(open_queue) for _ in range(2)]
    assert [future.exception() for future in opened] == [None, None]


def test_a_folder_that_is_not_there_is_named(task_queue_path: Path) -> None:
    path = task_queue_path.parent / "missing" / "tasks.sqlite3"
    with pytest.raises(QueueFileError, match=rf"^TASK_QUEUE_PATH, {path}: No such file"):
        open_file(path)


def test_what_was_accepted_before_the_end_is_stored(task_queue_path: Path) -> None:
    queue = SqliteTaskQueue(task_queue_path)
    queue.open()
    closed = threading.Event()

    def hold_up_the_thread_that_stores() -> None:
        closed.wait(0.1)

    queue.subscribe(hold_up_the_thread_that_stores)
    queue.submit({})
    last = queue.enqueue({})
    queue.close()
    stored = last.done() and last.exception() is None
    closed.set()
    assert stored, "the file was closed before the task was in it"


def test_a_closed_queue_accepts_nothing(task_queue_path: Path) -> None:
    queue = SqliteTaskQueue(task_queue_path)
    with pytest.raises(QueueUnavailableError, match="closed"):
        queue.enqueue({}).result(5)
    queue.open()
    queue.close()
    with pytest.raises(QueueUnavailableError, match="closed"):
        queue.enqueue({}).result(5)


# Several processes


def test_a_living_process_keeps_its_task_and_a_killed_one_does_not(
    queue: SqliteTaskQueue, task_queue_path: Path
) -> None:
    task_id = queue.submit({}).id
    other = other_process(task_queue_path, TAKE_ONE_AND_WAIT)
    assert first_line(other) == task_id
    queue.tidy()
    assert status(queue, task_id) == ("running", 1, None)
    end(other, signal.SIGKILL)
    queue.tidy()
    assert status(queue, task_id) == ("queued", 1, "its process died")
    queue.acknowledge(take(queue))
    assert status(queue, task_id) == ("done", 2, None)


def test_a_task_is_taken_up_though_the_pipe_of_its_process_is_gone_too(
    queue: SqliteTaskQueue, task_queue_path: Path
) -> None:
    task_id = queue.submit({}).id
    take_and_leave(task_queue_path)
    queue.tidy()
    assert status(queue, task_id) == ("queued", 1, "its process died")


def test_a_task_that_kills_each_of_its_processes_is_given_up(
    queue: SqliteTaskQueue, task_queue_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_queue, "MAX_ATTEMPTS", 1)
    task_id = queue.submit({}).id
    other = other_process(task_queue_path, TAKE_ONE_AND_WAIT)
    first_line(other)
    end(other, signal.SIGKILL)
    queue.tidy()
    assert status(queue, task_id) == ("failed", 1, "its process died")
    assert queue.take() is None


def test_a_task_is_told_to_other_processes_at_once(
    queue: SqliteTaskQueue, task_queue_path: Path
) -> None:
    woken = threading.Event()
    queue.subscribe(woken.set)
    other = other_process(task_queue_path, SUBMIT_WHEN_TOLD)
    assert first_line(other) == "open"
    assert not woken.is_set()
    assert other.stdin is not None
    other.stdin.write("go\n")
    other.stdin.flush()
    assert woken.wait(5)
    end(other)


def test_what_a_process_left_that_was_killed_at_its_start_is_removed(
    open_queue: Open, pipes: Path
) -> None:
    open_queue()
    left_behind = pipes / ".left"
    os.mkfifo(left_behind)
    open_queue()
    assert not left_behind.exists()


def test_the_pipes_of_killed_processes_do_not_pile_up(queue: SqliteTaskQueue, pipes: Path) -> None:
    os.mkfifo(pipes / "killed")  # nobody reads from it
    queue._presence.wake_others()
    assert [pipe.name for pipe in pipes.iterdir()] == [queue._presence.name]


def test_a_process_that_is_starting_is_not_taken_for_a_dead_one(
    queue: SqliteTaskQueue, open_queue: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_pipe = os.mkfifo

    def make_pipe_as_others_are_woken_up(path: Path, mode: int) -> None:
        make_pipe(path, mode)
        queue._presence.wake_others()

    monkeypatch.setattr(os, "mkfifo", make_pipe_as_others_are_woken_up)
    starting = open_queue()  # fails if its pipe was removed
    assert queue._presence.is_alive(starting._presence.name)


def test_many_processes_take_each_task_once(queue: SqliteTaskQueue, task_queue_path: Path) -> None:
    ids = [future.result().id for future in [queue.enqueue({"n": n}) for n in range(400)]]
    others = [other_process(task_queue_path, TAKE_ALL) for _ in range(4)]
    taken = [other.communicate(timeout=30)[0].split() for other in others]
    assert sorted(chain.from_iterable(taken)) == sorted(ids)
    assert queue.counts() == {"queued": 0, "running": 0, "done": 400, "failed": 0}


def test_tasks_are_counted_as_they_are(queue: SqliteTaskQueue, task_queue_path: Path) -> None:
    for future in [queue.enqueue({}) for _ in range(20)]:
        future.result()
    queue.acknowledge(take(queue))
    queue.fail(take(queue), "broken")
    queue.hand_back(take(queue))
    take(queue)
    sql = sqlite3.connect(task_queue_path)
    counted = dict(sql.execute("SELECT status, count(*) FROM tasks GROUP BY status"))
    sql.close()
    assert {name: n for name, n in queue.counts().items() if n} == counted
    assert counted == {"queued": 18, "running": 1, "done": 1}


# The thread


@pytest.fixture
def draining() -> threading.Event:
    """Whether the process drains."""
    return threading.Event()


@pytest.fixture
def thread(queue: SqliteTaskQueue, draining: threading.Event) -> Iterator[TaskThread]:
    """A thread that works on the queue, not started."""
    thread = TaskThread(queue, draining=draining.is_set, timeout=5)
    yield thread
    thread.ask_to_stop()
    thread.join(5)


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> SimpleQueue[Task]:
    """The tasks that were begun, in place of the work."""
    begun: SimpleQueue[Task] = SimpleQueue()
    monkeypatch.setattr(tasks, "handle_task", begun.put)
    return begun


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch, begun: SimpleQueue[Task]) -> Iterator[threading.Event]:
    """Holds tasks that have begun, until it is set."""
    gate = threading.Event()

    def handle_task(task: Task) -> None:
        begun.put(task)
        gate.wait(10)

    monkeypatch.setattr(tasks, "handle_task", handle_task)
    yield gate
    gate.set()


def test_a_task_is_picked_up_within_20_ms(
    queue: SqliteTaskQueue, thread: TaskThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: SimpleQueue[float] = SimpleQueue()
    monkeypatch.setattr(tasks, "handle_task", lambda task: begun.put(time.monotonic()))
    thread.start()
    seconds = []
    for _ in range(9):
        queue.submit({})
        accepted = time.monotonic()
        seconds.append(begun.get(timeout=5) - accepted)
    assert statistics.median(seconds) < 0.02  # one of them may meet a busy machine


def test_a_draining_process_begins_no_task(
    queue: SqliteTaskQueue,
    thread: TaskThread,
    draining: threading.Event,
    begun: SimpleQueue[Task],
) -> None:
    thread.handle()  # tidies
    draining.set()
    queue.submit({})  # wakes it up
    thread.handle()
    assert begun.empty()
    assert queue.counts()["queued"] == 1
    draining.clear()
    thread.handle()
    assert begun.get_nowait()


def test_the_thread_forgets_old_tasks_until_none_is_left(
    queue: SqliteTaskQueue,
    thread: TaskThread,
    five_old_tasks: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task_thread, "FORGET_PAUSE_SECONDS", 0)
    left = []
    for _ in range(3):
        thread.handle()
        left.append(queue.counts()["done"])
    assert left == [3, 1, 0]


def test_a_task_does_not_wait_until_all_old_ones_are_forgotten(
    queue: SqliteTaskQueue,
    thread: TaskThread,
    five_old_tasks: None,
    begun: SimpleQueue[Task],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task_thread, "FORGET_PAUSE_SECONDS", 60)
    queue.submit({})
    thread.handle()
    thread.handle()
    assert begun.get_nowait()
    assert queue.counts()["done"] == 4


def test_a_task_is_taken_up_though_nobody_comes_in_place_of_its_dead_process(
    queue: SqliteTaskQueue,
    task_queue_path: Path,
    thread: TaskThread,
    begun: SimpleQueue[Task],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task_thread, "TIDY_SECONDS", 0.01)
    thread.handle()  # the first look
    task_id = queue.submit({}).id
    take_and_leave(task_queue_path)
    thread.start()
    assert begun.get(timeout=5).id == task_id


def test_the_running_task_is_finished_at_a_stop(
    queue: SqliteTaskQueue, thread: TaskThread, begun: SimpleQueue[Task], gate: threading.Event
) -> None:
    thread.start()
    ids = [queue.submit({}).id for _ in range(2)]
    begun.get(timeout=5)
    thread.ask_to_stop()
    gate.set()
    assert thread.stop() == {"done": 1, "handed_back": 0, "remaining": 1}
    assert [status(queue, task_id) for task_id in ids] == [("done", 1, None), ("queued", 0, None)]


def test_a_task_that_takes_longer_is_handed_back_and_nothing_is_lost(
    queue: SqliteTaskQueue, thread: TaskThread, begun: SimpleQueue[Task], gate: threading.Event
) -> None:
    lifecycle = Lifecycle(Budget.derive(30, drain=0, requests=1, cleanup=0.5))
    lifecycle.append(thread)
    in_thread(lifecycle.start)
    task_id = queue.submit({}).id
    begun.get(timeout=5)
    lifecycle.stop()
    report = lifecycle.report
    assert report is not None
    [record] = report.hooks
    assert (record.outcome, record.details["handed_back"]) == ("ok", 1)
    assert report.exit_code == 0
    assert status(queue, task_id) == ("queued", 0, None)


def test_a_task_that_wants_to_end_the_process_only_fails(
    queue: SqliteTaskQueue, thread: TaskThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = threading.Event()

    def exit_at_once(task: Task) -> None:
        tried.set()
        raise SystemExit(7)

    monkeypatch.setattr(tasks, "handle_task", exit_at_once)
    thread.start()
    task_id = queue.submit({}).id
    assert tried.wait(5)
    assert thread.stop()["done"] == 0
    assert status(queue, task_id) == ("queued", 1, "SystemExit: 7")


@pytest.fixture
def unstored(
    open_queue: Open,
    task_queue_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    begun: SimpleQueue[Task],
    gate: threading.Event,
) -> tuple[SqliteTaskQueue, TaskThread, str]:
    """A queue, its thread, and a task that is done, which could not be stored: but now it could."""
    monkeypatch.setattr(queue_file, "LOCK_SECONDS", 0.01)
    failed = threading.Event()
    monkeypatch.setattr(background.logger, "exception", lambda *_, **__: failed.set())
    queue = open_queue()
    thread = TaskThread(queue, draining=lambda: False, timeout=5)
    thread.start()
    task_id = queue.submit({}).id
    begun.get(timeout=5)
    other = sqlite3.connect(task_queue_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    gate.set()
    assert failed.wait(5)
    other.close()
    return queue, thread, task_id


def test_a_result_that_cannot_be_stored_is_stored_before_the_next_task(
    unstored: tuple[SqliteTaskQueue, TaskThread, str], begun: SimpleQueue[Task]
) -> None:
    queue, thread, task_id = unstored
    queue.submit({})
    begun.get(timeout=5)
    assert status(queue, task_id) == ("done", 1, None)
    assert thread.stop() == {"done": 2, "handed_back": 0, "remaining": 0}


def test_a_result_that_cannot_be_stored_is_stored_at_the_stop(
    unstored: tuple[SqliteTaskQueue, TaskThread, str],
) -> None:
    queue, thread, task_id = unstored
    assert thread.stop() == {"done": 1, "handed_back": 0, "remaining": 0}
    assert status(queue, task_id) == ("done", 1, None)

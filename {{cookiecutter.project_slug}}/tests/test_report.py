"""What a stop leaves behind: the stacks of what is stuck, and the end of the process."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from {{ cookiecutter.package_name }}.lifecycle import Budget, Hook, Lifecycle
from {{ cookiecutter.package_name }}.lifecycle.report import stacks
from {{ cookiecutter.package_name }}.serving import finish_worker

from .faults import fail
from .threads import in_thread
from .tries import tries

END = """
import atexit, threading, time
from {{ cookiecutter.package_name }}.lifecycle.report import end_process

def hold():
    time.sleep(60)

atexit.register(print, "first")
if {hang}:
    atexit.register(hold)
atexit.register(print, "last")
threading.Thread(target=hold).start()  # not a daemon: the interpreter would wait for it
print("not flushed", end="; ")
threading.Thread(target=end_process, args=(7, 0.5)).start()
"""


def end(hang: bool) -> tuple[int, str]:
    """End a process that has a thread that is stuck; return its exit code and output."""
    command = [sys.executable, "-c", END.replace("{hang}", str(hang))]
    env = {**os.environ, "PYTHONUNBUFFERED": ""}  # or there is nothing to flush
    ended = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.stderr == ""
    return ended.returncode, ended.stdout


def test_a_process_ends_with_its_exit_handlers_run_and_its_output_flushed() -> None:
    assert end(hang=False) == (7, "not flushed; last\nfirst\n")


def test_an_exit_handler_that_hangs_does_not_hold_it() -> None:
    begun = time.monotonic()
    assert end(hang=True) == (7, "not flushed; last\n")
    assert time.monotonic() - begun < 10


def wait_for_ever(event: threading.Event, arrived: threading.Barrier) -> None:
    """What the stacks should name."""
    arrived.wait()
    event.wait()


def test_stacks_name_the_functions_of_threads_the_innermost_first() -> None:
    event, arrived = threading.Event(), threading.Barrier(2)
    thread = threading.Thread(target=wait_for_ever, args=(event, arrived), name="stuck")
    thread.start()
    arrived.wait()
    told = next(stack for names, stack in stacks(()).items() if "stuck" in names)
    event.set()
    thread.join()
    functions = [place.split(" ")[0] for place in told.split(" < ")]
    assert functions.index("wait") < functions.index("wait_for_ever") < functions.index("run")
    assert f"({__file__}:" in told


def test_equal_stacks_are_told_once() -> None:
    event, arrived = threading.Event(), threading.Barrier(4)
    threads = [
        threading.Thread(target=wait_for_ever, args=(event, arrived), name=name)
        for name in ("one", "two", "three")
    ]
    for thread in threads:
        thread.start()
    arrived.wait()
    for _ in tries(5):  # each has a few steps to go
        if together := any({"one", "two", "three"} <= set(n.split(", ")) for n in stacks(())):
            break
    event.set()
    for thread in threads:
        thread.join()
    assert together


def test_stacks_follow_a_task_to_what_it_waits_for() -> None:
    async def outer() -> None:
        await inner()

    async def inner() -> None:
        await asyncio.Event().wait()

    async def look() -> str:
        task = asyncio.create_task(outer(), name="the task")
        await asyncio.sleep(0)
        told = stacks([task, "not a task"])
        task.cancel()
        return told["the task"]

    functions = [place.split(" ")[0] for place in asyncio.run(look()).split(" < ")]
    assert functions[-3:] == ["wait", "inner", "outer"]


def test_a_worker_that_ends_without_a_signal_is_not_clean_if_a_hook_has_failed() -> None:
    lifecycle = Lifecycle(Budget.derive(30))
    lifecycle.append(Hook("failing", stop=fail))
    in_thread(lifecycle.start)
    worker = SimpleNamespace(stopped_clean=False)
    with pytest.raises(SystemExit):
        finish_worker(worker, lifecycle)
    assert not worker.stopped_clean

"""Moments, which threads and coroutines can wait for."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from {{ cookiecutter.package_name }}.lifecycle import Moment


def test_a_thread_waits_for_it() -> None:
    moment = Moment()
    assert not moment.is_set()
    assert not moment.wait(0.01)
    threading.Timer(0.02, moment.set).start()
    assert moment.wait(5)
    assert moment.is_set()


def test_coroutines_of_two_event_loops_wait_for_it() -> None:
    moment = Moment()
    waiting = threading.Barrier(3)
    reached: list[str] = []

    async def wait(name: str) -> None:
        task = asyncio.create_task(moment.reached())
        await asyncio.sleep(0)  # it waits now
        await asyncio.to_thread(waiting.wait)
        await asyncio.wait_for(task, 5)
        reached.append(name)

    threads = [threading.Thread(target=asyncio.run, args=(wait(name),)) for name in "ab"]
    for thread in threads:
        thread.start()
    waiting.wait()
    moment.set()
    for thread in threads:
        thread.join()
    assert sorted(reached) == ["a", "b"]


def test_a_moment_that_has_come_is_not_waited_for() -> None:
    moment = Moment()
    moment.set()
    moment.set()  # no effect
    begun = time.monotonic()
    assert moment.wait()
    asyncio.run(moment.reached())
    assert time.monotonic() - begun < 1


def test_a_cancelled_wait_leaves_nothing_behind() -> None:
    moment = Moment()

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(moment.reached(), 0.01)

    asyncio.run(give_up())
    assert not moment._wakers


def test_a_waiter_whose_event_loop_has_closed_does_no_harm() -> None:
    moment = Moment()
    loop = asyncio.new_event_loop()
    task = loop.create_task(moment.reached())
    loop.run_until_complete(asyncio.sleep(0))  # it waits now
    loop.close()
    moment.set()
    assert moment.is_set()
    task.get_coro().close()
    task._log_destroy_pending = False  # type: ignore[attr-defined]

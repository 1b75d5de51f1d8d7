"""What is started with the service and stopped with it, in pairs."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from {{ cookiecutter.package_name }}.lifecycle import (
    Budget,
    Hook,
    HookRecord,
    Lifecycle,
    StartError,
    seconds_left,
)

from .threads import in_thread


class Log(list[str]):
    """What has happened, and functions that say so."""

    def note(self, what: str) -> Callable[[], None]:
        """A function that notes *what*."""
        return lambda: self.append(what)

    def hook(self, name: str) -> Hook:
        """A hook that notes its start and its stop."""
        return Hook(name, start=self.note(f"start {name}"), stop=self.note(f"stop {name}"))


def fail() -> None:
    raise ZeroDivisionError("on purpose")


@pytest.fixture
def hang() -> Iterator[Callable[[], object]]:
    """A function that takes too long."""
    over = threading.Event()
    yield lambda: over.wait(10)
    over.set()


def live(*hooks: Hook, cleanup: float = 2) -> list[HookRecord]:
    """Start these hooks, stop them, and return how that went."""
    lifecycle = Lifecycle(Budget.derive(30, drain=0, requests=1, cleanup=cleanup))
    for hook in hooks:
        lifecycle.append(hook)
    in_thread(lifecycle.start)
    lifecycle.stop()
    assert lifecycle.report is not None
    return lifecycle.report.hooks


def outcomes(records: list[HookRecord]) -> list[tuple[str, str]]:
    """The part that matters most."""
    return [(record.name, record.outcome) for record in records]


def test_they_start_in_order_and_stop_in_reverse() -> None:
    log = Log()
    records = live(log.hook("a"), log.hook("b"), log.hook("c"))
    assert log == ["start a", "start b", "start c", "stop c", "stop b", "stop a"]
    assert outcomes(records) == [("c", "ok"), ("b", "ok"), ("a", "ok")]


def test_either_half_may_be_missing() -> None:
    log = Log()
    records = live(Hook("a", start=log.note("start a")), Hook("b", stop=log.note("stop b")))
    assert log == ["start a", "stop b"]
    assert outcomes(records) == [("b", "ok")]


def test_when_one_does_not_start_those_before_it_are_stopped() -> None:
    log = Log()
    lifecycle = Lifecycle()
    broken = Hook("broken", start=fail, stop=log.note("stop broken"))
    for hook in (log.hook("a"), log.hook("b"), broken, log.hook("c")):
        lifecycle.append(hook)
    problem = "hook 'broken' did not start: ZeroDivisionError: on purpose"
    with pytest.raises(StartError, match=problem):
        in_thread(lifecycle.start)
    assert lifecycle.stopped.wait(5)
    assert log == ["start a", "start b", "stop b", "stop a"]


def test_one_that_takes_too_long_to_start_fails_the_start(hang: Callable[[], object]) -> None:
    lifecycle = Lifecycle()
    lifecycle.append(Hook("slow", start=hang, timeout=0.1))
    with pytest.raises(StartError, match="hook 'slow' did not start: timed out"):
        in_thread(lifecycle.start)


@pytest.mark.parametrize("error", [ZeroDivisionError("odd"), SystemExit(7), KeyboardInterrupt()])
def test_one_that_fails_to_stop_does_not_keep_others_from_it(error: BaseException) -> None:
    def stop() -> None:
        raise error

    log = Log()
    records = live(log.hook("a"), Hook("broken", stop=stop), log.hook("c"))
    assert log[2:] == ["stop c", "stop a"]
    assert outcomes(records) == [("c", "ok"), ("broken", "failed"), ("a", "ok")]
    assert records[1].error == f"{type(error).__name__}: {error}"


def test_nor_does_one_that_hangs(hang: Callable[[], object]) -> None:
    log = Log()
    begun = time.monotonic()
    records = live(log.hook("a"), Hook("hanging", stop=hang, timeout=0.1), log.hook("c"))
    assert time.monotonic() - begun < 1
    assert log[2:] == ["stop c", "stop a"]
    assert outcomes(records) == [("c", "ok"), ("hanging", "timed out"), ("a", "ok")]
    assert records[1].error == "not done after 0.10 s"


def test_those_that_hang_leave_the_others_a_fair_share(hang: Callable[[], object]) -> None:

    def stop_in_time() -> None:
        time.sleep(0.15)  # simulates work that takes half of a fair share

    hooks = [
        Hook("patient", stop=stop_in_time),
        Hook("hanging 1", stop=hang),
        Hook("hanging 2", stop=hang),
    ]
    begun = time.monotonic()
    records = live(*hooks, cleanup=0.9)
    assert time.monotonic() - begun < 1.2
    assert outcomes(records) == [
        ("hanging 2", "timed out"),
        ("hanging 1", "timed out"),
        ("patient", "ok"),
    ]


def test_one_that_has_nothing_to_stop_has_no_share(hang: Callable[[], object]) -> None:
    hooks = [Hook("nothing", start=lambda: None), Hook("hanging 1", stop=hang)]
    records = live(*hooks, Hook("hanging 2", stop=hang), cleanup=0.6)
    assert records[0].name == "hanging 2"
    assert records[0].seconds >= 0.29


def test_they_run_even_if_there_is_no_time_left() -> None:
    hooks = [Hook(name, stop=lambda: time.sleep(0.005)) for name in ("a", "b")]
    assert outcomes(live(*hooks, cleanup=0)) == [("b", "ok"), ("a", "ok")]


def test_one_may_take_what_the_others_do_not_claim() -> None:
    def stop_in_time() -> None:
        time.sleep(0.3)  # simulates work for which a fair share would hardly do

    log = Log()
    records = live(
        Hook("quick", stop=log.note("quick"), timeout=0.1),
        Hook("slow", stop=stop_in_time),
        cleanup=0.6,
    )
    assert outcomes(records) == [("slow", "ok"), ("quick", "ok")]


def test_each_knows_how_long_it_may_still_take() -> None:
    left = []

    async def on_an_event_loop() -> None:
        left.append(seconds_left())

    live(
        Hook("unhurried", stop=lambda: left.append(seconds_left()), timeout=0.1),
        Hook("async", stop=on_an_event_loop, timeout=0.1),
        Hook("greedy", stop=lambda: left.append(seconds_left())),
        cleanup=0.6,
    )
    assert left == [pytest.approx(seconds, abs=0.09) for seconds in (0.4, 0.1, 0.1)]


def test_what_a_stop_returns_goes_into_the_report() -> None:
    [record] = live(Hook("queue", stop=lambda: {"finished": 3}))
    assert record.details == {"finished": 3}


def test_coroutines_run_without_a_server_that_has_an_event_loop() -> None:
    log = Log()

    async def start() -> None:
        await asyncio.sleep(0)
        log.append("started")

    async def stop() -> dict[str, int]:
        await asyncio.sleep(0)
        return {"answer": 42}

    [record] = live(Hook("async", start=start, stop=stop))
    assert log == ["started"]
    assert (record.outcome, record.details) == ("ok", {"answer": 42})


def test_coroutines_run_on_the_servers_event_loop_if_it_has_one() -> None:
    loops = []

    async def note_loop() -> None:
        loops.append(asyncio.get_running_loop())

    async def serve() -> None:
        lifecycle = Lifecycle()
        lifecycle.append(Hook("async", start=note_loop, stop=note_loop))
        await lifecycle.start_async()
        await lifecycle.stop_async()
        assert loops == [asyncio.get_running_loop()] * 2

    in_thread(lambda: asyncio.run(serve()))


def test_a_coroutine_that_hangs_is_cancelled() -> None:
    log = Log()

    async def hang() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    async def serve() -> list[HookRecord]:
        lifecycle = Lifecycle()
        lifecycle.append(Hook("async", stop=hang, timeout=0.1))
        await lifecycle.start_async()
        await lifecycle.stop_async()
        assert log == ["cancelled"]  # and not only when the event loop ends
        assert lifecycle.report is not None
        return lifecycle.report.hooks

    records = in_thread(lambda: asyncio.run(serve()))
    assert outcomes(records) == [("async", "timed out")]

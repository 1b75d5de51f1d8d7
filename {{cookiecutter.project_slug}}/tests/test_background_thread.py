"""The base class for background threads."""

from __future__ import annotations

import logging
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from queue import SimpleQueue

import pytest

from {{ cookiecutter.package_name }}.lifecycle import BackgroundThread, background


class Recorder(BackgroundThread, name="recorder"):
    """Notes what happens to it, and does what *work* says."""

    def __init__(self, work: Callable[[Recorder], object] | None = None) -> None:
        super().__init__()
        self.work = work or Recorder.wait
        self.events: SimpleQueue[str] = SimpleQueue()
        self.thread_names: set[str] = set()

    def startup(self) -> None:
        self._note("startup")

    def handle(self) -> None:
        self._note("handle")
        self.work(self)

    def shutdown(self) -> Mapping[str, int] | None:
        self._note("shutdown")
        return {"handled": 7}

    def _note(self, event: str) -> None:
        self.thread_names.add(threading.current_thread().name)
        self.events.put(event)

    def so_far(self) -> Iterator[str]:
        """What has happened."""
        while not self.events.empty():
            yield self.events.get()


def test_it_starts_up_handles_and_shuts_down_in_its_own_thread() -> None:
    thread = Recorder()
    assert list(thread.so_far()) == []
    thread.start()
    assert thread.events.get(timeout=5) == "startup"
    assert thread.events.get(timeout=5) == "handle"
    assert thread.stop() == {"handled": 7}
    assert list(thread.so_far()) == ["shutdown"]
    assert thread.thread_names == {"recorder"}


def test_one_that_hangs_does_not_hold_the_interpreter() -> None:
    code = """
import time
from {{ cookiecutter.package_name }}.lifecycle import BackgroundThread

class Hanging(BackgroundThread):
    def handle(self):
        time.sleep(60)  # simulates a hang; the interpreter must end long before

Hanging().start()
"""
    subprocess.run([sys.executable, "-c", code], timeout=30, check=True)


def test_a_waiting_thread_stops_within_50_ms() -> None:
    seconds = []
    for _ in range(9):
        thread = Recorder()
        thread.start()
        begun = time.monotonic()
        thread.stop()
        seconds.append(time.monotonic() - begun)
    assert statistics.median(seconds) < 0.05  # one of them may meet a busy machine


def test_a_waiting_thread_wakes_up_within_20_ms() -> None:
    waits: SimpleQueue[None] = SimpleQueue()
    woken: SimpleQueue[float] = SimpleQueue()

    def work(thread: Recorder) -> None:
        waits.put(None)
        thread.wait()
        woken.put(time.monotonic())

    thread = Recorder(work)
    thread.start()
    seconds = []
    for _ in range(9):
        waits.get(timeout=5)
        begun = time.monotonic()
        thread.wake()
        seconds.append(woken.get(timeout=5) - begun)
    thread.stop()
    assert statistics.median(seconds) < 0.02


def test_a_wake_up_before_the_wait_is_not_lost() -> None:
    waits: SimpleQueue[bool] = SimpleQueue()

    def work(thread: Recorder) -> None:
        thread.wake()
        waits.put(thread.wait(5))
        thread.work = Recorder.wait

    thread = Recorder(work)
    thread.start()
    assert waits.get(timeout=1) is False
    thread.stop()


def test_a_wake_up_ends_one_wait_and_not_the_next() -> None:
    thread = Recorder()
    thread.wake()
    thread.wait()
    begun = time.monotonic()
    thread.wait(0.05)
    assert time.monotonic() - begun >= 0.05


def test_wait_says_whether_the_thread_is_to_stop() -> None:
    said: SimpleQueue[bool] = SimpleQueue()
    thread = Recorder(lambda thread: said.put(thread.wait(0.01)))
    thread.start()
    assert said.get(timeout=5) is False
    assert not thread.stopping
    thread.stop()
    assert thread.stopping


@pytest.mark.parametrize("error", [ValueError("odd"), SystemExit(1)])
def test_an_error_is_logged_and_retried_with_growing_pauses(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(background, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(background, "LONGEST_PAUSE", 0.03)
    failed: SimpleQueue[float] = SimpleQueue()

    def work(thread: Recorder) -> None:
        failed.put(time.monotonic())
        raise error

    thread = Recorder(work)
    with caplog.at_level(logging.ERROR):
        thread.start()
        times = [failed.get(timeout=5) for _ in range(5)]
        thread.stop()
    pauses = [record.__dict__["pause_seconds"] for record in caplog.records]
    assert pauses[:5] == [0.01, 0.02, 0.03, 0.03, 0.03]
    assert all(
        later - earlier >= pause
        for earlier, later, pause in zip(times, times[1:], pauses, strict=False)
    )
    assert {record.__dict__["background_thread"] for record in caplog.records} == {"recorder"}
    assert str(error) in caplog.text


def test_success_makes_the_pause_short_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(background, "FIRST_PAUSE", 0.001)
    outcomes = iter([False, False, True, False])
    done = threading.Event()

    def work(thread: Recorder) -> None:
        succeed = next(outcomes, None)
        if succeed is None:
            done.set()
            thread.wait()
        elif not succeed:
            raise ValueError

    thread = Recorder(work)
    thread.start()
    assert done.wait(5)
    thread.stop()
    pauses = [record.__dict__["pause_seconds"] for record in caplog.records]
    assert pauses == [0.001, 0.002, 0.001]


def test_a_pause_after_an_error_does_not_hold_the_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "FIRST_PAUSE", 10.0)

    def work(thread: Recorder) -> None:
        raise ValueError

    thread = Recorder(work)
    thread.start()
    assert thread.events.get(timeout=5) == "startup"
    assert thread.events.get(timeout=5) == "handle"
    begun = time.monotonic()
    thread.stop()
    assert time.monotonic() - begun < 1
    assert list(thread.so_far()) == ["shutdown"]  # which runs in spite of the error


def test_a_startup_that_fails_fails_the_start() -> None:
    class Broken(Recorder):
        def startup(self) -> None:
            raise ConnectionError("no database")

    thread = Broken()
    with pytest.raises(ConnectionError, match="no database"):
        thread.start()
    assert list(thread.so_far()) == []


def test_a_shutdown_that_fails_fails_the_stop() -> None:
    class Broken(Recorder):
        def shutdown(self) -> None:
            raise ConnectionError("no database")

    thread = Broken()
    thread.start()
    with pytest.raises(ConnectionError, match="no database"):
        thread.stop()


def test_threads_are_made_by_name() -> None:
    thread = BackgroundThread.create("recorder")
    assert isinstance(thread, Recorder)
    assert thread.name == "recorder"


def test_an_unknown_name_is_told_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match=r"no background thread 'rekorder'; known: .*recorder"):
        BackgroundThread.create("rekorder")

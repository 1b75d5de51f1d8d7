"""The sequence of a stop, without a server."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from types import MappingProxyType

import pytest

from {{ cookiecutter.package_name }}.lifecycle import (
    Budget,
    Hook,
    Lifecycle,
    Report,
    State,
)
from {{ cookiecutter.package_name }}.settings import Settings

from .server_thread import create_app
from .threads import in_thread
from .tries import tries

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def quick(**seconds: float) -> Lifecycle:
    """A lifecycle with short phases."""
    return Lifecycle(Budget.derive(30, **{"drain": 0, "requests": 2, "cleanup": 2, **seconds}))


def report_of(lifecycle: Lifecycle) -> Report:
    """Its report, when it has stopped."""
    assert lifecycle.stopped.wait(10)
    assert lifecycle.report is not None
    return lifecycle.report


def test_making_an_application_has_no_side_effect(settings: Settings) -> None:
    threads = threading.enumerate()
    handlers = [signal.getsignal(signum) for signum in STOP_SIGNALS]
    create_app(settings)
    assert threading.enumerate() == threads
    assert [signal.getsignal(signum) for signum in STOP_SIGNALS] == handlers


def test_its_state_only_moves_forward() -> None:
    lifecycle = quick()
    states: list[State] = []

    def note() -> None:
        states.append(lifecycle.state)

    lifecycle.append(Hook("hook", start=note, stop=note))
    note()
    in_thread(lifecycle.start)
    note()
    lifecycle.stop()
    note()
    assert states == [State.STARTING, State.STARTING, State.READY, State.STOPPING, State.STOPPED]
    assert states == sorted(states)


def test_a_stop_during_the_start_is_not_forgotten() -> None:
    lifecycle = quick()
    lifecycle.append(Hook("hook", start=lambda: lifecycle.request_stop("somebody")))
    in_thread(lifecycle.start)
    assert report_of(lifecycle).requested_by == "somebody"
    assert lifecycle.state is State.STOPPED


def test_it_is_ready_from_the_end_of_the_start_to_the_begin_of_the_drain() -> None:
    lifecycle = quick()
    assert lifecycle.unready_because() == "starting"
    in_thread(lifecycle.start)
    assert lifecycle.unready_because() is None
    request = lifecycle.requests.enter("a request")
    lifecycle.request_stop("somebody")
    assert lifecycle.drain_begun.wait(5)
    assert lifecycle.unready_because() == "draining"
    lifecycle.requests.leave(request)
    report_of(lifecycle)
    assert lifecycle.unready_because() == "stopped"


@pytest.mark.parametrize(
    "signals", [(signal.SIGINT, signal.SIGQUIT), (signal.SIGQUIT, signal.SIGINT)]
)
def test_ctrl_c_from_the_terminal_and_from_the_master_is_one_signal(
    signals: tuple[signal.Signals, ...],
) -> None:
    lifecycle = quick()
    in_thread(lifecycle.start)
    request = lifecycle.requests.enter("a request")
    for signum in signals:
        lifecycle._inbox.put(signum)  # as the signal handler does
    for _ in tries(5):
        if lifecycle._inbox.empty():
            break
    lifecycle.requests.leave(request)
    report = report_of(lifecycle)
    assert not report.forced
    assert report.requests_completed == 1


def test_it_starts_once_and_takes_hooks_before_that_only() -> None:
    lifecycle = quick()
    in_thread(lifecycle.start)
    with pytest.raises(RuntimeError, match="started before"):
        in_thread(lifecycle.start)
    with pytest.raises(RuntimeError, match="append hook 'late' before"):
        lifecycle.append(Hook("late"))
    lifecycle.stop()


class _NoHook:
    name = "no hook"
    stop = None

    def start(self) -> None: ...

    @property
    def timeout(self) -> float:
        raise ZeroDivisionError


def test_what_is_not_a_hook_ends_the_start_too() -> None:
    lifecycle = quick()
    lifecycle.append(_NoHook())
    with pytest.raises(ZeroDivisionError):
        in_thread(lifecycle.start)
    assert lifecycle.state is State.STARTING


def test_a_process_that_goes_on_has_its_signal_handlers_back() -> None:
    before = [signal.getsignal(signum) for signum in STOP_SIGNALS]
    lifecycle = quick()
    lifecycle.start()
    assert [signal.getsignal(signum) for signum in STOP_SIGNALS] != before
    lifecycle.stop()
    assert [signal.getsignal(signum) for signum in STOP_SIGNALS] == before


def test_a_stop_without_a_signal_has_no_drain() -> None:
    lifecycle = quick(drain=10)
    in_thread(lifecycle.start)
    begun = time.monotonic()
    lifecycle.stop()
    assert time.monotonic() - begun < 1
    assert report_of(lifecycle).reason == "server stopped"
    assert lifecycle.draining


def test_stopping_what_has_not_started_returns_at_once() -> None:
    lifecycle = quick()
    lifecycle.stop()
    asyncio.run(lifecycle.stop_async())
    assert lifecycle.report is None


def test_a_requested_stop_goes_through_all_phases_once() -> None:
    lifecycle = quick(drain=0.2)
    lifecycle.append(Hook("look", stop=lambda: {"in_cleanup": lifecycle.cleanup_begun.is_set()}))
    in_thread(lifecycle.start)
    assert not lifecycle.cleanup_begun.is_set()
    lifecycle.request_stop("192.0.2.1")
    lifecycle.request_stop("192.0.2.2")  # too late
    report = report_of(lifecycle)
    assert (report.reason, report.requested_by) == ("shutdown endpoint", "192.0.2.1")
    assert list(report.phases) == ["drain", "requests", "cleanup"]
    assert 0.2 <= report.phases["drain"] < 1
    assert report.hooks[0].details == {"in_cleanup": True}
    assert (report.problems, lifecycle.exit_code) == ([], 0)


def test_loops_wake_up_at_the_drain() -> None:
    lifecycle = quick(drain=1)
    in_thread(lifecycle.start)
    assert lifecycle.wait(0.001) is False
    threading.Timer(0.02, lifecycle.request_stop, ["somebody"]).start()
    begun = time.monotonic()
    assert lifecycle.wait(10) is True
    assert time.monotonic() - begun < 0.5
    assert lifecycle.state is State.DRAINING
    report_of(lifecycle)


def test_hooks_are_not_stopped_before_the_last_request_is_done() -> None:
    lifecycle = quick()
    events: list[str] = []
    lifecycle.append(Hook("hook", stop=lambda: events.append("hook stopped")))
    in_thread(lifecycle.start)
    requests = [lifecycle.requests.enter("a request") for _ in range(2)]
    lifecycle.request_stop("somebody")
    assert lifecycle.drain_begun.wait(5)
    lifecycle.requests.leave(requests[0])
    assert not lifecycle.cleanup_begun.wait(0.05)
    events.append("request done")
    lifecycle.requests.leave(requests[1])
    report = report_of(lifecycle)
    assert events == ["request done", "hook stopped"]
    assert (report.requests_completed, report.requests_abandoned) == (2, 0)


def test_hooks_are_not_stopped_before_the_server_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    lifecycle = quick()
    monkeypatch.setattr(lifecycle._signals, "pass_on", lambda signum: True)  # as beside a server
    in_thread(lifecycle.start)
    lifecycle.request_stop("somebody")
    assert lifecycle.drain_begun.wait(5)
    assert not lifecycle.cleanup_begun.wait(0.05), "it may still take requests"
    lifecycle.stop()
    assert report_of(lifecycle).problems == []


def test_the_report_counts_the_requests_of_the_stop_only() -> None:
    lifecycle = quick()
    in_thread(lifecycle.start)
    lifecycle.requests.leave(lifecycle.requests.enter("an earlier request"))
    lifecycle.request_stop("somebody")
    assert report_of(lifecycle).requests_completed == 0


def test_there_is_no_drain_without_a_server() -> None:
    lifecycle = quick(drain=10)
    in_thread(lifecycle.start)
    lifecycle.request_stop("somebody")
    assert lifecycle.drain_begun.wait(5)
    begun = time.monotonic()
    lifecycle.stop()
    assert time.monotonic() - begun < 5, "nobody serves any more"


SCRIPT = """
import signal, time
from {{ cookiecutter.package_name }}.lifecycle import Budget, Lifecycle
signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does for what it runs in the background
Lifecycle(Budget.derive(drain=0, requests=3, cleanup=3)).start()
print("ready", flush=True)
time.sleep(60)
"""


def test_a_script_ends_as_soon_as_its_lifecycle_has() -> None:
    command = [sys.executable, "-c", SCRIPT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as script:
        assert script.stdout is not None
        assert script.stdout.readline() == "ready\n"
        script.terminate()
        assert script.wait(20) == 0, "it was not ended, and told so at its deadline"


def test_a_request_is_abandoned_at_its_deadline(caplog: pytest.LogCaptureFixture) -> None:
    lifecycle = quick(requests=0.1)
    in_thread(lifecycle.start)
    lifecycle.requests.enter("a request")
    lifecycle.request_stop("somebody")
    report = report_of(lifecycle)
    assert (report.requests_abandoned, lifecycle.exit_code) == (1, 1)
    assert report.problems == ["1 request(s) abandoned"]
    assert 0.1 <= report.phases["requests"] < 1
    assert "requests abandoned" in caplog.text


def test_websockets_get_a_moment_to_take_leave_but_no_more() -> None:
    lifecycle = quick()
    in_thread(lifecycle.start)
    lifecycle.websockets.enter("a silent client")
    begun = time.monotonic()
    lifecycle.stop()
    assert 1 <= time.monotonic() - begun < 2
    assert report_of(lifecycle).problems == ["1 request(s) abandoned"]


def test_the_stop_goes_on_as_soon_as_all_websockets_have_gone() -> None:
    lifecycle = quick()
    in_thread(lifecycle.start)
    websocket = lifecycle.websockets.enter("a client")
    lifecycle.request_stop("somebody")
    assert lifecycle.drain_begun.wait(5)
    begun = time.monotonic()
    lifecycle.websockets.leave(websocket)
    report_of(lifecycle)
    assert time.monotonic() - begun < 0.5


def test_websockets_that_stay_open_take_no_more_than_requests_may() -> None:
    lifecycle = quick(requests=0.2)
    in_thread(lifecycle.start)
    lifecycle.websockets.enter("a client that does not answer")
    begun = time.monotonic()
    lifecycle.request_stop("somebody")
    assert report_of(lifecycle).requests_abandoned == 1
    assert time.monotonic() - begun < 0.9, "they get 1 s if there is that much"


def test_a_failed_hook_is_an_error_and_makes_the_exit_code_1(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lifecycle = quick()
    lifecycle.append(Hook("failing", stop=lambda: 1 / 0))
    in_thread(lifecycle.start)
    lifecycle.stop()
    assert report_of(lifecycle).problems == ["hook 'failing' failed"]
    assert lifecycle.exit_code == 1
    [record] = [r for r in caplog.records if r.message.startswith("shutdown report")]
    assert record.levelname == "ERROR"


def test_without_a_report_nothing_is_clean() -> None:
    assert quick().exit_code == 1


def test_its_report_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    lifecycle = quick()
    lifecycle.append(Hook("queue", stop=lambda: MappingProxyType({"finished": 2})))
    caplog.set_level("INFO")
    in_thread(lifecycle.start)
    lifecycle.stop()
    [record] = [r for r in caplog.records if r.message.startswith("shutdown report")]
    assert record.message == "shutdown report: clean"
    report = json.loads(json.dumps(record.__dict__["report"]))
    seconds = report["hooks"][0].pop("seconds")
    assert 0 <= seconds < 1
    assert report["hooks"] == [
        {"name": "queue", "outcome": "ok", "error": None, "details": {"finished": 2}}
    ]
    assert report["exit_code"] == 0


def test_it_starts_and_stops_on_an_event_loop() -> None:
    async def serve() -> Lifecycle:
        lifecycle = quick()
        await lifecycle.start_async()
        assert lifecycle.state is State.READY
        await lifecycle.stop_async()
        return lifecycle

    assert report_of(in_thread(lambda: asyncio.run(serve()))).exit_code == 0

"""Whatever happens in whatever order, a stop keeps its promises."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from {{ cookiecutter.package_name }}.lifecycle import (
    Budget,
    Hook,
    Lifecycle,
    StartError,
    State,
)

BUDGET = Budget(grace=2, drain=0.05, requests=0.1, cleanup=0.4, margin=1)
SLACK = 2.0  # for a busy machine: nothing here takes that long by itself

STARTS = ("ok", "ok", "ok", "ok", "fails", "hangs")
STOPS = ("ok", "async", "fails", "hangs", "async hangs")
KINDS = st.lists(st.tuples(st.sampled_from(STARTS), st.sampled_from(STOPS)), max_size=4)
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


@dataclass
class Fake:
    """A hook that notes what is done with it, and behaves as told."""

    name: str
    start_kind: str
    stop_kind: str
    events: list[tuple[str, str]]
    release: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        if self.start_kind == "fails":
            raise RuntimeError("start fails on purpose")
        if self.start_kind == "hangs":
            self.release.wait()
            return
        self.events.append(("start", self.name))

    def stop(self) -> object:
        self.events.append(("stop", self.name))
        match self.stop_kind:
            case "fails":
                raise RuntimeError("stop fails on purpose")
            case "hangs":
                self.release.wait()
            case "async":
                return asyncio.sleep(0)
            case "async hangs":
                return asyncio.sleep(3600)
        return None

    def as_hook(self) -> Hook:
        return Hook(self.name, self.start, self.stop, timeout=0.1)


class LifecycleMachine(RuleBasedStateMachine):
    """Starts a lifecycle with any hooks, and does to it whatever can be done."""

    @initialize(kinds=KINDS)
    def start(self, kinds: list[tuple[str, str]]) -> None:
        self.events: list[tuple[str, str]] = []
        self.states = [State.STARTING]
        self.stop_asked_at: float | None = None
        self.tokens: list[object] = []
        self.fakes = [Fake(f"hook {n}", *kind, self.events) for n, kind in enumerate(kinds)]
        self.lifecycle = Lifecycle(BUDGET)
        for fake in self.fakes:
            self.lifecycle.append(fake.as_hook())
        self.error: StartError | None = None
        # Not in the main thread: there, the lifecycle would take the tests' own signals over.
        starter = threading.Thread(target=self.start_lifecycle)
        starter.start()
        starter.join()

    def start_lifecycle(self) -> None:
        try:
            self.lifecycle.start()
        except StartError as error:
            self.error = error

    @property
    def running(self) -> bool:
        return self.error is None

    def note_stop(self) -> None:
        if self.stop_asked_at is None:
            self.stop_asked_at = time.monotonic()

    @precondition(lambda self: self.running)
    @rule(signum=st.sampled_from(SIGNALS))
    def hear_signal(self, signum: signal.Signals) -> None:
        """As the signal handler does."""
        self.note_stop()
        self.lifecycle._inbox.put(signum)

    @precondition(lambda self: self.running)
    @rule()
    def ask_to_stop(self) -> None:
        self.note_stop()
        self.lifecycle.request_stop("somebody")

    @precondition(lambda self: self.running)
    @rule()
    def server_leaves(self) -> None:
        self.note_stop()
        threading.Thread(target=self.lifecycle.stop, daemon=True).start()

    @precondition(lambda self: self.running)
    @rule()
    def request_begins(self) -> None:
        self.tokens.append(self.lifecycle.requests.enter(None))

    @precondition(lambda self: self.running and self.tokens)
    @rule()
    def request_ends(self) -> None:
        self.lifecycle.requests.leave(self.tokens.pop())

    @rule(seconds=st.sampled_from([0.001, 0.03, 0.12]))
    def time_passes(self, seconds: float) -> None:
        if self.running:
            self.lifecycle.stopped.wait(seconds)

    @invariant()
    def states_only_move_forward(self) -> None:
        self.states.append(self.lifecycle.state)
        assert self.states == sorted(self.states)

    def teardown(self) -> None:
        if not hasattr(self, "lifecycle"):
            return
        try:
            self.check_end()
        finally:
            for fake in self.fakes:
                fake.release.set()

    def check_end(self) -> None:
        self.note_stop()
        stopper = threading.Thread(target=self.lifecycle.stop, daemon=True)
        stopper.start()
        assert self.stop_asked_at is not None
        deadline = self.stop_asked_at + BUDGET.deadline + SLACK
        assert self.lifecycle.stopped.wait(deadline - time.monotonic()), "past the deadline"
        started = [name for what, name in self.events if what == "start"]
        stopped = [name for what, name in self.events if what == "stop"]
        assert stopped == started[::-1]
        if self.error is not None:
            assert self.lifecycle.report is None
            return
        assert len(started) == len(self.fakes)
        report = self.lifecycle.report
        assert report is not None
        assert [record.name for record in report.hooks] == stopped
        failing = [f.name for f in reversed(self.fakes) if f.stop_kind not in ("ok", "async")]
        assert [r.name for r in report.hooks if r.outcome != "ok"] == failing or report.forced
        assert report.exit_code == (1 if report.problems else 0)
        assert report.requests_abandoned <= len(self.tokens)


LifecycleMachine.TestCase.settings = settings(
    max_examples=25, stateful_step_count=6, deadline=None, database=None
)
test_any_order_of_events = LifecycleMachine.TestCase

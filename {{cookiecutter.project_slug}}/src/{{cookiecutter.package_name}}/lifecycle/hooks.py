"""What is started with the service and stopped with it, in pairs."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from .report import stacks

logger = logging.getLogger(__name__)

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)

Action = Callable[[], object]
Wait = Callable[[float, Callable[[], bool]], None]


def seconds_left() -> float:
    """How long the hook that asks may still take; where no hook does, as long as a lock can wait.

    That may be less than its timeout: a stop has one deadline, which all hooks share.
    """
    deadline = _deadline.get()
    return threading.TIMEOUT_MAX if deadline is None else deadline - time.monotonic()


class StartError(RuntimeError):
    """A hook failed to start; those before it have been stopped again."""


class Resource(Protocol):
    """What :meth:`Lifecycle.append` takes: a :class:`Hook`, or an object that looks like one."""

    @property
    def name(self) -> str: ...
    @property
    def timeout(self) -> float: ...
    @property
    def start(self) -> Action | None: ...
    @property
    def stop(self) -> Action | None: ...


@dataclass(frozen=True)
class Hook:
    """A resource, as the two functions that acquire and release it.

    Either may be a coroutine function: it runs on the server's event loop, or, under a server that
    has none, each in one of its own. A mapping that ``stop`` returns goes into the report.

    Args:
        name: how log and report call it.
        start: called once before the service is ready.
        stop: called once after the last request, if ``start`` succeeded.
        timeout: how long each may take, in seconds.
    """

    name: str
    start: Action | None = None
    stop: Action | None = None
    timeout: float = 5.0


@dataclass
class HookRecord:
    """How one hook was stopped."""

    name: str
    outcome: Literal["ok", "failed", "timed out"]
    seconds: float
    error: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


class Hooks:
    """Starts hooks in order, and stops those that started, last first."""

    def __init__(self, wake: Callable[[], None], wait: Wait) -> None:
        self._hooks: list[Resource] = []
        self._started: list[Resource] = []
        self._wake = wake
        self._wait = wait
        self.loop: asyncio.AbstractEventLoop | None = None

    def append(self, hook: Resource) -> None:
        """Add *hook* behind those that are there."""
        self._hooks.append(hook)

    def start(self) -> None:
        """Start all hooks.

        Raises:
            StartError: one of them failed or took too long.
        """
        for hook in self._hooks:
            if hook.start is not None:
                call = self._call(hook.name, hook.start, hook.timeout)
                if problem := call.problem:
                    raise StartError(f"hook {hook.name!r} did not start: {problem}")
            self._started.append(hook)

    def stop(self, remaining: Callable[[], float]) -> list[HookRecord]:
        """Stop what was started, last first, each in its share of the seconds that remain."""
        records = []
        while self._started:
            hook = self._started.pop()
            if hook.stop is not None:
                seconds = self._share(hook, remaining())
                records.append(self._stop_one(hook.name, hook.stop, seconds))
        return records

    def _share(self, hook: Resource, remaining: float) -> float:
        """A hook may take what the ones behind it do not claim, and its fair share at the least:
        so one that hangs cannot use up the others' time."""
        behind = [other.timeout for other in self._started if other.stop is not None]
        claimed = sum(behind)
        fair = remaining / (len(behind) + 1)
        return max(0.05, min(hook.timeout, max(remaining - claimed, fair)))

    def _stop_one(self, name: str, stop: Action, seconds: float) -> HookRecord:
        begun = time.monotonic()
        call = self._call(name, stop, seconds)
        took = round(time.monotonic() - begun, 3)
        if call.given_up:
            logger.error("hook did not stop in time", extra={"hook": name, "stacks": stacks(())})
            return HookRecord(name, "timed out", took, f"not done after {seconds:.2f} s")
        if call.error is not None:
            logger.error("hook failed to stop", exc_info=call.error, extra={"hook": name})
            return HookRecord(name, "failed", took, call.problem)
        details = dict(call.result) if isinstance(call.result, Mapping) else {}
        return HookRecord(name, "ok", took, details=details)

    def _call(self, name: str, action: Action, seconds: float) -> _Call:
        call = _Call(name, action, time.monotonic() + seconds, self.loop, self._wake)
        call.start()
        self._wait(seconds, lambda: call.finished)
        if not call.finished:
            call.give_up()
        return call


class _Call(threading.Thread):
    """One action in a thread of its own: the only way to bound how long it holds us up."""

    def __init__(
        self,
        name: str,
        action: Action,
        deadline: float,
        loop: asyncio.AbstractEventLoop | None,
        wake: Callable[[], None],
    ) -> None:
        super().__init__(name=f"hook-{name}", daemon=True)
        self._action = action
        self._deadline = deadline
        self._loop = loop
        self._wake = wake
        self._cancel: Callable[[], object] = lambda: None
        self.finished = False
        self.given_up = False
        self.result: object = None
        self.error: BaseException | None = None

    @property
    def problem(self) -> str | None:
        """In one line, what went wrong."""
        if self.given_up:
            return "timed out"
        return None if self.error is None else f"{type(self.error).__name__}: {self.error}"

    def give_up(self) -> None:
        """Cancel the coroutine, if it is one; a running function cannot be interrupted."""
        self.given_up = True  # before the cancelled coroutine finishes, and looks as if it failed
        self._cancel()

    def run(self) -> None:
        _deadline.set(self._deadline)
        try:
            result = self._action()
            if inspect.isawaitable(result):
                result = self._await(result)
            self.result = result
        except BaseException as error:  # SystemExit too: a hook must not decide for the others
            self.error = error
        finally:
            self.finished = True
            self._wake()

    def _await(self, awaitable: Awaitable[object]) -> object:
        async def outcome() -> object:
            return await awaitable

        if self._loop is None:
            return asyncio.run(outcome())
        future = asyncio.run_coroutine_threadsafe(outcome(), self._loop)
        self._cancel = future.cancel
        return future.result()

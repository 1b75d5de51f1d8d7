"""What a stop leaves behind: one report, the stacks of what is stuck, the end of the process."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import sys
import threading
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from .hooks import HookRecord


@dataclass
class Report:
    """One stop, for the person on call."""

    reason: str
    requested_by: str | None = None
    phases: dict[str, float] = field(default_factory=dict)
    requests_completed: int = 0
    requests_abandoned: int = 0
    abandoned: list[str] = field(default_factory=list)
    hooks: list[HookRecord] = field(default_factory=list)
    forced: bool = False

    @property
    def problems(self) -> list[str]:
        """Why the stop was not clean, a line each."""
        problems = [f"hook {h.name!r} {h.outcome}" for h in self.hooks if h.outcome != "ok"]
        if self.requests_abandoned:
            problems.insert(0, f"{self.requests_abandoned} request(s) abandoned")
        return problems

    @property
    def exit_code(self) -> int:
        """0 only for a clean stop."""
        return 1 if self.problems else 0

    def as_dict(self) -> dict[str, Any]:
        """The report for a structured log."""
        hooks = [vars(hook) for hook in self.hooks]
        return {
            **vars(self),
            "hooks": hooks,
            "problems": self.problems,
            "exit_code": self.exit_code,
        }


def stacks(owners: Collection[object]) -> dict[str, str]:
    """Where all threads but this one are now, innermost call first.

    Equal stacks are told once: a pool's idle threads are one line.

    Args:
        owners: threads, by ident, that are told first, and asyncio tasks that are told, too.
    """
    who: defaultdict[str, list[str]] = defaultdict(list)
    frames = sys._current_frames()
    for task in owners:
        if isinstance(task, asyncio.Task):
            who[_line(_awaits(task.get_coro()))].append(task.get_name())
    for thread in sorted(threading.enumerate(), key=lambda each: each.ident not in owners):
        if thread is not threading.current_thread():
            who[_line(_frames(frames.get(thread.ident or 0)))].append(thread.name)
    return {", ".join(names): stack for stack, names in who.items()}


def end_process(code: int, seconds: float) -> NoReturn:
    """End this process from any thread, with its ``atexit`` handlers run and its output flushed.

    ``sys.exit`` would end only a thread, and the interpreter would wait for stuck ones for ever.

    Args:
        code: the exit code.
        seconds: how long the ``atexit`` handlers may take.
    """
    handlers = threading.Thread(target=atexit._run_exitfuncs, name="atexit", daemon=True)
    handlers.start()
    handlers.join(seconds)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # closed, or nobody reads it any more
            stream.flush()
    os._exit(code)


Place = tuple[CodeType, int]


def _frames(frame: FrameType | None) -> Iterator[Place]:
    while frame is not None:
        yield frame.f_code, frame.f_lineno
        frame = frame.f_back


def _awaits(coro: Any) -> Iterable[Place]:
    """Follow a suspended coroutine to what it waits for: ``Task.get_stack`` stops at the first."""
    places: list[Place] = []
    while coro is not None:
        frame = getattr(coro, "cr_frame", None) or getattr(coro, "gi_frame", None)
        if frame is None:
            break
        places.append((frame.f_code, frame.f_lineno))
        coro = getattr(coro, "cr_await", None) or getattr(coro, "gi_yieldfrom", None)
    return reversed(places)


def _line(places: Iterable[Place]) -> str:
    return " < ".join(f"{code.co_name} ({code.co_filename}:{line})" for code, line in places)

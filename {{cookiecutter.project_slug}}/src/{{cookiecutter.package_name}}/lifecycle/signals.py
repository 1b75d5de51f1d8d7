"""Signal handlers that are chained: ours hears a signal first, the server's when we say so."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from functools import partial
from multiprocessing import parent_process
from types import FrameType
from typing import Any

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
PARENT_VARIABLE = "SERVER_PID"


Handler = Callable[[int, FrameType | None], Any] | int | None  # what signal.getsignal() returns


class ChainedSignals:
    """Takes the stop signals over from the server, and hands one back to it later.

    The handler does nothing but call *heard*, which must be re-entrant: a handler interrupts the
    main thread anywhere, even while it holds a lock (``Event.set`` can deadlock there,
    ``SimpleQueue.put`` cannot).
    """

    def __init__(self, heard: Callable[[int], None]) -> None:
        self._heard = heard
        self._previous: dict[int, Handler] = {}
        self._passing_on: Callable[[FrameType | None], object] | None = None
        self.installed = False

    def install(self) -> None:
        """Install the handlers in front of those that are there.

        Outside the main thread, where Python forbids it, nothing is installed: whoever runs the
        service in a thread also stops it.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        for signum in STOP_SIGNALS:
            self._previous[signum] = signal.getsignal(signum)
            signal.signal(signum, self._handle)
        self.installed = True

    def restore(self) -> None:
        """Put the handlers back that were there, unless somebody has replaced ours."""
        if not self.installed or threading.current_thread() is not threading.main_thread():
            return
        for signum, previous in self._previous.items():
            if signal.getsignal(signum) == self._handle and previous is not None:
                signal.signal(signum, previous)
        self.installed = False

    def overwritten(self) -> list[str]:
        """The names of the signals whose handler somebody has replaced since."""
        if not self.installed:
            return []
        ours = self._handle
        return [s.name for s in STOP_SIGNALS if signal.getsignal(s) != ours]

    def pass_on(self, signum: int) -> bool:
        """Let the main thread run the handler that the server had installed for *signum*.

        Returns whether there is one. The interrupted system call is what wakes the server up, so
        the signal goes to the main thread, and not to just any thread of the process.
        """
        previous = self._previous.get(signum)
        if not callable(previous):
            return False
        self._passing_on = partial(previous, signum)
        main = threading.main_thread().ident
        assert main is not None  # it is running
        signal.pthread_kill(main, signal.SIGTERM)
        return True

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        passing_on = self._passing_on
        if passing_on is None or signum != signal.SIGTERM:  # another one may overtake pass_on()'s
            self._heard(signum)
        else:
            self._passing_on = None
            passing_on(frame)


def server_pid() -> int:
    """The process to signal when the whole server shall stop: a parent that has announced itself,
    the parent that multiprocessing knows (uvicorn's workers and reloader), or this process."""
    if os.environ.get(PARENT_VARIABLE) == str(os.getppid()):
        return os.getppid()
    parent = parent_process()
    return os.getpid() if parent is None or parent.pid is None else parent.pid

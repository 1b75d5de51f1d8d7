"""Something that happens once, and that threads and coroutines can wait for."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable


class Moment:
    """A one-way event, like :class:`threading.Event`, that coroutines can await as well."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._wakers: set[Callable[[], object]] = set()

    def set(self) -> None:
        """Let the moment come. Not for signal handlers: it takes locks."""
        with self._lock:
            self._event.set()
            wakers, self._wakers = self._wakers, set()
        for wake in wakers:
            with contextlib.suppress(RuntimeError):  # that waiter's event loop has closed
                wake()

    def is_set(self) -> bool:
        """Whether the moment has come."""
        return self._event.is_set()

    def wait(self, seconds: float | None = None) -> bool:
        """Block this thread for at most *seconds*; return whether the moment has come."""
        return self._event.wait(seconds)

    async def reached(self) -> None:
        """Wait for the moment in a coroutine. Cancelling the wait leaves nothing behind."""
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(woken.set)

        with self._lock:
            if self._event.is_set():
                return
            self._wakers.add(wake)
        try:
            await woken.wait()
        finally:
            with self._lock:
                self._wakers.discard(wake)

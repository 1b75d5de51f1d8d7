"""The base class for background threads."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

logger = logging.getLogger(__name__)

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 30.0


class BackgroundThread(ABC):
    """Work that goes on beside the requests: a :class:`Resource`, so append it to the lifecycle.

    :meth:`handle` is called again and again until the thread is to stop. Pause in it with
    :meth:`wait` only, which ends at once when the thread is to stop or :meth:`wake` is called.
    An exception in it is logged, and it is called again after a pause that grows from 0.1 s to
    30 s: one bad task cannot end the thread.

    Subclasses are known by the name they are defined with (``class Mailer(BackgroundThread,
    name="mailer")``), which :meth:`create` takes.
    """

    name: str
    timeout: float = 5.0
    _registry: ClassVar[dict[str, type[BackgroundThread]]] = {}

    def __init_subclass__(cls, name: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.name = name or cls.__name__
        if name is not None:
            BackgroundThread._registry[name] = cls

    @staticmethod
    def create(name: str, *args: Any, **kwargs: Any) -> BackgroundThread:
        """Make the thread that was registered as *name*.

        Raises:
            ValueError: there is none; the message lists those that are.
        """
        try:
            cls = BackgroundThread._registry[name]
        except KeyError:
            known = ", ".join(sorted(BackgroundThread._registry)) or "none"
            raise ValueError(f"no background thread {name!r}; known: {known}") from None
        return cls(*args, **kwargs)

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._woken = False
        self._stopping = False
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._result: object = None
        self._thread: threading.Thread | None = None

    def startup(self) -> None:  # noqa: B027 - need not be overridden
        """Called once in the thread before the first :meth:`handle`; raising fails the start."""

    @abstractmethod
    def handle(self) -> None:
        """Do one piece of work, or :meth:`wait` for some."""

    def shutdown(self) -> Mapping[str, Any] | None:
        """Called once in the thread after the last :meth:`handle`, whatever that raised.

        What it returns goes into the shutdown report.
        """
        return None

    @property
    def stopping(self) -> bool:
        """Whether the thread is to stop."""
        return self._stopping

    def wait(self, seconds: float | None = None) -> bool:
        """Pause for at most *seconds*, less when woken up; return whether the thread is to stop."""
        with self._condition:
            self._condition.wait_for(lambda: self._woken or self._stopping, seconds)
            self._woken = False
            return self._stopping

    def wake(self) -> None:
        """End a :meth:`wait`, or the next one if none is under way."""
        with self._condition:
            self._woken = True
            self._condition.notify_all()

    def start(self) -> None:
        """Start the thread, and return when :meth:`startup` has.

        Raises:
            Exception: whatever :meth:`startup` raised.
        """
        # A daemon: the lifecycle bounds the wait for it, the interpreter must not wait again.
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> object:
        """Tell the thread to stop, and return what :meth:`shutdown` has returned.

        Raises:
            Exception: whatever :meth:`shutdown` raised.
        """
        self.ask_to_stop()
        self.join()
        return self._result

    def ask_to_stop(self) -> None:
        """Tell the thread to stop, without waiting for it."""
        with self._condition:
            self._stopping = True
            self._condition.notify_all()

    def join(self, seconds: float | None = None) -> bool:
        """Wait for at most *seconds* until the thread has ended, and return whether it has.

        Raises:
            Exception: whatever :meth:`shutdown` raised.
        """
        if self._thread is not None:
            self._thread.join(seconds)
        if self._failure is not None:
            raise self._failure
        return self._thread is None or not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self.startup()
        except BaseException as error:
            self._failure = error
            return
        finally:
            self._started.set()
        self._work()
        try:
            self._result = self.shutdown()
        except BaseException as error:
            self._failure = error

    def _work(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping:
            try:
                self.handle()
                pause = FIRST_PAUSE
            except BaseException:  # SystemExit too: nothing may end the thread unseen
                logger.exception(
                    "background thread failed, and tries again",
                    extra={"background_thread": self.name, "pause_seconds": pause},
                )
                with self._condition:  # not wait(): being woken up must not shorten the pause
                    self._condition.wait_for(lambda: self._stopping, pause)
                pause = min(pause * 2, LONGEST_PAUSE)

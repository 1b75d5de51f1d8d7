"""The sequence of a stop, run by one supervisor thread in each serving process."""

from __future__ import annotations

import asyncio
import enum
import logging
import math
import os
import queue
import signal
import threading
import time
from collections.abc import Callable

from .budget import Budget
from .hooks import Hooks, Resource
from .inflight import InFlight
from .moment import Moment
from .report import Report, end_process, stacks
from .signals import ChainedSignals, server_pid

logger = logging.getLogger(__name__)

BURST_SECONDS = 0.25  # process managers signal a whole group, and parents pass it on: one request
FORCED_CLEANUP_SECONDS = 0.5
LEAVE_TAKING_SECONDS = 1.0  # for WebSocket clients to answer the close


class State(enum.IntEnum):
    """Where a service is in its life. It only moves forward."""

    STARTING = 0
    READY = 1
    DRAINING = 2
    STOPPING = 3
    STOPPED = 4


class Urgency(enum.IntEnum):
    """How a stop has been asked for."""

    NONE = 0
    DRAIN = 1
    NOW = 2
    FORCE = 3


class Lifecycle:
    """Starts hooks, serves, and stops in phases: drain, requests, cleanup, report.

    Creating one has no effect; :meth:`start` creates the thread, so call it after the server has
    forked and installed its signal handlers, in the main thread.

    Args:
        budget: how long the phases may take, in seconds.
    """

    def __init__(self, budget: Budget | None = None) -> None:
        self.budget = budget or Budget.derive()
        self.state = State.STARTING
        self.drain_begun = Moment()
        self.cleanup_begun = Moment()
        self.stopped = Moment()
        self.requests = InFlight(self._on_idle)
        self.websockets = InFlight(self._on_idle)
        self.report: Report | None = None

        # The supervisor's inbox: signal numbers, and None for "look again".
        self._inbox: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._hooks = Hooks(self._wake, self._wait)
        self._signals = ChainedSignals(self._inbox.put)
        self._server_signal: int = signal.SIGINT
        self._started = Moment()
        self._start_error: Exception | None = None
        self._thread: threading.Thread | None = None

        self._server_pid = 0
        self._urgency = Urgency.NONE
        self._first_signal = 0
        self._last_signal_at = 0.0
        self._forced_at = math.inf
        self._requested_by: str | None = None
        self._lock = threading.Lock()
        self._server_gone = False
        self._serverless = False  # no server in this process has a handler to pass the signal to

    # For the application

    @property
    def draining(self) -> bool:
        """Whether a stop has begun, from its first signal on."""
        return self.drain_begun.is_set()

    @property
    def exit_code(self) -> int:
        """What the process should exit with: 0 only after a clean stop."""
        return 1 if self.report is None else self.report.exit_code

    def append(self, hook: Resource) -> None:
        """Have *hook* started after, and stopped before, those appended so far.

        Raises:
            RuntimeError: the service has started already.
        """
        if self._thread is not None:
            raise RuntimeError(f"append hook {hook.name!r} before the service starts")
        self._hooks.append(hook)

    def unready_because(self) -> str | None:
        """Why new requests should not be sent here, or None if they should.

        A service that would not notice its stop, since other code has replaced a signal handler,
        is not ready either: so that shows at the deploy, and not at the next.
        """
        if self.state is not State.READY:
            return self.state.name.lower()
        if names := self._signals.overwritten():
            return f"signal handlers overwritten: {', '.join(names)}"
        return None

    def wait(self, seconds: float | None = None) -> bool:
        """Sleep for at most *seconds* in a loop of your own; return True as soon as it must end."""
        return self.drain_begun.wait(seconds)

    def request_stop(self, requested_by: str) -> None:
        """Stop the whole server, parent processes included, as SIGTERM would. Repeats are ignored.

        Args:
            requested_by: who asked, for log and report.
        """
        with self._lock:
            if self._requested_by is not None or self.draining:
                return
            self._requested_by = requested_by
        logger.warning("stop requested", extra={"requested_by": requested_by})
        if self._signals.installed:
            os.kill(server_pid(), signal.SIGTERM)
        else:
            self._inbox.put(signal.SIGTERM)

    # For the server

    def start(self, server_signal: int = signal.SIGINT) -> None:
        """Start the hooks, take over the stop signals, become ready.

        Args:
            server_signal: what to tell the server's own handler when it is to stop. SIGINT for
                uvicorn and scripts: they raise it again after a clean stop, which Python turns into
                KeyboardInterrupt, while SIGTERM would end the process before ``atexit``. SIGTERM
                for gunicorn's workers, to whom SIGINT means "at once".

        Raises:
            StartError: a hook failed; those before it have been stopped again.
        """
        self._launch(None, server_signal)
        self._started.wait()
        self._become_ready()

    async def start_async(self) -> None:
        """As :meth:`start`, from the event loop that is to run the asynchronous hooks."""
        self._launch(asyncio.get_running_loop(), signal.SIGINT)
        await self._started.reached()
        self._become_ready()

    def stop(self) -> None:
        """Tell that the server serves no more; return when everything has stopped.

        Without a signal before it (a recycled worker, a closed test client) there is no drain.
        """
        if self._server_left():
            self.stopped.wait()
            self._give_signals_back()

    async def stop_async(self) -> None:
        """As :meth:`stop`, from the event loop."""
        if self._server_left():
            await self.stopped.reached()
            self._give_signals_back()

    # The supervisor's side

    def _launch(self, loop: asyncio.AbstractEventLoop | None, server_signal: int) -> None:
        if self._thread is not None:
            raise RuntimeError("this lifecycle has been started before")
        self._server_pid = server_pid()
        self._hooks.loop = loop
        self._server_signal = server_signal
        self._thread = threading.Thread(target=self._supervise, name="supervisor", daemon=True)
        self._thread.start()

    def _become_ready(self) -> None:
        if self._start_error is not None:
            raise self._start_error
        self._signals.install()
        self._enter(State.READY)
        logger.info("ready", extra={"stop_takes_at_most_seconds": round(self.budget.deadline, 3)})

    def _server_left(self) -> bool:
        """Note that the server has stopped serving; return whether there is a stop to wait for."""
        self._server_gone = True
        self._wake()
        return self._thread is not None

    def _give_signals_back(self) -> None:
        """To a process that goes on: after a signal it ends, and more of them change nothing."""
        if not self._first_signal:
            self._signals.restore()

    def _wake(self) -> None:
        self._inbox.put(None)

    @property
    def _forced(self) -> bool:
        return self._urgency is Urgency.FORCE

    def _on_idle(self) -> None:
        if self.draining:
            self._wake()

    def _enter(self, state: State) -> None:
        with self._lock:  # a signal may come while the main thread declares us ready
            self.state = max(self.state, state)

    def _wait(self, seconds: float | None, until: Callable[[], bool]) -> None:
        """Sleep until *until*, reading the inbox meanwhile.

        A stop that is forced during the wait ends it; a wait that begins later, for the hooks of a
        forced stop, takes its time.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        forced_before = self._forced
        while not until() and self._forced == forced_before:
            remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                signum = self._inbox.get(timeout=remaining)
            except queue.Empty:
                return
            if signum is not None:
                self._heed(signum)

    def _heed(self, signum: int) -> None:
        """A further signal makes the stop more urgent, unless it is an echo of an earlier one.

        =========  ===================  ======================
        signal     as the first         after another one
        =========  ===================  ======================
        SIGTERM    DRAIN                one step more urgent
        SIGINT     NOW                  one step more urgent
        SIGQUIT    NOW                  FORCE
        =========  ===================  ======================
        """
        now = time.monotonic()
        burst = now - self._last_signal_at < BURST_SECONDS
        self._last_signal_at = now
        if self._urgency is Urgency.NONE:
            self._first_signal = signum
            self._urgency = Urgency.DRAIN if signum == signal.SIGTERM else Urgency.NOW
        elif self._is_echo(signum, burst):
            return
        elif signum == signal.SIGQUIT or self._urgency is not Urgency.DRAIN:
            # SIGQUIT after SIGTERM: gunicorn's master was told INT, and grants two seconds more.
            self._urgency = Urgency.FORCE
            self._forced_at = now
        else:
            self._urgency = Urgency.NOW
        name = signal.Signals(signum).name
        logger.info(
            "signal received", extra={"signal": name, "urgency": self._urgency.name.lower()}
        )

    def _is_echo(self, signum: int, burst: bool) -> bool:
        # Ctrl-C reaches the whole process group, and the parent tells its children again:
        # gunicorn's by SIGQUIT, which can be the first of the two.
        if signum == signal.SIGINT:
            return burst and self._first_signal == signal.SIGQUIT
        if self._first_signal == signal.SIGINT:
            return True
        # gunicorn repeats it each second to a worker that is one too many.
        from_parent = signum == signal.SIGTERM and self._server_pid != os.getpid()
        return signum == self._first_signal and (burst or from_parent)

    def _supervise(self) -> None:
        try:
            self._hooks.start()
        except Exception as error:  # whoever waits for the start must hear of any
            self._hooks.stop(self._seconds_of(self.budget.cleanup))
            self._start_error = error
            self.stopped.set()
            return
        finally:
            self._started.set()
        self._wait(None, lambda: self._urgency is not Urgency.NONE or self._server_gone)
        begun = time.monotonic()
        try:
            report = self._stop_in_phases(begun)
            self._log(report)
            self.report = report
            exit_code = report.exit_code
        except Exception:  # a fault of ours must not keep the process from ending
            logger.exception("the shutdown itself failed")
            exit_code = 1
        self._enter(State.STOPPED)
        self._end(exit_code, begun)

    def _stop_in_phases(self, begun: float) -> Report:
        report = Report(self._reason(), self._requested_by)
        completed_before = self.requests.completed

        def end_phase(name: str) -> None:
            nonlocal begun
            now = time.monotonic()
            report.phases[name] = round(now - begun, 3)
            begun = now

        drain_began = begun
        self._drain()
        end_phase("drain")
        self._finish_requests(drain_began)
        report.requests_abandoned = self.requests.count + self.websockets.count
        report.requests_completed = self.requests.completed - completed_before
        end_phase("requests")
        if report.requests_abandoned:
            owners = {**self.requests.owners, **self.websockets.owners}
            report.abandoned = list(owners.values())
            logger.error(
                "requests abandoned", extra={"requests": report.abandoned, "stacks": stacks(owners)}
            )
        self._clean_up(report)
        end_phase("cleanup")
        report.forced = self._forced
        return report

    def _reason(self) -> str:
        if self._requested_by is not None:
            return "shutdown endpoint"
        if self._server_pid not in (os.getpid(), os.getppid()):
            return "parent process died"
        return signal.Signals(self._first_signal).name if self._first_signal else "server stopped"

    def _drain(self) -> None:
        """Say that we go, and serve on: load balancers need a while to notice."""
        self._enter(State.DRAINING)
        self.drain_begun.set()
        if self._urgency is Urgency.DRAIN:
            logger.info("draining", extra={"seconds": self.budget.drain})
            self._wait(
                self.budget.drain, lambda: self._urgency > Urgency.DRAIN or self._server_gone
            )

    def _finish_requests(self, drain_began: float) -> None:
        """Have the server stop, which lets it finish what is in flight, and wait for that."""
        remaining = self._seconds_of(self.budget.requests)
        # WebSocket clients answer the close, which they were sent as the drain began.
        leave_ends = drain_began + min(LEAVE_TAKING_SECONDS, self.budget.requests)
        self._wait(leave_ends - time.monotonic(), lambda: self._forced or not self.websockets.count)
        if not (self._server_gone or self._signals.pass_on(self._server_signal)):
            self._server_gone = self._serverless = True

        def finished() -> bool:
            return self._forced or (self._server_gone and not self.requests.count)

        self._wait(remaining(), finished)

    def _clean_up(self, report: Report) -> None:
        self._enter(State.STOPPING)
        self.cleanup_begun.set()
        report.hooks = self._hooks.stop(self._seconds_of(self.budget.cleanup))

    def _seconds_of(self, phase: float) -> Callable[[], float]:
        """How many seconds are left of a phase that begins now, and of a stop that is forced."""
        deadline = time.monotonic() + phase
        return lambda: min(deadline, self._forced_at + FORCED_CLEANUP_SECONDS) - time.monotonic()

    def _log(self, report: Report) -> None:
        level = logging.ERROR if report.exit_code else logging.INFO
        outcome = "; ".join(report.problems) or "clean"
        logger.log(level, "shutdown report: %s", outcome, extra={"report": report.as_dict()})

    def _end(self, exit_code: int, begun: float) -> None:
        """Let a clean process end by itself, and see to it that it does; end any other one here.

        A stop without a signal (a closed test client, a worker that its server recycles) ends no
        process: whoever runs it takes :attr:`exit_code`.
        """
        if not (self._first_signal and self._signals.installed):
            self.stopped.set()
            return
        margin = self.budget.margin / 8
        if exit_code or self._serverless:
            end_process(exit_code, margin)
        self.stopped.set()
        time.sleep(max(0.0, begun + self.budget.deadline - time.monotonic()) + margin)
        # Still here: the interpreter waits for a thread that is not a daemon, or atexit hangs.
        logger.error("the process did not end by itself", extra={"stacks": stacks(())})
        end_process(1, margin)

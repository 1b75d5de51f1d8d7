"""The worker: ``python -m`` this module does the tasks, and stops as the service does.

Celery's worker runs in the main thread, the lifecycle beside it, as beside a web server: it hears a
signal first, has the worker leave, and waits until the tasks at work are finished. What is not
finished in time is handed back to the broker.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from amqp.exceptions import AccessRefused, NotAllowed
from celery import Celery, bootsteps, signals
from celery.apps.worker import Worker
from celery.worker import state
from redis.exceptions import AuthenticationError

from . import logs
from .celery_app import UNAVAILABLE, create_celery
from .lifecycle import Budget, Hook, Lifecycle, StartError
from .settings import Settings, load_settings
from .task_records import TaskRecords, create_records
from .tasks import QueueUnavailableError
from .worker_health import HEARTBEAT_SECONDS

logger = logging.getLogger(__name__)

# Wrong user or password, or no such virtual host.
REFUSALS = (AccessRefused, NotAllowed, AuthenticationError)
START_FAILED = 3  # the exit code, as gunicorn's
LOOK_SECONDS = 0.1  # how often the main loop looks whether to leave; a signal does not wake it up


def create_lifecycle(settings: Settings) -> Lifecycle:
    """Make the lifecycle of the worker's main process.

    Add what belongs to it with ``lifecycle.append``: started before the first task, stopped after
    the last. The tasks are done in child processes, which are forked before any of that starts.
    """
    return Lifecycle(worker_budget(settings))


def worker_budget(settings: Settings) -> Budget:
    """The service's budget, but the drain's share is for Celery's child processes to end: 2 s."""
    budget = settings.budget
    return Budget.derive(
        budget.grace, drain=0, requests=budget.requests, cleanup=budget.drain + budget.cleanup
    )


def main() -> None:
    """Do tasks until a signal."""
    settings = load_settings()
    logs.configure(settings.log_level, json=not sys.stdout.isatty())
    signals.setup_logging.connect(lambda **_: None, weak=False)  # it is set up already
    # It says "succeeded" of tasks that have failed, too.
    logging.getLogger("celery.app.trace").setLevel(logging.WARNING)
    celery = create_celery(settings)
    if problem := refusal(celery):
        logger.error("wrong setting: BROKER_URL: the broker refuses it: %s", problem)
        sys.exit(START_FAILED)
    lifecycle = create_lifecycle(settings)
    leaving = Leaving(create_records(settings.records_url))
    lifecycle.append(Hook("tasks", stop=leaving.hand_back, timeout=lifecycle.budget.cleanup))
    add_steps(celery, lifecycle, leaving, settings.worker_heartbeat_file)
    worker = Worker(
        celery, quiet=True, loglevel=settings.log_level, without_gossip=True, without_mingle=True
    )
    worker.start()
    leaving.ended.set_result(worker.exitcode)
    lifecycle.stop()
    sys.exit(worker.exitcode)


def refusal(celery: Celery) -> str | None:
    """Why the broker will not let us in; None if it does, or is down, which need not last."""
    try:
        with celery.connection_for_read() as connection:
            connection.channel()
    except REFUSALS as error:
        return str(error)
    except UNAVAILABLE:
        pass
    return None


class Leaving:
    """How the worker leaves: it takes no more tasks, finishes those at hand, and then ends.

    Celery's warm shutdown ends its main loop first. What its children say at that moment is not
    heard: tasks that were just begun are not acknowledged, and thus done twice. And Celery's soft
    shutdown always takes all of its time.

    Args:
        records: where to note which tasks are handed back.
    """

    def __init__(self, records: TaskRecords) -> None:
        self._records = records
        self._asked = False
        self._taking_no_more = False
        self._late = False
        self._handed_back = 0
        self._consumer: Any = None  # Celery's, while it is connected to the broker
        self.ended: Future[int] = Future()  # with Celery's exit code

    def ask(self, *_: object) -> None:
        """Leave as soon as possible: this is the signal handler that the lifecycle chains."""
        self._asked = True
        if self._consumer is None:
            _end_main_loop()

    def hand_back(self) -> dict[str, int]:
        """Interrupt the tasks at hand, if there are any; return when the broker has them back.

        Raises:
            RuntimeError: Celery has not ended well.
        """
        self._late = True
        if code := self.ended.result():
            raise RuntimeError(f"Celery has ended with {code}")
        begun = sum(state.total_count.values())
        return {"done": begun - self._handed_back, "handed_back": self._handed_back}

    def connected(self, consumer: Any) -> None:
        """The main loop is about to run."""
        self._consumer = consumer

    def disconnected(self) -> None:
        """The main loop has ended: the connection is lost, and Celery has stopped all tasks."""
        self._consumer = None
        if self._asked:
            _end_main_loop()

    def look(self) -> None:
        """Do the next step, if one is due. The main loop calls this every 0.1 s."""
        if not self._asked:
            return
        if not self._taking_no_more:
            self._taking_no_more = True
            self._consumer.task_consumer.cancel()
            logger.info("taking no more tasks", extra={"at_work": len(state.reserved_requests)})
        if self._late:
            self._interrupt(tuple(state.active_requests))
        if self._late or not state.reserved_requests:
            _end_main_loop()

    def _interrupt(self, requests: Sequence[Any]) -> None:
        for request in requests:
            request.cancel(self._consumer.pool, signal="KILL", emit_retry=False)
        self._handed_back += len(requests)
        # If the records do not answer, they go on saying "running": wait once, not for each task.
        with contextlib.suppress(QueueUnavailableError):
            for request in requests:
                self._records.hand_back(request.id)


def _end_main_loop() -> None:
    state.should_stop = 0


def add_steps(celery: Celery, lifecycle: Lifecycle, leaving: Leaving, heartbeat_file: Path) -> None:
    """Have Celery start the lifecycle, and its main loop look after *leaving* and the heartbeat."""

    class StartLifecycle(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery is not typed
        requires = ("celery.worker.components:Pool",)  # which forks, and is before any thread then

        def start(self, worker: Worker) -> None:
            signal.signal(signal.SIGTERM, leaving.ask)
            # Celery would start the program anew in this process, behind the lifecycle's back.
            signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
            try:
                lifecycle.start(server_signal=signal.SIGTERM)
            except StartError as error:
                logger.error("%s", error)
                raise SystemExit(START_FAILED) from None

        def stop(self, worker: Worker) -> None:
            """Done at the end of :func:`main`, when all the other steps have stopped."""

    class MainLoop(bootsteps.StartStopStep):  # type: ignore[misc]
        requires = ("celery.worker.consumer.tasks:Tasks",)
        _timers: Sequence[Any] = ()

        def start(self, consumer: Any) -> None:
            leaving.connected(consumer)
            heartbeat_file.touch()
            self._timers = [
                consumer.timer.call_repeatedly(LOOK_SECONDS, leaving.look),
                consumer.timer.call_repeatedly(HEARTBEAT_SECONDS, heartbeat_file.touch),
            ]

        def stop(self, consumer: Any) -> None:
            for timer in self._timers:
                timer.cancel()
            heartbeat_file.unlink(missing_ok=True)
            leaving.disconnected()

    celery.steps["worker"].add(StartLifecycle)
    celery.steps["consumer"].add(MainLoop)


if __name__ == "__main__":
    main()

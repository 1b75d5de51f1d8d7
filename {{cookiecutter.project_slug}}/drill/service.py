"""Stops one service under load."""

from __future__ import annotations

import http.client
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from tests.servers import ServerProcess

from .load import Load, Target
from .record import Plan, Record, Stop, WorkerStop
from .terminal import Screen

HOST = "127.0.0.1"
POLL_SECONDS = 0.005  # after the signal
CHECK_SECONDS = 0.1  # before it
GONE = 0
# How long a service may take to end, if its log does not tell, and on top of what the log tells.
PATIENCE_SECONDS, SPARE_SECONDS = 60.0, 10.0


def stop_one_service(plan: Plan, screen: Screen) -> Record:
    """Start it, put it under load, send the signal, and watch until it has ended."""
    screen.event("starting the service")
    with start_service(plan) as server:
        load = start_load(plan, server.port)
        with load, screen.watching(load):
            screen.status = "serving"
            _ask_for_readiness(server.port, plan.duration)
            with signalled(server, "service", plan, screen) as stop:
                if plan.signal is signal.SIGHUP:
                    _wait_for_reload(server, stop)
                    screen.event("the old workers are gone")
                time.sleep(max(0.0, stop.signalled + plan.after - time.monotonic()))
                load.finish()
                screen.event("clients have stopped")
                if plan.signal is not signal.SIGHUP:
                    screen.status = "finishing"
                    wait_for_end(server, stop)
                    screen.event(ending(stop))
        stops = [stop]
        if plan.signal is signal.SIGHUP:
            stops.append(_stop_after_reload(server, plan, screen))
    setup = "Clients were connected to the service itself."
    return record(plan, load, stops, setup)


def start_service(plan: Plan, port: int = 0) -> ServerProcess:
    """Start the service, at a free port or a given one. It has a second to end when interrupted."""
    return ServerProcess(
        plan.command,
        env={**plan.environment, "PORT": str(port)},
        workers=plan.workers,
        stop_timeout=1,
    )


def start_load(plan: Plan, port: int) -> Load:
    """The clients, for a ``with`` block."""
    target = Target(HOST, port, plan.method, plan.path, plan.body, plan.headers)
    return Load(target, rate=plan.rate, connections=plan.connections, timeout=plan.timeout)


def record(plan: Plan, load: Load, stops: list[Stop], setup: str) -> Record:
    """What was seen, after the load."""
    ended = load.ended or load.begun
    return Record(plan, load.begun, ended, load.sent, load.requests, stops, setup)


@contextmanager
def signalled(server: ServerProcess, name: str, plan: Plan, screen: Screen) -> Iterator[Stop]:
    """Send the signal, and watch readiness during the block."""
    stop = Stop(name, plan.signal, time.monotonic(), plan.workers)
    enough = threading.Event()
    watch = threading.Thread(target=_watch_readiness, args=(server.port, stop, enough, screen))
    server.signal(stop.signal)
    screen.signalled(stop)
    watch.start()
    try:
        yield stop
    finally:
        enough.set()
        watch.join()


def _watch_readiness(port: int, stop: Stop, enough: threading.Event, screen: Screen) -> None:
    """Ask on connections of our own, until the service says that it is not ready any more."""
    while not enough.wait(POLL_SECONDS):
        status = _readiness(port)
        if status == GONE:
            return
        if status is not None and status != http.client.OK:
            stop.unready = time.monotonic()
            screen.event(f"{stop.name}: GET /readyz says {status}")
            return


def _ask_for_readiness(port: int, seconds: float) -> None:
    """Let the time pass, and ask now and then, as a load balancer does before a stop, too."""
    until = time.monotonic() + seconds
    while (remaining := until - time.monotonic()) > 0:
        _readiness(port)
        time.sleep(min(CHECK_SECONDS, remaining))


def _readiness(port: int) -> int | None:
    """The status of ``/readyz``; GONE if nobody listens, None for any other failure."""
    connection = http.client.HTTPConnection(HOST, port, timeout=1)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status
    except ConnectionRefusedError:
        return GONE
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def wait_for_end(server: ServerProcess, stop: Stop) -> None:
    """Wait until the last process is gone, and write down what they say about it."""
    try:
        stop.exit_code = server.wait(patience(server))
    except AssertionError:
        stop.problem = f"still running {time.monotonic() - stop.signalled:.0f} s after the signal"
    stop.ended = time.monotonic()
    stop.workers = worker_stops(server)


def patience(server: ServerProcess) -> float:
    """How long to wait for the end, in seconds: what the service says it needs, and some more."""
    for line in server.records:
        if line["event"] == "ready" and "stop_takes_at_most_seconds" in line:
            return float(line["stop_takes_at_most_seconds"]) + SPARE_SECONDS
    return PATIENCE_SECONDS


def worker_stops(server: ServerProcess) -> list[WorkerStop]:
    """The shutdown reports so far, with their times on the monotonic clock."""
    now, wall = time.monotonic(), time.time()
    stops = []
    for line in server.records:
        if report := line.get("report"):
            said = line.get("timestamp")  # only the production log has it
            ended = now if said is None else now - wall + datetime.fromisoformat(said).timestamp()
            stops.append(WorkerStop(line["process"], ended, report))
    return stops


def ending(stop: Stop) -> str:
    """In words, how it ended."""
    return f"{stop.name}: {stop.problem or f'ended with exit code {stop.exit_code}'}"


def _wait_for_reload(server: ServerProcess, stop: Stop) -> None:
    """Wait until every worker has been replaced."""
    workers = stop.expected_workers

    def replaced() -> bool:
        return len(server.reports) >= workers and len(server.worker_pids) >= 2 * workers

    try:
        server.wait_until(replaced, patience(server), "new workers")
    except AssertionError:
        stop.problem = "the workers were not replaced"
    stop.ended = time.monotonic()
    stop.workers = worker_stops(server)


def _stop_after_reload(server: ServerProcess, plan: Plan, screen: Screen) -> Stop:
    """End the service when all has been seen: without a drain, for there is no client left."""
    before = len(server.reports)
    stop = Stop("service after the reload", signal.SIGINT, time.monotonic(), plan.workers)
    server.signal(stop.signal)
    wait_for_end(server, stop)
    stop.workers = stop.workers[before:]
    screen.event(ending(stop))
    return stop

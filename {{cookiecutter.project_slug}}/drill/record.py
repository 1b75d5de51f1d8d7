"""What a drill is asked to do, and what it writes down. Times are in seconds."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .load import Request


@dataclass(frozen=True)
class Plan:
    """What to do.

    Args:
        command: starts the service.
        environment: the service's settings.
        workers: how many processes shall serve.
        rate: requests per second.
        duration: how long the load lasts before the first signal.
        after: how long clients go on after the last one.
        connections: how many connections clients keep.
        timeout: how long clients wait for an answer.
        signal: what to send.
        replicas: how many copies to replace in turn behind a load balancer; 0 for a plain stop.
        rounds: how often to replace each.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    workers: int
    rate: float
    duration: float
    after: float
    method: str
    path: str
    body: bytes
    headers: Mapping[str, str]
    connections: int
    timeout: float
    signal: signal.Signals
    replicas: int
    rounds: int
    json: Path | None
    html: Path | None


@dataclass(frozen=True)
class WorkerStop:
    """One worker's own account of its stop.

    Args:
        process: its process id.
        ended: when it wrote its shutdown report, on the monotonic clock.
        report: that report.
    """

    process: int
    ended: float
    report: Mapping[str, Any]

    @property
    def phases(self) -> Mapping[str, float]:
        """How long each took, in the order they came."""
        phases: Mapping[str, float] = self.report["phases"]
        return phases

    @property
    def begun(self) -> float:
        """When it began to stop, on the monotonic clock."""
        return self.ended - sum(self.phases.values())


@dataclass
class Stop:
    """One service from the signal to its end, on the monotonic clock.

    Args:
        name: what was stopped.
        signal: what it was sent.
        signalled: when.
        expected_workers: how many processes were to report.
        unready: when ``/readyz`` first said that it should get no more requests.
        ended: when the last process was gone, or, at a reload, the last old worker; or when the
            drill gave up, see *problem*.
        ready_again: when its successor was ready.
        exit_code: None when it had to be killed, or, at a reload, since it goes on.
        problem: why there is no exit code.
        workers: the shutdown reports.
    """

    name: str
    signal: signal.Signals
    signalled: float
    expected_workers: int
    unready: float | None = None
    ended: float | None = None
    ready_again: float | None = None
    exit_code: int | None = None
    problem: str | None = None
    workers: list[WorkerStop] = field(default_factory=list)


@dataclass(frozen=True)
class Record:
    """Everything that was seen.

    Args:
        plan: what was to be done.
        begun: when clients began, on the monotonic clock.
        clients_ended: when they sent their last request.
        sent: how many requests clients have sent.
        requests: what became of each.
        stops: in the order of their signals.
        setup: in words, what stood between clients and service.
    """

    plan: Plan
    begun: float
    clients_ended: float
    sent: int
    requests: list[Request]
    stops: list[Stop]
    setup: str

    @property
    def zero(self) -> float:
        """The first signal, which all times are told from."""
        return self.stops[0].signalled

    @property
    def ended(self) -> float:
        """When the last of it was over."""
        ends = [stop.ended or stop.signalled for stop in self.stops]
        return max(self.clients_ended, *ends, *(request.end for request in self.requests))

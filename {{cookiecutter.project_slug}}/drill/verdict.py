"""What a drill's record means."""

from __future__ import annotations

import math
import signal
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .load import Request
from .record import Record, Stop

SHOWN_LOSSES = 1000  # in the JSON file, one by one


@dataclass(frozen=True)
class Latency:
    """How long answers took, in milliseconds."""

    p50: float
    p99: float
    max: float

    def __str__(self) -> str:
        return f"p50 {self.p50:.1f} ms, p99 {self.p99:.1f} ms, max {self.max:.1f} ms"


@dataclass(frozen=True)
class Group:
    """Requests that have something in common."""

    sent: int
    lost: int
    latency: Latency | None

    @property
    def answered(self) -> int:
        """How many got a complete answer, other than a server's error."""
        return self.sent - self.lost

    @classmethod
    def of(cls, requests: Iterable[Request]) -> Group:
        every = list(requests)
        answered = [request for request in every if request.loss is None]
        return cls(len(every), len(every) - len(answered), _latency(answered))


class Verdict:
    """Counts, and judges.

    A request is lost when it was sent and got no complete answer, when the answer was a server's
    error (5xx), or when its connection was refused while clients were still to be served.
    """

    def __init__(self, record: Record) -> None:
        self.record = record
        requests = record.requests
        self.all = Group.of(requests)
        sorted_out: dict[str, list[Request]] = {"steady": [], "in_flight": [], "stopping": []}
        for request in requests:
            sorted_out[moment(request, record.stops)].append(request)
        self.groups = {name: Group.of(group) for name, group in sorted_out.items()}
        self.losses = Counter(request.loss for request in requests if request.loss is not None)
        self.statuses = Counter(request.status for request in requests if request.status)
        self.kept = sum(request.kept for request in requests)
        self.tasks = _tasks(record.stops)
        # A drill whose requests are all refused shows nothing: the path or the method is wrong.
        self.refused = bool(self.statuses) and all(400 <= status < 500 for status in self.statuses)
        self.problems = [*self._losses_in_words(), *self._faults_of_stops()]
        if self.refused:
            answers = ", ".join(map(str, sorted(self.statuses)))
            self.problems.append(f"every answer was {answers}: is the request a right one?")

    @property
    def ok(self) -> bool:
        """Whether nothing was lost, and every service said so itself with exit code 0."""
        return not self.problems

    @property
    def headline(self) -> str:
        """The verdict in a few words."""
        if self.all.lost:
            return f"{self.all.lost:,} of {self.all.sent:,} requests were lost"
        if self.refused:
            return "Every request was refused, so nothing is proven"
        return "Nothing was lost" if self.ok else "No request was lost, but the stop was not clean"

    @property
    def exit_codes(self) -> list[int | None]:
        """Of every process that was to end."""
        return [stop.exit_code for stop in self.record.stops if stop.signal != signal.SIGHUP]

    def as_dict(self) -> dict[str, Any]:
        """Everything, for machines. Times are in seconds after the first signal."""
        record, plan = self.record, self.record.plan
        lost = [request for request in record.requests if request.loss is not None]
        return {
            "ok": self.ok,
            "headline": self.headline,
            "problems": self.problems,
            "plan": {
                "command": list(plan.command),
                "environment": dict(plan.environment),
                "signal": plan.signal.name,
                "requests_per_second": plan.rate,
                "request": f"{plan.method} {plan.path}",
                "connections": plan.connections,
                "replicas": plan.replicas,
                "rounds": plan.rounds,
                "setup": record.setup,
            },
            "clients_began": self.after_signal(record.begun),
            "clients_ended": self.after_signal(record.clients_ended),
            "requests": {
                "sent": self.all.sent,
                "answered": self.all.answered,
                "lost": self.all.lost,
                "on_kept_connections": self.kept,
                "statuses": {str(status): n for status, n in sorted(self.statuses.items())},
                **{name: _group_as_dict(group) for name, group in self.groups.items()},
            },
            "lost_because": dict(self.losses.most_common()),
            "lost": [
                {
                    "at": self.after_signal(request.due),
                    "seconds": round(request.latency, 4),
                    "because": request.loss,
                    "connection": "kept" if request.kept else "new",
                }
                for request in lost[:SHOWN_LOSSES]
            ],
            "tasks": dict(self.tasks),
            "stops": [self._stop_as_dict(stop) for stop in record.stops],
        }

    def after_signal(self, when: float) -> float:
        """A time on the monotonic clock, in seconds after the first signal."""
        return round(when - self.record.zero, 4)

    def _stop_as_dict(self, stop: Stop) -> dict[str, Any]:
        def since_signal(when: float | None) -> float | None:
            return None if when is None else round(when - stop.signalled, 4)

        return {
            "name": stop.name,
            "signal": stop.signal.name,
            "signalled_at": self.after_signal(stop.signalled),
            "unready_after": since_signal(stop.unready),
            "ended_after": since_signal(stop.ended),
            "ready_again_after": since_signal(stop.ready_again),
            "exit_code": stop.exit_code,
            "problem": stop.problem,
            "workers": [{"process": each.process, **each.report} for each in stop.workers],
        }

    def _losses_in_words(self) -> list[str]:
        words = [f"{number:,} lost: {loss}" for loss, number in self.losses.most_common()]
        if unknown := self.record.sent - len(self.record.requests):
            words.append(f"{unknown:,} unaccounted for, a fault of the drill itself")
        if not self.all.sent:
            words.append("no request was sent")
        return words

    def _faults_of_stops(self) -> list[str]:
        words = []
        for stop in self.record.stops:
            if stop.problem is not None:
                words.append(f"{stop.name}: {stop.problem}")
            elif stop.exit_code:
                words.append(f"{stop.name}: exit code {stop.exit_code}")
            if missing := stop.expected_workers - len(stop.workers):
                words.append(f"{stop.name}: {missing} worker(s) left no shutdown report")
            for worker in stop.workers:
                words += [
                    f"{stop.name}, worker {worker.process}: {problem}"
                    for problem in worker.report["problems"]
                ]
        return words


def moment(request: Request, stops: Iterable[Stop]) -> str:
    """Which group a request belongs to: ``steady``, ``in_flight`` at a signal, or ``stopping``."""
    for stop in stops:
        if request.due < stop.signalled <= request.end:
            return "in_flight"
        if stop.signalled <= request.due <= (stop.ended or math.inf):
            return "stopping"
    return "steady"


def details(hook: Mapping[str, Any]) -> str:
    """What a hook has said about its stop, such as tasks handed back."""
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in hook["details"].items())


def milliseconds(seconds: float) -> str:
    """A short time, in words."""
    return f"{seconds * 1000:,.0f} ms"


def _latency(answered: list[Request]) -> Latency | None:
    if not answered:
        return None
    times = sorted(request.latency * 1000 for request in answered)

    def percentile(share: float) -> float:
        return round(times[math.ceil(share * len(times)) - 1], 2)

    return Latency(percentile(0.5), percentile(0.99), percentile(1))


def _group_as_dict(group: Group) -> dict[str, Any]:
    milliseconds = group.latency and {
        "p50": group.latency.p50,
        "p99": group.latency.p99,
        "max": group.latency.max,
    }
    return {
        "sent": group.sent,
        "answered": group.answered,
        "lost": group.lost,
        "latency_ms": milliseconds,
    }


def _tasks(stops: Iterable[Stop]) -> Counter[str]:
    """What hooks have counted at their stop, such as tasks done, handed back and remaining."""
    counts: Counter[str] = Counter()
    for stop in stops:
        for worker in stop.workers:
            for hook in worker.report["hooks"]:
                for name, value in hook["details"].items():
                    if isinstance(value, bool) or not isinstance(value, int):
                        continue
                    # All workers see the same tasks that remain.
                    counts[name] = value if name == "remaining" else counts[name] + value
    return counts

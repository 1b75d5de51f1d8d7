"""What people see in the terminal: progress, then the verdict. Plain lines where there is none."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from .load import Load
from .record import Stop
from .verdict import Verdict, details, milliseconds

BARS = "▁▂▃▄▅▆▇█"
BAR_SECONDS, BARS_SHOWN = 0.25, 40


class Screen:
    """Tells what happens, while it happens."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.status = ""
        self._spinner = Spinner("dots")
        self._signalled: float | None = None
        self._lock = threading.Lock()

    def event(self, what: str) -> None:
        """Something has happened, now."""
        since = "" if self._signalled is None else f"{time.monotonic() - self._signalled:+.2f} s"
        with self._lock:
            line = Text.assemble((f"{since:>9}  ", "dim"), what)
            self.console.print(line, soft_wrap=True)

    def signalled(self, stop: Stop) -> None:
        """A signal has been sent."""
        if self._signalled is None:
            self._signalled = stop.signalled
        self.status = f"{stop.name} stops"
        self.event(f"{stop.name}: {stop.signal.name} sent")

    @contextmanager
    def watching(self, load: Load) -> Iterator[None]:
        """Show the load during the block."""
        self.event("clients have begun")
        if not self.console.is_terminal:
            yield
            return
        with Live(
            get_renderable=lambda: self._draw(load),
            console=self.console,
            refresh_per_second=8,
            transient=True,
        ):
            yield

    def _draw(self, load: Load) -> RenderableType:
        requests = load.requests[:]
        lost = sum(request.loss is not None for request in requests)
        numbers = Text.assemble(
            (f"{load.sent:,}", "bold"),
            " sent   ",
            (f"{len(requests) - lost:,}", "bold green"),
            " answered   ",
            (f"{lost:,}", "bold red" if lost else "bold"),
            " lost",
        )
        bars = Text.assemble(("answers  ", "dim"), (_bars(load), "cyan"))
        self._spinner.update(text=Text(self.status, "bold"))
        return Group(Text(), self._spinner, numbers, bars)


def _bars(load: Load) -> str:
    """How many answers came in each quarter of a second, lately."""
    now = time.monotonic()
    counts = [0] * BARS_SHOWN
    for request in reversed(load.requests[:]):
        age = int((now - request.end) / BAR_SECONDS)
        if age >= BARS_SHOWN:
            break
        if request.loss is None:
            counts[BARS_SHOWN - 1 - age] += 1
    most = max(*counts, 1)
    return "".join(BARS[round(count / most * (len(BARS) - 1))] for count in counts)


def print_verdict(verdict: Verdict, console: Console) -> None:
    """Print what became of it."""
    sections = [
        ("Requests", _requests(verdict)),
        ("Latency", _latencies(verdict)),
        ("Stop" if len(verdict.record.stops) == 1 else "Stops", _stops(verdict)),
    ]
    for title, rows in sections:
        console.print(Text(f"\n{title}", "bold"))
        if not console.is_terminal:
            for label, value in rows:
                console.print(f"  {label}: {value}", soft_wrap=True, highlight=False, markup=False)
            continue
        table = Table.grid(padding=(0, 2), pad_edge=True)
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for label, value in rows:
            table.add_row(Text(label), Text(value))
        console.print(table)
    mark, style = ("✔", "bold green") if verdict.ok else ("✘", "bold red")
    console.print(Text(f"\n{mark} {verdict.headline}.", style), soft_wrap=True)
    for problem in verdict.problems:
        console.print(Text(f"  {problem}", "red"), soft_wrap=True)


def labels(verdict: Verdict) -> dict[str, str]:
    """How people call the groups of requests."""
    if verdict.record.plan.replicas:
        return {
            "steady": "between the stops",
            "in_flight": "in flight at a signal",
            "stopping": "while a replica stopped",
        }
    return {
        "steady": "before the signal",
        "in_flight": "in flight at the signal",
        "stopping": "after the signal",
    }


def _requests(verdict: Verdict) -> list[tuple[str, str]]:
    rows = []
    for name, label in labels(verdict).items():
        group = verdict.groups[name]
        rows.append((label, f"{group.sent:,} sent, {group.answered:,} answered, {group.lost} lost"))
    rows.append(("connections", f"{verdict.kept:,} requests on kept ones, others on new ones"))
    statuses = ", ".join(f"{status}: {n:,}" for status, n in sorted(verdict.statuses.items()))
    rows.append(("status codes", statuses or "none"))
    return rows


def _latencies(verdict: Verdict) -> list[tuple[str, str]]:
    return [
        (label, str(group.latency))
        for name, label in labels(verdict).items()
        if (group := verdict.groups[name]).latency is not None
    ]


def _stops(verdict: Verdict) -> list[tuple[str, str]]:
    rows = []
    for stop in verdict.record.stops:
        took = f"{stop.ended - stop.signalled:.2f} s" if stop.ended else "never"
        code = f", exit code {stop.exit_code}" if stop.exit_code is not None else ""
        how = "given up" if stop.problem else "gone"
        rows.append((stop.name, f"{stop.signal.name}, {how} after {took}{code}"))
        if stop.unready is not None:
            rows.append(("  /readyz", f"503 after {milliseconds(stop.unready - stop.signalled)}"))
        for worker in stop.workers:
            phases = ", ".join(f"{name} {took:.3f} s" for name, took in worker.phases.items())
            report = worker.report
            done = f"{report['requests_completed']:,} requests completed"
            left = f"{report['requests_abandoned']} abandoned"
            rows.append((f"  worker {worker.process}", f"{phases}; {done}, {left}"))
            for hook in report["hooks"]:
                said = details(hook)
                outcome = f"{hook['outcome']} in {milliseconds(hook['seconds'])}"
                rows.append((f"    hook {hook['name']}", f"{outcome}{said and ': '}{said}"))
    if verdict.tasks:
        counts = ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in verdict.tasks.items())
        rows.append(("tasks, in all", counts))
    return rows

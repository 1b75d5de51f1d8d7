"""The drill as one page that needs nothing else: what happened, in words, numbers and a picture."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from string import Template

from tests.servers import PROJECT

from .record import Stop, WorkerStop
from .terminal import labels
from .timeline import SHAPES, timeline
from .verdict import Verdict, details, milliseconds

TEMPLATE = Path(__file__).with_name("page.html")

ICONS = {
    True: '<path d="M7 12.5l3.5 3.5L17 9"/>',
    False: '<path d="M8.5 8.5l7 7m0-7l-7 7"/>',
}
LEGEND = {
    "steady": "answered",
    "stopping": "answered during a stop",
    "lost": "lost",
    "ready": "ready",
    "unready": "not ready",
    "drain": "drain",
    "requests": "requests finish",
    "cleanup": "cleanup",
    "hook": "hook",
}


def write_page(verdict: Verdict, file: Path) -> None:
    """Write the page."""
    template = Template(TEMPLATE.read_text("utf-8"))
    page = template.substitute(
        title=f"{escape(verdict.headline)}: shutdown drill of {escape(PROJECT.name)}",
        tone="good" if verdict.ok else "bad",
        project=escape(PROJECT.name),
        date=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        icon=_icon(verdict.ok),
        headline=escape(verdict.headline),
        summary=escape(summary(verdict)),
        problems=_problems(verdict),
        tiles=_tiles(verdict),
        legend=_legend(verdict),
        timeline=timeline(verdict, summary(verdict)),
        groups=_groups(verdict),
        stops="\n".join(_stop(stop, len(verdict.record.stops)) for stop in verdict.record.stops),
        notes=_notes(verdict),
    )
    file.write_text(page, "utf-8")


def summary(verdict: Verdict) -> str:
    """What happened, in two sentences."""
    every, plan = verdict.all, verdict.record.plan
    answered = f"{every.answered:,} of {every.sent:,} requests were answered"
    if plan.replicas:
        times = "once" if plan.rounds == 1 else f"{plan.rounds} times"
        what = f"while {plan.replicas} replicas were replaced one after the other, {times}"
    else:
        done = "reloaded" if plan.signal is signal.SIGHUP else "stopped"
        what = f"while the service was {done} with {plan.signal.name}"
    return f"{answered} {what}. Exit code: {_exit_codes(verdict)}."


def _exit_codes(verdict: Verdict) -> str:
    """Each once."""
    return ", ".join(sorted({"none" if code is None else f"{code}" for code in verdict.exit_codes}))


def _icon(ok: bool) -> str:
    circle = '<circle cx="12" cy="12" r="10.5"/>'
    return (
        f'<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2.4"'
        f' stroke-linecap="round" aria-hidden="true">{circle}{ICONS[ok]}</svg>'
    )


def _problems(verdict: Verdict) -> str:
    items = "".join(f"<li>{escape(problem)}" for problem in verdict.problems)
    return f'<ul class="problems">{items}</ul>' if items else ""


def _tiles(verdict: Verdict) -> str:
    every, stops = verdict.all, verdict.record.stops
    tiles = [
        ("Answered", f"{every.answered:,}", f"of {every.sent:,} requests"),
        ("Lost", f"{every.lost:,}", "no good answer"),
    ]
    steady, stopping = (verdict.groups[name].latency for name in ("steady", "stopping"))
    if steady and stopping:
        was = f"p99, against {steady.p99:.1f} ms otherwise"
        tiles.append(("Latency during a stop", f"{stopping.p99:.1f} ms", was))
    flips = [stop.unready - stop.signalled for stop in stops if stop.unready]
    if flips:
        after = "from signal to 503" if len(flips) == 1 else "from signal to 503, at most"
        tiles.append(("Readiness gone in", milliseconds(max(flips)), after))
    ends = [stop.ended - stop.signalled for stop in stops if stop.ended and not stop.problem]
    if ends:
        after = "from signal to the end" + ("" if len(ends) == 1 else ", at most")
        tiles.append(("Stopped in", f"{max(ends):.2f} s", after))
    count = len(verdict.exit_codes)
    ended = "of the service" if count == 1 else f"of {count} services"
    tiles.append(("Exit code", _exit_codes(verdict), ended))
    return "\n".join(
        f"<div><dt>{label}</dt><dd>{value}<small>{note}</small></dd></div>"
        for label, value, note in tiles
    )


def _legend(verdict: Verdict) -> str:
    shown = {name: label for name, label in LEGEND.items() if name != "lost" or verdict.all.lost}
    return "\n".join(
        f'<li><svg viewBox="0 0 16 12" aria-hidden="true">{SHAPES[name]}</svg>{label}</li>'
        for name, label in shown.items()
    )


def _groups(verdict: Verdict) -> str:
    rows = []
    for name, label in labels(verdict).items():
        group = verdict.groups[name]
        times = group.latency
        cells = [f"{group.sent:,}", f"{group.lost:,}"]
        cells += [f"{ms:.1f}" for ms in (times.p50, times.p99, times.max)] if times else ["–"] * 3  # noqa: RUF001
        rows.append(f'<tr><th scope="row">{label}{"".join(f"<td>{cell}" for cell in cells)}</tr>')
    return "\n".join(rows)


def _stop(stop: Stop, count: int) -> str:
    facts = [stop.signal.name]
    if stop.unready is not None:
        facts.append(f"503 after {milliseconds(stop.unready - stop.signalled)}")
    if stop.ended is not None:
        how = "given up" if stop.problem else "gone"
        facts.append(f"{how} after {stop.ended - stop.signalled:.2f} s")
    if stop.exit_code is not None:
        facts.append(f"exit code {stop.exit_code}")
    opened = " open" if count <= 2 or stop.problem or stop.exit_code else ""
    workers = "\n".join(map(_worker, stop.workers)) or "<p>There is no report.</p>"
    return (
        f"<details{opened}><summary>{escape(stop.name)} <span>{', '.join(facts)}</span></summary>\n"
        f'<div class="workers">{workers}</div></details>'
    )


def _worker(worker: WorkerStop) -> str:
    report = worker.report
    rows = [(name, f"{seconds:.3f} s") for name, seconds in worker.phases.items()]
    completed, abandoned = report["requests_completed"], report["requests_abandoned"]
    rows.append(("completed", f"{completed:,} requests since the signal"))
    rows.append(("abandoned", f"<b>{abandoned:,} requests</b>" if abandoned else "none"))
    for hook in report["hooks"]:
        outcome = escape(hook["outcome"])
        what = outcome if outcome == "ok" else f"<b>{outcome}</b>"
        more = escape(", ".join(filter(None, [hook["error"], details(hook)])))
        took = milliseconds(hook["seconds"])
        rows.append((f"hook {escape(hook['name'])}", f"{what} in {took}{more and ': '}{more}"))
    return f"<div><h3>Worker {worker.process}</h3>{_facts(rows)}</div>"


def _facts(rows: Iterable[tuple[str, str]]) -> str:
    return f'<dl class="facts">{"".join(f"<dt>{name}<dd>{value}" for name, value in rows)}</dl>'


def _notes(verdict: Verdict) -> str:
    record, plan = verdict.record, verdict.record.plan
    settings = " ".join(f"{name}={value}" for name, value in sorted(plan.environment.items()))
    command = escape(f"{settings} {shlex.join(plan.command)}")
    others = verdict.all.sent - verdict.kept
    statuses = ", ".join(f"{n:,} × {status}" for status, n in sorted(verdict.statuses.items()))  # noqa: RUF001
    notes = [
        f"The service: <code>{command}</code>. {escape(record.setup)}",
        f"The load: <code>{escape(plan.method)} {escape(plan.path)}</code>, {plan.rate:g} times a"
        f" second, due whether or not earlier ones had been answered; {verdict.kept:,} on kept"
        f" connections, {others:,} on new ones. Clients went on for {plan.after:g} s after the"
        f" last step, since load balancers lag behind. Answers: {statuses or 'none'}.",
        "A request is lost when it was sent and no complete answer came, when the answer was a"
        " server’s error (5xx), or when its connection was refused while clients still sent.",  # noqa: RUF001
    ]
    return "\n".join(f"<p>{note}</p>" for note in notes)

"""The timeline as SVG.

Horizontal places are percentages and vertical ones pixels, so the picture fits every screen and
its text is never scaled.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import escape

from .load import Request
from .record import Record, WorkerStop
from .verdict import Verdict, moment

LABELS, PLOT, AXIS = 40, 250, 30
LANE, BAND, HOOK = 26, 17, 7
LOST_ROW = 24
COLUMNS, ROWS = 320, 80  # more requests than one in such a field are one bigger dot
WIDE = 14  # percent: a band that has room for its name

SHAPES = {
    "steady": '<circle class="steady" cx="8" cy="6" r="3.2"/>',
    "stopping": '<path class="stopping" d="M8 1.5L12.500 6L8 10.5L3.500 6z"/>',
    "lost": '<path class="cross" d="M4.500 2.500l7 7m0-7l-7 7"/>',
    **{
        name: f'<rect class="band {name}" width="16" height="12" rx="2"/>{pattern}'
        for name, pattern in {
            "ready": "",
            "unready": "",
            "drain": '<rect width="16" height="12" fill="url(#drain)"/>',
            "requests": '<rect width="16" height="12" fill="url(#requests)"/>',
            "cleanup": '<rect width="16" height="12" fill="url(#cleanup)"/>',
        }.items()
    },
    "hook": '<rect class="hook" x="2" y="4" width="12" height="4"/>',
}
DEFINITIONS = f"""<defs>
{"".join(f'<circle id="c{n}" class="steady" r="{r}"/>' for n, r in enumerate((2, 2.6, 3.3)))}
{
    "".join(
        f'<path id="d{n}" class="stopping" d="M0-{r}L{r} 0L0 {r}L-{r} 0z"/>'
        for n, r in enumerate((2.6, 3.3, 4.1))
    )
}
<path id="x" class="cross" d="M-3.500-3.500l7 7m0-7l-7 7"/>
<g stroke="currentColor" stroke-opacity=".35" fill="none">
<pattern id="drain" width="6" height="6" patternUnits="userSpaceOnUse">
<path d="M-1 1l2-2M0 6l6-6M5 7l2-2"/></pattern>
<pattern id="requests" width="5" height="5" patternUnits="userSpaceOnUse">
<path d="M2.500 0v5"/></pattern>
<pattern id="cleanup" width="5" height="5" patternUnits="userSpaceOnUse">
<path d="M0 2.500h5"/></pattern>
</g>
</defs>"""


@dataclass
class Lane:
    """One row below the requests: bands, and the hooks' bars under them.

    Args:
        name: what it shows.
        bands: from, to (on the monotonic clock), the style, and the words.
        hooks: from, to, whether it went well, and the words.
    """

    name: str
    bands: list[tuple[float, float, str, str]] = field(default_factory=list)
    hooks: list[tuple[float, float, bool, str]] = field(default_factory=list)


class Scale:
    """Where things are."""

    def __init__(self, record: Record, answered: list[Request], top: int) -> None:
        self.begin, self.end, self.zero = record.begun, record.ended, record.zero
        times = [max(request.latency * 1000, 0.01) for request in answered] or [1.0]
        self.low = math.floor(math.log10(min(times)) * 2) / 2
        self.high = max(math.ceil(math.log10(max(times)) * 2) / 2, self.low + 1)
        self.top, self.bottom = top, LABELS + PLOT
        self.exponents = range(math.ceil(self.low), math.floor(self.high) + 1)

    def percent(self, when: float) -> float:
        return 1 + 98 * (when - self.begin) / (self.end - self.begin)

    def x(self, when: float) -> str:
        return f"{self.percent(when):.2f}%"

    def y(self, milliseconds: float) -> float:
        share = (math.log10(max(milliseconds, 0.01)) - self.low) / (self.high - self.low)
        return round(self.bottom - 6 - share * (self.bottom - self.top - 12), 1)


def timeline(verdict: Verdict, summary: str) -> str:
    """The picture, with *summary* for those who do not see it."""
    record = verdict.record
    answered = [request for request in record.requests if request.loss is None]
    scale = Scale(record, answered, LABELS + (LOST_ROW if verdict.all.lost else 0))
    parts = [
        *_stops(record, scale),
        *_grid(scale),
        *_dots(record, answered, scale),
        *_losses(record.requests, scale),
        *_axes(scale),
        *_marks(record, scale),
    ]
    height = LABELS + PLOT + AXIS
    for lane in _replicas(record) if record.plan.replicas else _workers(record):
        parts += _lane(lane, scale, height)
        height += LANE + BAND + (HOOK + 4 if lane.hooks else 0)
    return (
        f'<svg class="timeline" height="{height + 4}" role="img" aria-labelledby="svg-title'
        f' svg-text"><title id="svg-title">Timeline of the drill</title>'
        f'<desc id="svg-text">{escape(summary)} Each dot is a request: its place from left to right'
        f" is when it was due, its height how long it took. Below, the phases of every stop.</desc>"
        f"\n{DEFINITIONS}\n{chr(10).join(parts)}\n</svg>"
    )


def _stops(record: Record, scale: Scale) -> Iterator[str]:
    """The time of each stop, as a shade behind the requests."""
    for stop in record.stops:
        left, right = scale.percent(stop.signalled), scale.percent(stop.ended or record.ended)
        yield (
            f'<rect class="shade" x="{left:.2f}%" width="{right - left:.2f}%" y="{LABELS}"'
            f' height="{PLOT}"><title>{escape(stop.name)}</title></rect>'
        )


def _grid(scale: Scale) -> Iterator[str]:
    """Lines for the latencies."""
    for exponent in scale.exponents:
        y = scale.y(10.0**exponent)
        yield f'<line class="grid" x2="100%" y1="{y}" y2="{y}"/>'
    yield f'<line class="frame" x2="100%" y1="{scale.bottom}" y2="{scale.bottom}"/>'


def _axes(scale: Scale) -> Iterator[str]:
    """What the lines mean, and the seconds after the first signal."""
    for exponent in scale.exponents:
        milliseconds = f"{10.0**exponent:,.{max(0, -exponent)}f}"
        yield f'<text x="2" y="{scale.y(10.0**exponent) - 4}">{milliseconds} ms</text>'
    length = scale.end - scale.begin
    step = next((s for s in (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300) if length / s <= 7), 600)
    first = math.ceil((scale.begin - scale.zero) / step)
    for number in range(first, int((scale.end - scale.zero) / step) + 1):
        percent = scale.percent(scale.zero + number * step)
        seconds = f"{number * step:+g} s" if number else "0"
        y, anchor = scale.bottom, _anchor(percent, 4)
        x = f"{percent:.2f}%"
        yield f'<line class="frame" x1="{x}" x2="{x}" y1="{y}" y2="{y + 4}"/>'
        yield f'<text x="{x}" y="{y + 17}" {anchor}>{seconds}</text>'


def _anchor(percent: float, edge: float) -> str:
    side = "start" if percent < edge else "end" if percent > 100 - edge else "middle"
    return f'text-anchor="{side}"'


def _dots(record: Record, answered: list[Request], scale: Scale) -> Iterator[str]:
    """A dot for each request, or for the few that would hide each other."""
    where: dict[tuple[str, int, int], tuple[str, float]] = {}
    count: Counter[tuple[str, int, int]] = Counter()
    for request in answered:
        shape = "c" if moment(request, record.stops) == "steady" else "d"
        y = scale.y(request.latency * 1000)
        column = int(scale.percent(request.due) / 100 * COLUMNS)
        key = (shape, column, int(y / PLOT * ROWS))
        where.setdefault(key, (scale.x(request.due), y))
        count[key] += 1
    for key, (x, y) in where.items():
        size = 0 if count[key] == 1 else 1 if count[key] < 5 else 2
        yield f'<use href="#{key[0]}{size}" x="{x}" y="{y}"/>'


def _losses(requests: Iterable[Request], scale: Scale) -> Iterator[str]:
    """Crosses in a row of their own: how long it takes to lose a request means little."""
    losses: dict[int, list[Request]] = {}
    for request in requests:
        if request.loss is not None:
            losses.setdefault(int(scale.percent(request.due) / 100 * COLUMNS / 2), []).append(
                request
            )
    for lost in losses.values():
        reasons = ", ".join(sorted({request.loss or "" for request in lost}))
        yield (
            f'<use href="#x" x="{scale.x(lost[0].due)}" y="{LABELS + LOST_ROW / 2}">'
            f"<title>{len(lost)} lost: {escape(reasons)}</title></use>"
        )


def _marks(record: Record, scale: Scale) -> Iterator[str]:
    """The signals, and when clients sent their last request."""
    marks = [(stop.signalled, "", stop.signal.name) for stop in record.stops]
    for when, style, text in [*marks, (record.clients_ended, " end", "clients stop")]:
        x, row = scale.x(when), 30 if style else 12
        if record.plan.replicas and not style:
            text, row = "", 34
        anchor = _anchor(scale.percent(when), 14)
        yield f'<line class="mark{style}" x1="{x}" x2="{x}" y1="{row + 4}" y2="{scale.bottom}"/>'
        if text:
            yield f'<text class="name" x="{x}" y="{row}" {anchor}>{text}</text>'


def _workers(record: Record) -> Iterator[Lane]:
    """Readiness, and a lane for each worker."""
    readiness = Lane("Readiness")
    for stop in record.stops:
        begin = readiness.bands[-1][1] if readiness.bands else record.begun
        end = stop.ended or record.ended
        turn = stop.unready or end
        readiness.bands.append((begin, turn, "ready", "ready"))
        if stop.unready is not None:
            readiness.bands.append((turn, end, "unready", "503"))
    yield readiness
    for stop in record.stops:
        for worker in stop.workers:
            yield Lane(f"Worker {worker.process}", list(_phases(worker)), list(_hooks(worker)))


def _replicas(record: Record) -> Iterator[Lane]:
    """A lane for each replica, with its stops and those of its successors."""
    for number in range(record.plan.replicas):
        lane = Lane(f"Replica {number + 1}")
        since = record.begun
        for stop in record.stops[number :: record.plan.replicas]:
            lane.bands.append((since, stop.signalled, "ready", "ready"))
            since = stop.ready_again or record.ended
            if stop.workers:
                lane.bands += _phases(max(stop.workers, key=lambda worker: worker.ended))
            for worker in stop.workers:
                lane.hooks += _hooks(worker)
            if stop.ready_again and stop.ended:
                lane.bands.append((stop.ended, since, "unready", "starting"))
        yield lane


def _phases(worker: WorkerStop) -> Iterator[tuple[float, float, str, str]]:
    begin = worker.begun
    for name, seconds in worker.phases.items():
        yield begin, begin + seconds, name, name
        begin += seconds


def _hooks(worker: WorkerStop) -> Iterator[tuple[float, float, bool, str]]:
    begin = worker.ended - worker.phases.get("cleanup", 0)
    for hook in worker.report["hooks"]:
        end = begin + hook["seconds"]
        yield begin, end, hook["outcome"] == "ok", f"hook {hook['name']}: {hook['outcome']}"
        begin = end


def _lane(lane: Lane, scale: Scale, top: int) -> Iterator[str]:
    yield f'<text class="name" x="2" y="{top + LANE - 8}">{escape(lane.name)}</text>'
    top += LANE - 2
    for begin, end, style, text in lane.bands:
        width = scale.percent(end) - scale.percent(begin)
        place = f'x="{scale.x(begin)}" width="{width:.2f}%" y="{top}" height="{BAND}"'
        title = f"<title>{escape(text)}: {end - begin:.3f} s</title>"
        yield f'<rect class="band {style}" {place}>{title}</rect>'
        if style in ("drain", "requests", "cleanup"):
            yield f'<rect fill="url(#{style})" {place} pointer-events="none"/>'
        if width >= WIDE:
            yield f'<text class="inside" x="{scale.x(begin)}" dx="6" y="{top + 12}">{text}</text>'
    for begin, end, ok, text in lane.hooks:
        width = max(0.1, scale.percent(end) - scale.percent(begin))  # none would not be drawn
        yield (
            f'<rect class="hook{"" if ok else " failed"}" x="{scale.x(begin)}" width="{width:.2f}%"'
            f' y="{top + BAND + 4}" height="{HOOK - 3}"><title>{escape(text)},'
            f" {end - begin:.3f} s</title></rect>"
        )

"""``python -m drill``: the options, and the exit code."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import shlex
import signal
import sys
#% if cookiecutter.background == "thread"
import tempfile
#% endif
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from rich.console import Console

from .page import write_page
from .record import Plan
from .rolling import SetupError, replace_replicas
from .service import stop_one_service
from .terminal import Screen, print_verdict
from .verdict import Verdict

EXIT_CODES = """\
exit codes: 0 nothing was lost and the service ended with 0; 1 something was lost, or the stop was
not clean; 2 a wrong option, or the drill could not be done; 130 interrupted.

The service takes its settings from the environment, as ever: SHUTDOWN_DRAIN_SECONDS=2 and so on.
"""


class _Parser(argparse.ArgumentParser):
    """Tells a mistake in one line."""

    def error(self, message: str) -> NoReturn:
        _complain(message)
        sys.exit(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do the drill; return the exit code."""
    plan = parse(arguments)
    console = Console()
    screen = Screen(console)
    drill = replace_replicas if plan.replicas else stop_one_service
    try:
#% if cookiecutter.background == "thread"
        with _interruptible_once(), _own_task_queue():
#% else
        with _interruptible_once():
#% endif
            verdict = Verdict(drill(plan, screen))
    except KeyboardInterrupt:
        console.print("interrupted: everything has been stopped")
        return 130
    except (AssertionError, OSError, SetupError) as error:  # the first: a server does not start
        _complain(
            f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
        )
        return 2
    if plan.json:
        plan.json.write_text(json.dumps(verdict.as_dict(), indent=2) + "\n", "utf-8")
    if plan.html:
        write_page(verdict, plan.html)
    print_verdict(verdict, console)
    if plan.html:
        console.print(f"  The page: {plan.html}", soft_wrap=True, highlight=False, markup=False)
    return 0 if verdict.ok else 1


#% if cookiecutter.background == "thread"
@contextmanager
def _own_task_queue() -> Iterator[None]:
    """Keep the drill's tasks out of the queue of a service that is in use."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TASK_QUEUE_PATH"] = str(Path(folder, "tasks.sqlite3"))
        yield


#% endif
def parse(arguments: Sequence[str] | None = None) -> Plan:
    """Read the options.

    Raises:
        SystemExit: one of them is wrong; the message is one line.
    """
    parser = _Parser(
        prog="python -m drill",
        description="Stop this service under load, and see that nothing is lost.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    seconds, several, number = _at_least(0.0), _at_least(1), _at_least(0.1)
    workers = os.environ.get("WEB_CONCURRENCY") or "2"
    service = parser.add_argument_group("the service")
    add = service.add_argument
    add("--command", default="gunicorn", help="what starts it (%(default)s)")
    add("--workers", type=several, default=workers, metavar="N", help="its processes (%(default)s)")
    load = parser.add_argument_group("the load")
    add = load.add_argument
    add("--rate", type=number, default=200.0, metavar="N", help="requests per second (%(default)g)")
    add(
        "--duration",
        type=seconds,
        default=2.0,
        metavar="S",
        help="seconds before the signal (%(default)g)",
    )
    add(
        "--after",
        type=seconds,
        metavar="S",
        help="seconds that clients go on after it, as load balancers do (1; 0 with INT)",
    )
    add("--path", default="/livez", help="what to request (%(default)s)")
    add("--method", default="GET", help="how (%(default)s)")
    add("--body", default="", help="what to send; JSON is labelled as such")
    add("--header", action="append", default=[], metavar="'NAME: VALUE'", help="repeatable")
    add(
        "--connections",
        type=several,
        default=16,
        metavar="N",
        help="connections that are kept (%(default)s); every fourth request has a new one",
    )
    add(
        "--timeout",
        type=number,
        default=30.0,
        metavar="S",
        help="seconds to wait for an answer (%(default)g)",
    )
    stop = parser.add_argument_group("the stop")
    add = stop.add_argument
    add(
        "--signal",
        choices=["TERM", "INT", "HUP"],
        default="TERM",
        help="TERM; INT, which skips the drain; HUP, at which gunicorn replaces its workers",
    )
    add(
        "--replicas",
        type=_at_least(2),
        default=0,
        metavar="N",
        help="a rolling deploy: so many copies behind HAProxy, replaced one after the other",
    )
    add("--rounds", type=several, default=0, metavar="N", help="how often to replace each (3)")
    results = parser.add_argument_group("the results")
    add = results.add_argument
    add("--json", type=_file, metavar="FILE", help="write them for machines")
    add("--html", type=_file, metavar="FILE", help="write a page with the timeline")
    return _plan(parser, parser.parse_args(arguments))


def _plan(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Plan:
    if options.rounds and not options.replicas:
        parser.error("--rounds needs --replicas")
    if options.replicas and options.signal != "TERM":
        parser.error("--replicas are stopped with TERM, --signal is for a single service")
    if not options.path.startswith("/"):
        parser.error(f"--path must begin with a slash: {options.path}")
    if not (command := _split(options.command)):
        parser.error(f"--command is not a command: {options.command!r}")
    request = " ".join([options.method, options.path])
    if not request.isascii() or not request.isprintable() or len(request.split()) != 2:
        parser.error("--method and --path must be printable ASCII without spaces")
    signum = signal.Signals[f"SIG{options.signal}"]
    after = options.after
    if after is None:
        after = 0.0 if signum is signal.SIGINT else 1.0
    # Those that the verdict shows: not the token, which every process inherits anyway.
    budget = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("SHUTDOWN_") and name.endswith("_SECONDS")
    }
    return Plan(
        command=tuple(command),
        environment={**budget, "WEB_CONCURRENCY": str(options.workers)},
        workers=options.workers,
        rate=options.rate,
        duration=options.duration,
        after=after,
        method=options.method,
        path=options.path,
        body=options.body.encode(),
        headers=_headers(parser, options.header, options.body),
        connections=options.connections,
        timeout=options.timeout,
        signal=signum,
        replicas=options.replicas,
        rounds=options.replicas and (options.rounds or 3),
        json=options.json,
        html=options.html,
    )


def _headers(parser: argparse.ArgumentParser, lines: list[str], body: str) -> dict[str, str]:
    headers = {}
    if body:
        with contextlib.suppress(ValueError):
            json.loads(body)
            headers["Content-Type"] = "application/json"
    for line in lines:
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not (name and colon) or not line.isascii() or not line.isprintable():
            parser.error(f"--header must be 'Name: value', not {line!r}")
        headers[name.title()] = value
    return headers


def _split(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return []


def _at_least(least: float) -> Callable[[str], Any]:
    """A number, whole if *least* is."""

    def convert(text: str) -> float:
        problem = argparse.ArgumentTypeError(f"must be a number, {least:g} or more, not {text!r}")
        try:
            value = type(least)(text)
        except ValueError:
            raise problem from None
        if not (math.isfinite(value) and value >= least):
            raise problem
        return value

    return convert


def _file(text: str) -> Path:
    """A file that can be written: better known before the drill than after it."""
    path = Path(text)
    try:
        path.open("a").close()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot write {text}: {error.strerror}") from None
    return path


def _complain(message: str) -> None:
    print(f"drill: {message}", file=sys.stderr)


@contextmanager
def _interruptible_once() -> Iterator[None]:
    """The first Ctrl-C, SIGTERM or SIGHUP ends the drill; no other disturbs the cleaning up."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(signum: int, frame: FrameType | None) -> None:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in signals}
    yield  # what goes wrong here ends the drill anyway
    for each, handler in before.items():
        signal.signal(each, handler)


if __name__ == "__main__":
    sys.exit(main())

"""Health endpoints: alive means "do not restart me", ready means "send me requests"."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from threading import Thread

from flask import Blueprint, current_app

from . import get_lifecycle

logger = logging.getLogger(__name__)

CHECK_SECONDS = 1.0  # for all checks together: whoever asks does not wait much longer

# Returns if what it looks at works, raises otherwise, and ends some day.
# `app.extensions["checks"]` has them by name.
Check = Callable[[], object]

blueprint = Blueprint("health", __name__)


@blueprint.get("/livez")
def livez() -> dict[str, str]:
    """Whether the process works; also while it drains."""
    return {"status": "alive"}


@blueprint.get("/readyz")
def readyz() -> tuple[dict[str, str], int]:
    """Whether to send new requests here; 503 from the first moment of a stop."""
    problem = get_lifecycle().unready_because() or _failing(current_app.extensions["checks"])
    return ({"status": "ready"}, 200) if problem is None else ({"status": problem}, 503)


def _failing(checks: Mapping[str, Check]) -> str | None:
    """Who does not answer, or None. Why is for the log: it may name hosts."""
    results = {name: _begin(name, check) for name, check in checks.items()}
    wait(results.values(), CHECK_SECONDS)
    failing = []
    for name, result in results.items():
        if not result.done():
            problem = f"not done after {CHECK_SECONDS:g} s"
        elif error := result.exception():
            problem = f"{type(error).__name__}: {error}"
        else:
            continue
        logger.warning("not ready", extra={"check": name, "problem": problem})
        failing.append(name)
    return f"no answer: {', '.join(failing)}" if failing else None


def _begin(name: str, check: Check) -> Future[object]:
    """Run *check* in a thread of its own, which holds up nobody, not even the exit."""
    result: Future[object] = Future()

    def run() -> None:
        try:
            result.set_result(check())
        except Exception as error:
            result.set_exception(error)

    Thread(target=run, name=f"check-{name}", daemon=True).start()
    return result

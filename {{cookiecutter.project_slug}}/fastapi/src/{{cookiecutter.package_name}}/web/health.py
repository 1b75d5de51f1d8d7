"""Health endpoints: alive means "do not restart me", ready means "send me requests"."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, Request, Response

from .lifespan import LifecycleDep

logger = logging.getLogger(__name__)

CHECK_SECONDS = 1.0  # for all checks together: whoever asks does not wait much longer

# Returns if what it looks at works, raises otherwise, and ends some day.
# `app.state.checks` has them by name.
Check = Callable[[], Awaitable[object]]

router = APIRouter(tags=["health"])


@router.get("/livez")
async def livez() -> dict[str, str]:
    """Whether the process works; also while it drains."""
    return {"status": "alive"}


@router.get("/readyz")
async def readyz(request: Request, lifecycle: LifecycleDep, response: Response) -> dict[str, str]:
    """Whether to send new requests here; 503 from the first moment of a stop."""
    problem = lifecycle.unready_because() or await _failing(request.app.state.checks)
    if problem is None:
        return {"status": "ready"}
    response.status_code = 503
    return {"status": problem}


async def _failing(checks: Mapping[str, Check]) -> str | None:
    """Who does not answer, or None. Why is for the log: it may name hosts."""
    tasks = {name: asyncio.create_task(_problem(check)) for name, check in checks.items()}
    if not tasks:
        return None
    await asyncio.wait(tasks.values(), timeout=CHECK_SECONDS)
    failing = []
    for name, task in tasks.items():
        if not task.done():
            task.cancel()  # but do not wait for it: that can take long, too
            problem: str | None = f"not done after {CHECK_SECONDS:g} s"
        else:
            problem = task.result()
        if problem is not None:
            logger.warning("not ready", extra={"check": name, "problem": problem})
            failing.append(name)
    return f"no answer: {', '.join(failing)}" if failing else None


async def _problem(check: Check) -> str | None:
    try:
        await check()
    except (Exception, asyncio.CancelledError) as error:  # what it waits for may be cancelled
        return f"{type(error).__name__}: {error}"
    return None

"""Health endpoints: alive means "do not restart me", ready means "send me requests"."""

from __future__ import annotations

from fastapi import APIRouter, Response

from .lifespan import LifecycleDep

router = APIRouter(tags=["health"])


@router.get("/livez")
async def livez() -> dict[str, str]:
    """Whether the process works; also while it drains."""
    return {"status": "alive"}


@router.get("/readyz")
async def readyz(lifecycle: LifecycleDep, response: Response) -> dict[str, str]:
    """Whether to send new requests here; 503 from the first moment of a stop."""
    problem = lifecycle.unready_because()
    if problem is None:
        return {"status": "ready"}
    response.status_code = 503
    return {"status": problem}

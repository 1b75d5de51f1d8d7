"""Health endpoints: alive means "do not restart me", ready means "send me requests"."""

from __future__ import annotations

from flask import Blueprint

from . import get_lifecycle

blueprint = Blueprint("health", __name__)


@blueprint.get("/livez")
def livez() -> dict[str, str]:
    """Whether the process works; also while it drains."""
    return {"status": "alive"}


@blueprint.get("/readyz")
def readyz() -> tuple[dict[str, str], int]:
    """Whether to send new requests here; 503 from the first moment of a stop."""
    problem = get_lifecycle().unready_because()
    return ({"status": "ready"}, 200) if problem is None else ({"status": problem}, 503)

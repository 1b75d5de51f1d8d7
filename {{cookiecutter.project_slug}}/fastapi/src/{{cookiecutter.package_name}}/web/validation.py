"""Requests that are not as they should be."""

from __future__ import annotations

import json
from typing import cast

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError

TOLD = ("type", "loc", "msg")


def refuse(_: Request, error: Exception) -> Response:
    """Say what is wrong, but do not repeat it, as FastAPI would: it may be confidential."""
    problems = cast(RequestValidationError, error).errors()
    detail = [{name: problem[name] for name in TOLD} for problem in problems]
    # Not a JSONResponse, which cannot encode a lone surrogate; json.dumps escapes it.
    return Response(json.dumps({"detail": detail}), 422, media_type="application/json")

"""Requests that are not as they should be."""

from __future__ import annotations

import json
from typing import cast

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError

TOLD = ("type", "loc", "msg")


def refuse(_: Request, error: Exception) -> Response:
    """Say what is wrong, but do not repeat it, as FastAPI would.

    It may be confidential; and half a character, which JSON can have, would make the answer 500.
    """
    problems = cast(RequestValidationError, error).errors()
    detail = [{name: problem[name] for name in TOLD} for problem in problems]
    return Response(json.dumps({"detail": detail}), 422, media_type="application/json")

"""A WSGI application that knows nothing of this service: ``gunicorn tests.bare:app``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .barrier import pass_barrier


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Wait until the test lets this request go."""
    if port := environ["PATH_INFO"].removeprefix("/"):
        pass_barrier(int(port))
    start_response("200 OK", [])
    return [b"served"]

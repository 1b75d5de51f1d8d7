"""ASGI applications that know nothing of this service: ``gunicorn tests.bare:app``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from .barrier import pass_barrier


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Wait until the test lets this request go. Of lifespans it knows nothing, either."""
    assert scope["type"] == "http"
    if port := scope["query_string"].removeprefix(b"port="):
        await asyncio.to_thread(pass_barrier, int(port))
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"served"})


@asynccontextmanager
async def print_end(_: Starlette) -> AsyncIterator[None]:
    yield
    print("its lifespan has ended")


with_lifespan = Starlette(routes=[Mount("/", app)], lifespan=print_end)

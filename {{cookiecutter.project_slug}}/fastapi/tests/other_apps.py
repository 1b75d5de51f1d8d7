"""Other ASGI applications, and the probe inside of some: ``gunicorn tests.other_apps:bare``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from {{ cookiecutter.package_name }}.web.lifespan import lifespan

from .barrier import pass_barrier
from .variants import probe


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """It knows nothing of this service, nor of lifespans. It waits until the test lets it go."""
    assert scope["type"] == "http"
    if port := scope["query_string"].removeprefix(b"port="):
        await asyncio.to_thread(pass_barrier, int(port))
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"served"})


def with_lifespan() -> ASGIApp:
    """The same, with something to stop."""

    @asynccontextmanager
    async def print_end(_: Starlette) -> AsyncIterator[None]:
        yield
        print("its lifespan has ended")

    return Starlette(routes=[Mount("/", bare)], lifespan=print_end)


def wrapped() -> ASGIApp:
    """The probe, in middleware."""
    return CORSMiddleware(probe())


def mounted() -> ASGIApp:
    """The probe, as a part of another application, which runs its lifespan."""
    app = probe()

    @asynccontextmanager
    async def run_lifespan(_: Starlette) -> AsyncIterator[None]:
        async with lifespan(app):
            yield

    return Starlette(routes=[Mount("/", app)], lifespan=run_lifespan)

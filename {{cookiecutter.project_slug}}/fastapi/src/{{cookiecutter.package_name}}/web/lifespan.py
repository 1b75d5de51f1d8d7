"""Ties the lifecycle to FastAPI."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, cast

from fastapi import Depends, FastAPI
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .. import logs
from ..lifecycle import AsgiInFlight, Lifecycle

# In this process. gunicorn's worker looks here, since middleware can hide the application from it.
running: list[Lifecycle] = []


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Start everything before the first request, stop everything after the last.

    An application that mounts this one has to run it in a lifespan of its own, since Starlette does
    not: ``async with lifespan(app): yield``.
    """
    logs.configure_if_nobody_has(app.state.settings.log_level)
    lifecycle: Lifecycle = app.state.lifecycle
    await lifecycle.start_async()
    running.append(lifecycle)
    try:
        yield
    finally:
        await lifecycle.stop_async()
        running.remove(lifecycle)


def track_in_flight(app: FastAPI, lifecycle: Lifecycle) -> None:
    """Count requests outside of all middleware, also of what is added to *app* later.

    ``add_middleware`` would put the count inside of that, where error pages and early answers
    pass it by.
    """
    build = app.build_middleware_stack

    def build_tracked() -> ASGIApp:
        return tracked(_without_traceback(build()), lifecycle)

    app.build_middleware_stack = build_tracked  # type: ignore[method-assign]


def tracked(app: ASGIApp, lifecycle: Lifecycle) -> ASGIApp:
    """Any ASGI application, its requests counted by *lifecycle*."""
    in_flight = AsgiInFlight(
        app,
        requests=lifecycle.requests,
        websockets=lifecycle.websockets,
        draining=lifecycle.drain_begun.is_set,
        drained=lifecycle.drain_begun.reached,
    )
    return cast(ASGIApp, in_flight)


def _without_traceback(app: ASGIApp) -> ASGIApp:
    """Starlette reports a failed start by a traceback; its last line says what to change."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_last_line(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                message["message"] = message["message"].strip().rpartition("\n")[2]
            await send(message)

        await app(scope, receive, send_last_line if scope["type"] == "lifespan" else send)

    return wrapped


def get_lifecycle(connection: HTTPConnection) -> Lifecycle:
    """The lifecycle, for handlers: take it as a ``LifecycleDep`` parameter."""
    return cast(Lifecycle, connection.app.state.lifecycle)


LifecycleDep = Annotated[Lifecycle, Depends(get_lifecycle)]

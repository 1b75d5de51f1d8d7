"""The probe inside of other ASGI applications: ``gunicorn "tests.other_apps:wrapped()"``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount
from starlette.types import ASGIApp

from {{ cookiecutter.package_name }}.web.lifespan import lifespan

from .variants import probe


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


def not_started() -> ASGIApp:
    """The same, but its lifespan is forgotten."""
    return Starlette(routes=[Mount("/", probe())])

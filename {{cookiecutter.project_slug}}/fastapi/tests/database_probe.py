"""The service with transactions of all kinds: ``gunicorn tests.database_probe:app``."""

from __future__ import annotations

import asyncio

from fastapi import HTTPException
from sqlalchemy import insert, text

from {{ cookiecutter.package_name }}.app import create_app
from {{ cookiecutter.package_name }}.web.database import SessionDep

from .barrier import arrive
from .migrating import KEPT

app = create_app()


@app.post("/keep", status_code=201)
async def keep(key: str, session: SessionDep) -> None:
    """Write *key*."""
    await session.execute(insert(KEPT).values(key=key))


@app.post("/keep/dangling", status_code=201)
async def dangling(key: str, session: SessionDep) -> None:
    """Write what the database refuses to commit."""
    await session.execute(insert(KEPT).values(key=key, on="nothing"))


@app.post("/keep/refused")
async def refused(key: str, session: SessionDep) -> None:
    """Write *key*, and refuse it then."""
    await keep(key, session)
    raise HTTPException(409, "refused on purpose")


@app.post("/keep/parked", status_code=201)
async def parked(key: str, port: int, session: SessionDep) -> None:
    """Write *key*, and go on when the test says so."""
    await keep(key, session)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reader.read(1)
    writer.close()


@app.post("/keep/stuck", status_code=201)
async def stuck(key: str, port: int, session: SessionDep) -> None:
    """Write *key*, and wait for something that does not come."""
    await keep(key, session)
    await asyncio.to_thread(arrive, port)
    await asyncio.sleep(60)  # simulates a hang; the test stops the server, which ends this


@app.post("/keep/stuck-in-statement", status_code=201)
async def stuck_in_statement(key: str, port: int, session: SessionDep) -> None:
    """Write *key*, and wait for PostgreSQL."""
    await keep(key, session)
    await session.execute(text("SET LOCAL statement_timeout = 0"))
    await asyncio.to_thread(arrive, port)
    await session.execute(text("SELECT pg_sleep(60)"))

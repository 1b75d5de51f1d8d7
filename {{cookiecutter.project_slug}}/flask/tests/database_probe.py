"""The service with transactions of all kinds: ``gunicorn tests.database_probe:app``."""

from __future__ import annotations

import time

from flask import request
from sqlalchemy import insert, text

from {{ cookiecutter.package_name }}.app import create_app
from {{ cookiecutter.package_name }}.web.database import get_session

from .barrier import arrive, pass_barrier
from .migrating import KEPT

Answer = tuple[str, int]

app = create_app()


@app.post("/keep")
def keep() -> Answer:
    """Write the key."""
    get_session().execute(insert(KEPT).values(key=request.args["key"]))
    return "", 201


@app.post("/keep/dangling")
def dangling() -> Answer:
    """Write what the database refuses to commit."""
    get_session().execute(insert(KEPT).values(key=request.args["key"], on="nothing"))
    return "", 201


@app.post("/keep/refused")
def refused() -> Answer:
    """Write the key, and refuse it then."""
    keep()
    return "refused on purpose", 409


@app.post("/keep/parked")
def parked() -> Answer:
    """Write the key, and go on when the test says so."""
    kept = keep()
    pass_barrier(int(request.args["port"]))
    return kept


@app.post("/keep/stuck")
def stuck() -> Answer:
    """Write the key, and wait for something that does not come."""
    kept = keep()
    arrive(int(request.args["port"]))
    time.sleep(60)  # simulates a hang; the test stops the server, which ends this
    return kept


@app.post("/keep/stuck-in-statement")
def stuck_in_statement() -> Answer:
    """Write the key, and wait for PostgreSQL."""
    kept = keep()
    get_session().execute(text("SET LOCAL statement_timeout = 0"))
    arrive(int(request.args["port"]))
    get_session().execute(text("SELECT pg_sleep(60)"))
    return kept

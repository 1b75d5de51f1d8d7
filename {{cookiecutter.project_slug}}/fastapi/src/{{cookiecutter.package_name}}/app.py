"""The composition root: what the service is made of."""

from __future__ import annotations

#% if cookiecutter.background == "celery"
import asyncio

#% endif
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError

#% if cookiecutter.background == "celery"
from .celery_queue import CeleryTaskQueue
#% endif
#% if cookiecutter.database != "none"
from .database.engine import Database
#% endif
#% if cookiecutter.background != "none"
from .lifecycle import Hook, Lifecycle
#% else
from .lifecycle import Lifecycle
#% endif
from .settings import Settings, load_settings
#% if cookiecutter.background == "thread"
from .sqlite_queue import SqliteTaskQueue
from .task_thread import TaskThread
#% endif
#% if cookiecutter.database != "none"
from .web.database import use_database
#% endif
from .web.health import router as health
from .web.lifespan import lifespan, track_in_flight
#% if cookiecutter.database != "none"
from .web.notes import router as notes
#% endif
#% if cookiecutter.shutdown_endpoint
from .web.shutdown import create_router as create_shutdown_router
#% endif
#% if cookiecutter.background != "none"
from .web.tasks import router as tasks
#% endif
from .web.validation import refuse
#% if cookiecutter.websocket
from .web.websocket import router as websocket
#% endif
#%% (Jinja takes the blank lines after a statement away, but not after this comment)

def create_app(settings: Settings | None = None) -> FastAPI:
    """Make the application, without any side effect: its lifespan starts and stops things.

    Add what your service needs with ``lifecycle.append``: started in this order, stopped last
    first.
    """
    settings = settings or load_settings()
    lifecycle = Lifecycle(settings.budget)
    app = FastAPI(lifespan=lifespan)
    app.state.settings = settings
    app.state.lifecycle = lifecycle
    app.state.checks = {}  # what /readyz looks at, see web/health.py
    app.add_exception_handler(RequestValidationError, refuse)
    track_in_flight(app, lifecycle)

    app.include_router(health)
#% if cookiecutter.database != "none"
    # First, so that it outlives all that uses it.
    database = Database(settings.database_url, settings.budget)
    lifecycle.append(database)
    use_database(app, database)
    app.include_router(notes)
#% endif
#% if cookiecutter.background == "thread"
    queue = SqliteTaskQueue(settings.task_queue_path, max_queued=settings.task_queue_length)
    app.state.tasks = queue
    lifecycle.append(Hook("task-queue", start=queue.open))
    # Apart, for all that this does not claim at a stop is for the task that runs.
    lifecycle.append(Hook("task-queue", stop=queue.close, timeout=1))
    lifecycle.append(
        TaskThread(queue, draining=lifecycle.drain_begun.is_set, timeout=settings.budget.cleanup)
    )
    app.include_router(tasks)
#% elif cookiecutter.background == "celery"
    queue = CeleryTaskQueue(settings)
    app.state.tasks = queue
    app.state.checks["broker"] = lambda: asyncio.to_thread(queue.check_broker)
    app.state.checks["task records"] = lambda: asyncio.to_thread(queue.check_records)
    lifecycle.append(Hook("broker", stop=queue.close))
    app.include_router(tasks)
#% endif
#% if cookiecutter.shutdown_endpoint
    if settings.shutdown_token is not None:
        app.include_router(create_shutdown_router(settings.shutdown_token))
#% endif
#% if cookiecutter.websocket
    app.include_router(websocket)
#% endif
    return app

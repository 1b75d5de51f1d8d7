"""The composition root: what the service is made of."""

from __future__ import annotations

from flask import Flask

#% if cookiecutter.background == "celery"
from .celery_queue import CeleryTaskQueue
#% endif
#% if cookiecutter.database != "none"
from .database.engine import Database
#% endif
#% if cookiecutter.background != "none"
from .lifecycle import Hook, Lifecycle, WsgiInFlight
#% else
from .lifecycle import Lifecycle, WsgiInFlight
#% endif
from .settings import Settings, load_settings
#% if cookiecutter.background == "thread"
from .sqlite_queue import SqliteTaskQueue
from .task_thread import TaskThread
#% endif
#% if cookiecutter.database != "none"
from .web.database import use_database
#% endif
from .web.health import blueprint as health
#% if cookiecutter.database != "none"
from .web.notes import blueprint as notes
#% endif
#% if cookiecutter.shutdown_endpoint
from .web.shutdown import create_blueprint as create_shutdown_blueprint
#% endif
#% if cookiecutter.background != "none"
from .web.tasks import blueprint as tasks
#% endif
#%% (Jinja takes the blank lines after a statement away, but not after this comment)

def create_app(settings: Settings | None = None) -> Flask:
    """Make the application, without any side effect: the server starts and stops the lifecycle.

    Add what your service needs with ``lifecycle.append``: started in this order, stopped last
    first.
    """
    settings = settings or load_settings()
    lifecycle = Lifecycle(settings.budget)
    app = Flask(__package__)
    app.extensions["settings"] = settings
    app.extensions["lifecycle"] = lifecycle
    app.extensions["checks"] = {}  # what /readyz looks at, see web/health.py
    app.wsgi_app = WsgiInFlight(app.wsgi_app, lifecycle.requests)  # type: ignore[method-assign]

    app.register_blueprint(health)
#% if cookiecutter.database != "none"
    # First, so that it outlives all that uses it.
    database = Database(settings.database_url, settings.budget)
    lifecycle.append(database)
    use_database(app, database)
    app.register_blueprint(notes)
#% endif
#% if cookiecutter.background == "thread"
    queue = SqliteTaskQueue(settings.task_queue_path, max_queued=settings.task_queue_length)
    app.extensions["tasks"] = queue
    lifecycle.append(Hook("task-queue", start=queue.open))
    # Apart, for all that this does not claim at a stop is for the task that runs.
    lifecycle.append(Hook("task-queue", stop=queue.close, timeout=1))
    lifecycle.append(
        TaskThread(queue, draining=lifecycle.drain_begun.is_set, timeout=settings.budget.cleanup)
    )
    app.register_blueprint(tasks)
#% elif cookiecutter.background == "celery"
    queue = CeleryTaskQueue(settings)
    app.extensions["tasks"] = queue
    app.extensions["checks"]["broker"] = queue.check_broker
    app.extensions["checks"]["task records"] = queue.check_records
    lifecycle.append(Hook("broker", stop=queue.close))
    app.register_blueprint(tasks)
#% endif
#% if cookiecutter.shutdown_endpoint
    if settings.shutdown_token is not None:
        app.register_blueprint(create_shutdown_blueprint(settings.shutdown_token))
#% endif
    return app

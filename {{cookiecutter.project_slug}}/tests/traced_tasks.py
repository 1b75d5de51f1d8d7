"""The service with tasks that tell when they begin and end: ``gunicorn tests.traced_tasks:app``.

A task whose payload has a ``port`` is held by the barrier there.
"""

from __future__ import annotations

import logging

from {{ cookiecutter.package_name }} import tasks
from {{ cookiecutter.package_name }}.app import create_app
from {{ cookiecutter.package_name }}.tasks import Task

from .barrier import pass_barrier

logger = logging.getLogger(__name__)


def handle_task(task: Task) -> None:
    """Tell the log, and wait at the barrier."""
    logger.info("task begun", extra={"task": task.id})
    if port := task.payload.get("port"):
        pass_barrier(port)
    logger.info("task ended", extra={"task": task.id})


tasks.handle_task = handle_task
app = create_app()

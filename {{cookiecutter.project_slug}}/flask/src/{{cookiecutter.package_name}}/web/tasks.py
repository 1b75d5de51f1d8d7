"""``POST /tasks`` and ``GET /tasks/{id}``."""

from __future__ import annotations

from typing import Any, cast

from flask import Blueprint, current_app, request

from ..tasks import QueueFullError, Task, TaskQueue

blueprint = Blueprint("tasks", __name__, url_prefix="/tasks")

Answer = tuple[dict[str, Any], int] | tuple[dict[str, Any], int, dict[str, str]]


def get_queue() -> TaskQueue:
    """The current application's queue."""
    return cast(TaskQueue, current_app.extensions["tasks"])


def status_of(task: Task) -> dict[str, Any]:
    """What has become of *task*."""
    return {"id": task.id, "status": task.status, "error": task.error}


@blueprint.post("")
def submit() -> Answer:
    """Accept a task, any JSON object, to be done soon."""
    payload = request.get_json(silent=True)
    if not isinstance(payload, dict):
        return {"detail": "the body must be a JSON object, sent as application/json"}, 422
    try:
        task = get_queue().submit(payload)
    except QueueFullError as error:
        return {"detail": str(error)}, 503, {"Retry-After": "1"}
    return status_of(task), 202, {"Location": f"/tasks/{task.id}"}


@blueprint.get("/<task_id>")
def status(task_id: str) -> Answer:
    """What has become of a task."""
    task = get_queue().get(task_id)
    return ({"detail": "no such task"}, 404) if task is None else (status_of(task), 200)

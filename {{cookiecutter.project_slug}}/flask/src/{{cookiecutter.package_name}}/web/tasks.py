"""``POST /tasks`` and ``GET /tasks/{id}``."""

from __future__ import annotations

from typing import Any, cast

from flask import Blueprint, current_app, request
from werkzeug.exceptions import HTTPException

from ..tasks import MAX_PAYLOAD_BYTES, PayloadError, QueueUnavailableError, Task, TaskQueue

blueprint = Blueprint("tasks", __name__, url_prefix="/tasks")

Answer = tuple[dict[str, Any], int] | tuple[dict[str, Any], int, dict[str, str]]


def get_queue() -> TaskQueue:
    """The current application's queue."""
    return cast(TaskQueue, current_app.extensions["tasks"])


def status_of(task: Task) -> dict[str, Any]:
    """What has become of *task*."""
    return {"id": task.id, "status": task.status, "attempts": task.attempts, "error": task.error}


@blueprint.errorhandler(HTTPException)
def _in_json(error: HTTPException) -> Answer:
    return {"detail": error.description}, error.code or 500


@blueprint.errorhandler(PayloadError)
def _wrong_payload(error: PayloadError) -> Answer:
    return {"detail": str(error)}, 422


@blueprint.errorhandler(QueueUnavailableError)
def _unavailable(error: QueueUnavailableError) -> Answer:
    return {"detail": str(error)}, 503, {"Retry-After": "1"}


@blueprint.post("")
def submit() -> Answer:
    """Accept a task, any JSON object; 202 means that it will be done, whatever happens."""
    request.max_content_length = MAX_PAYLOAD_BYTES
    task = get_queue().submit(_json_object())
    return status_of(task), 202, {"Location": f"/tasks/{task.id}"}


@blueprint.get("/<task_id>")
def status(task_id: str) -> Answer:
    """What has become of a task."""
    task = get_queue().get(task_id)
    return ({"detail": "no such task"}, 404) if task is None else (status_of(task), 200)


def _json_object() -> dict[str, Any]:
    try:
        payload = request.get_json(silent=True)
    except RecursionError:
        payload = None
    if not isinstance(payload, dict):
        raise PayloadError("the body must be a JSON object, sent as application/json")
    return payload

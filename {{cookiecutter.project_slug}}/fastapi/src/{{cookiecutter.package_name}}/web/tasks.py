"""``POST /tasks`` and ``GET /tasks/{id}``."""

from __future__ import annotations

from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from pydantic import BaseModel

from ..tasks import QueueFullError, Task, TaskQueue

router = APIRouter(prefix="/tasks", tags=["tasks"])


class TaskStatus(BaseModel):
    """What has become of a task."""

    id: str
    status: str
    error: str | None = None

    @classmethod
    def of(cls, task: Task) -> TaskStatus:
        """The status of *task*."""
        return cls(id=task.id, status=task.status, error=task.error)


def get_queue(request: Request) -> TaskQueue:
    """The queue, for handlers."""
    return cast(TaskQueue, request.app.state.tasks)


Queue = Annotated[TaskQueue, Depends(get_queue)]


@router.post("", status_code=202)
async def submit(payload: dict[str, Any], queue: Queue, response: Response) -> TaskStatus:
    """Accept a task, any JSON object, to be done soon."""
    try:
        task = queue.submit(payload)
    except QueueFullError as error:
        raise HTTPException(503, str(error), {"Retry-After": "1"}) from None
    response.headers["Location"] = f"/tasks/{task.id}"
    return TaskStatus.of(task)


@router.get("/{task_id}")
async def status(task_id: str, queue: Queue) -> TaskStatus:
    """What has become of a task."""
    task = queue.get(task_id)
    if task is None:
        raise HTTPException(404, "no such task")
    return TaskStatus.of(task)

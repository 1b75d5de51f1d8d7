"""``POST /tasks`` and ``GET /tasks/{id}``."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from pydantic import BaseModel

from ..tasks import MAX_PAYLOAD_BYTES, PayloadError, QueueUnavailableError, Task, TaskQueue

router = APIRouter(prefix="/tasks", tags=["tasks"])


class TaskStatus(BaseModel):
    """What has become of a task."""

    id: str
    status: str
    attempts: int
    error: str | None

    @classmethod
    def of(cls, task: Task) -> TaskStatus:
        """The status of *task*."""
        return cls(id=task.id, status=task.status, attempts=task.attempts, error=task.error)


def get_queue(request: Request) -> TaskQueue:
    """The queue, for handlers."""
    return cast(TaskQueue, request.app.state.tasks)


Queue = Annotated[TaskQueue, Depends(get_queue)]


@router.post("", status_code=202, max_body_size=MAX_PAYLOAD_BYTES)
async def submit(payload: dict[str, Any], queue: Queue, response: Response) -> TaskStatus:
    """Accept a task, any JSON object; 202 means that it will be done, whatever happens."""
    try:
        task = await asyncio.wrap_future(queue.enqueue(payload))
    except PayloadError as error:
        raise HTTPException(422, str(error)) from None
    except QueueUnavailableError as error:
        raise HTTPException(503, str(error), {"Retry-After": "1"}) from None
    response.headers["Location"] = f"/tasks/{task.id}"
    return TaskStatus.of(task)


# Not a coroutine: what may block for a moment must not hold up other requests.
@router.get("/{task_id}")
def status(task_id: str, queue: Queue) -> TaskStatus:
    """What has become of a task."""
    try:
        task = queue.get(task_id)
    except QueueUnavailableError as error:
        raise HTTPException(503, str(error), {"Retry-After": "1"}) from None
    if task is None:
        raise HTTPException(404, "no such task")
    return TaskStatus.of(task)

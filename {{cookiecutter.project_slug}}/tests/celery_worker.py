"""A worker whose tasks tell when they begin and end: ``python -m tests.celery_worker``.

A task whose payload has a ``port`` is held by the barrier there; one with ``fail`` fails, one with
``exit`` ends its process.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping

from {{ cookiecutter.package_name }} import celery_worker, tasks
from {{ cookiecutter.package_name }}.lifecycle import Lifecycle
from {{ cookiecutter.package_name }}.settings import Settings
from {{ cookiecutter.package_name }}.tasks import Task

from .barrier import pass_barrier
from .faults import append_hooks
from .servers import ServerProcess

logger = logging.getLogger(__name__)


class WorkerProcess(ServerProcess):
    """A worker, which takes tasks when the block begins."""

    def __init__(self, env: Mapping[str, str]) -> None:
        super().__init__([sys.executable, "-m", __name__], env=env)

    def wait_until_ready(self) -> None:
        """Wait until it listens to its broker."""
        self.wait_for_log(" ready.", 30)


def handle_task(task: Task) -> None:
    """Tell the log, and wait at the barrier."""
    logger.info("task begun", extra={"task": task.id, "attempt": task.attempts})
    if task.payload.get("fail"):
        raise ValueError("on purpose")
    if task.payload.get("exit"):
        sys.exit()
    if port := task.payload.get("port"):
        pass_barrier(port)
    logger.info("task ended", extra={"task": task.id})


def main() -> None:
    """Do tasks until a signal."""
    create_lifecycle = celery_worker.create_lifecycle

    def create_with_faults(settings: Settings) -> Lifecycle:
        lifecycle = create_lifecycle(settings)
        append_hooks(lifecycle)
        return lifecycle

    celery_worker.create_lifecycle = create_with_faults
    tasks.handle_task = handle_task
    tasks.FIRST_RETRY_SECONDS = 0.05
    celery_worker.main()


if __name__ == "__main__":
    main()

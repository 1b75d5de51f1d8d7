"""A task as the worker's main process sees it."""

from __future__ import annotations

import logging
from typing import Any

from celery.exceptions import WorkerLostError
from celery.worker import request

logger = logging.getLogger(__name__)

# What a task raises ends its process, too, if it is one of the last two.
LOST = (WorkerLostError, SystemExit, KeyboardInterrupt)


class Request(request.Request):  # type: ignore[misc]  # Celery is not typed
    """Tells the log which task was at work in a process that died: Celery does not."""

    def on_failure(self, exc_info: Any, *args: Any, **kwargs: Any) -> None:
        """As Celery does."""
        error = exc_info.exception
        if isinstance(getattr(error, "exc", error), LOST):
            logger.error("task handed back: its process died", extra={"task": self.id})
        super().on_failure(exc_info, *args, **kwargs)

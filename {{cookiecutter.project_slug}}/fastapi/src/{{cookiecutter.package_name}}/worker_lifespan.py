"""Has every application that gunicorn serves start and stop with a lifecycle."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from uvicorn import Config
from uvicorn.lifespan.on import LifespanOn

from .lifecycle import Hook, Lifecycle
from .settings import load_settings
from .web.lifespan import lifespan, running, tracked

if TYPE_CHECKING:
    from .worker import Worker


class Lifespan(LifespanOn):
    """uvicorn's side of the lifespan, where an application that is not ours gets a lifecycle, too.

    Args:
        config: uvicorn's.
        worker: gunicorn's worker, in which this runs.
    """

    def __init__(self, config: Config, worker: Worker) -> None:
        super().__init__(config)
        self._worker = worker
        self._stop = super().shutdown

    async def startup(self) -> None:
        """Start the application, before the first connection is accepted."""
        await super().startup()
        if running:
            self._worker.lifecycle = running[-1]
        elif self.should_exit:
            return
        elif f"{__package__}.app" in sys.modules:
            await self._refuse()
        else:
            await self._start_lifecycle()

    async def shutdown(self) -> None:
        """Stop the application, after the last connection."""
        await self._stop()

    async def _refuse(self) -> None:
        self._worker.log.error(
            "%s does not start the application of %s.app inside of it: "
            "have its lifespan run async with lifespan(app), from %s",
            *(type(self._worker.wsgi).__name__, __package__, lifespan.__module__),
        )
        await self._stop()
        self.should_exit = True

    async def _start_lifecycle(self) -> None:
        self._worker.lifecycle = lifecycle = Lifecycle(load_settings().budget)
        lifecycle.append(Hook("lifespan", stop=self._stop, timeout=lifecycle.budget.cleanup))
        self._stop = lifecycle.stop_async
        self.config.loaded_app = tracked(self.config.loaded_app, lifecycle)
        await lifecycle.start_async()

"""gunicorn's worker for FastAPI: uvicorn, with the deadlines of the budget."""

from __future__ import annotations

import asyncio
import logging
import math
import signal
import socket
import sys
import time
from types import FrameType
from typing import Any

from gunicorn.arbiter import Arbiter
from uvicorn import Server
from uvicorn_worker import UvicornWorker

from .serving import SERVING, finish_worker
from .settings import load_settings

worker_class = f"{__name__}.Worker"

# How long open connections hold the exit, in seconds, for a request that is under way already.
LINGER_SECONDS = 0.2


class LingeringServer(Server):
    """A uvicorn that serves the connections it has accepted before it closes them.

    uvicorn closes a connection whose first request has not arrived yet, which loses requests when
    clients go on connecting until the end, as they do at a reload.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, linger while connections are open, then stop."""
        for server in self.servers:
            server.close()
        until = time.monotonic() + LINGER_SECONDS
        while self.server_state.connections and time.monotonic() < until:
            await asyncio.sleep(0.02)  # there is no event to wait for
        await super().shutdown(sockets)


class Worker(UvicornWorker):  # type: ignore[misc]  # gunicorn, its base, is not typed
    """A uvicorn worker that stops in time, and ends by returning rather than by a signal."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Without it, one open stream keeps uvicorn from ever running the lifespan's end.
        self.config.timeout_graceful_shutdown = math.ceil(load_settings().budget.requests)
        for name in ("uvicorn.error", "uvicorn.access"):  # the base class has unplugged them
            logging.getLogger(name).propagate = True

    async def _serve(self) -> None:
        self.config.app = self.wsgi
        server = LingeringServer(self.config)
        await server.serve(sockets=self.sockets)
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)

    def init_signals(self) -> None:
        """As the base class, but survive the signal that uvicorn raises anew after a clean stop:
        its default action would end the process before its ``atexit`` handlers."""
        super().init_signals()
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, _ignore)


def _ignore(signum: int, frame: FrameType | None) -> None:
    """Not SIG_IGN, which child processes would inherit."""


def post_worker_init(worker: Any) -> None:
    """The lifespan will start the lifecycle; from here on a death is not a clean stop."""
    worker.outcome[0] = SERVING


def worker_exit(server: Any, worker: Any) -> None:
    """End the worker with the lifecycle's exit code."""
    if lifecycle := getattr(getattr(worker.wsgi, "state", None), "lifecycle", None):
        finish_worker(worker, lifecycle)

"""gunicorn's worker for Flask: gthread, which starts and stops the lifecycle here."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.workers import gthread

from .lifecycle import Lifecycle, StartError, WsgiInFlight
from .lifecycle.inflight import Environ, StartResponse, WsgiApp
from .serving import SERVING, finish_worker
from .settings import load_settings

worker_class = "gthread"

# How long idle connections hold the exit, in seconds: the drain has given them time already.
gthread.STOP_KEEPALIVE_LINGER = 0.5


class CloseAtDrain:
    """WSGI middleware that lets gunicorn send ``Connection: close`` during the drain.

    gunicorn drops that header when an application sets it, so its response object is told. And not
    before the headers are sent: a connection that was promised to be kept must be.
    """

    def __init__(self, app: WsgiApp, lifecycle: Lifecycle) -> None:
        self._app = app
        self._lifecycle = lifecycle

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        response: Any = getattr(start_response, "__self__", None)

        def start_closing(*args: Any, **kwargs: Any) -> Any:
            if response is not None and self._lifecycle.draining:
                response.force_close()
            return start_response(*args, **kwargs)

        return self._app(environ, start_closing)


def post_worker_init(worker: Any) -> None:
    """Start the lifecycle of the application that the worker has loaded.

    Any other WSGI application (``gunicorn other:app``) gets a lifecycle of its own.
    """
    lifecycle = getattr(worker.wsgi, "extensions", {}).get("lifecycle")
    if lifecycle is None:
        lifecycle = Lifecycle(load_settings().budget)
        worker.wsgi = WsgiInFlight(worker.wsgi, lifecycle.requests)
    worker.wsgi = CloseAtDrain(worker.wsgi, lifecycle)
    worker.lifecycle = lifecycle
    worker.outcome[0] = SERVING
    try:
        lifecycle.start(server_signal=signal.SIGTERM)
    except StartError as error:
        worker.log.error("%s", error)
        sys.exit(Arbiter.WORKER_BOOT_ERROR)


def worker_exit(server: Any, worker: Any) -> None:
    """End the worker with the lifecycle's exit code."""
    if lifecycle := getattr(worker, "lifecycle", None):
        finish_worker(worker, lifecycle)

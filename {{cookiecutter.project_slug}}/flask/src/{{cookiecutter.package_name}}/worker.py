"""gunicorn's worker for Flask: gthread, and the hooks that start and stop the lifecycle in it."""

from __future__ import annotations

import contextlib
import math
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterable
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.workers import gthread

from .lifecycle import Lifecycle, StartError, WsgiInFlight
from .lifecycle.inflight import Environ, StartResponse, WsgiApp
from .serving import enter_service, finish_worker
from .settings import load_settings

worker_class = f"{__name__}.Worker"

# How long connections hold the exit or a thread, in seconds: for a request that is under way
# already, and for the client to close a connection that we want to close.
LINGER_SECONDS = 0.5
gthread.STOP_KEEPALIVE_LINGER = LINGER_SECONDS
# How much is taken, in bytes, of a request body that the application has not read.
LINGER_BYTES = 16 * 2**20


class Worker(gthread.ThreadWorker):  # type: ignore[misc]  # gunicorn is not typed
    """A gthread worker that does not wait for clients: neither its main loop nor its end does.

    gunicorn lets the main loop wait until a client closes its connection too, for up to 2 s. During
    the drain every connection is closed, so slow clients would keep the loop from accepting others.

    And it lets the end wait for connections that have not sent a request, or only a part of its
    head, as long as for requests: load balancers and browsers open such connections in advance.

    A worker that has served ``max_requests`` stops as at SIGTERM, with a drain and within the
    budget: gunicorn would stop accepting at once, and wait for streams that nobody tells to end.
    """

    lifecycle: Lifecycle  # set by post_worker_init
    max_requests: int  # set by gunicorn

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._recycle_after = self.max_requests
        self.max_requests = sys.maxsize
        self._without_request: set[Any] = set()
        self._requests_may_come = True
        self._last_call = math.inf

    def notify(self) -> None:
        """Called in each turn of the main loop, which takes a second at most."""
        super().notify()
        if self.nr >= self._recycle_after and not self.lifecycle.draining:
            self._recycle_after = sys.maxsize
            self.log.info("max_requests reached: stopping as at SIGTERM, to be replaced")
            os.kill(self.pid, signal.SIGTERM)

    def handle(self, conn: Any) -> Any:
        """Serve one request, in a thread of the pool, and see a last one's connection off here."""
        self._without_request.add(conn)
        if not self._requests_may_come:
            _read_no_more(conn)
        keep = super().handle(conn)
        self._without_request.discard(conn)
        if keep is False:
            _await_close(conn.sock)
        return keep

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Called when the head of a request has arrived."""
        self._without_request.discard(conn)
        return super().handle_request(req, conn)

    def is_parent_alive(self) -> bool:
        """On Linux a killed master means SIGTERM, see ``serving.py``; do not stop before that."""
        return sys.platform == "linux" or bool(super().is_parent_alive())

    def set_accept_enabled(self, enabled: bool) -> None:
        """As gunicorn does; and when stopping, take in who has connected and refuse all others.

        gunicorn leaves its sockets open while it finishes its requests: clients could connect, and
        would wait for an answer that does not come.
        """
        super().set_accept_enabled(enabled)
        if not (enabled or self.alive):
            for listener in self.sockets:
                while select.select([listener], [], [], 0)[0]:
                    self.accept(listener)
                listener.close()
            self._last_call = time.monotonic() + LINGER_SECONDS

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """As gunicorn does; and, when nobody has been accepted for a while, end what is idle."""
        until_last_call = max(0.0, self._last_call - time.monotonic())
        super().wait_for_and_dispatch_events(min(timeout, until_last_call))
        if time.monotonic() >= self._last_call:
            self._last_call = math.inf
            self._end_idle_connections()

    def _end_idle_connections(self) -> None:
        self._requests_may_come = False
        for conn in (*self._without_request.copy(), *self.pending_conns):
            _read_no_more(conn)


def _read_no_more(conn: Any) -> None:
    """Have the connection look as if the client had closed it, which ends any wait for data."""
    with contextlib.suppress(OSError):
        conn.sock.shutdown(socket.SHUT_RD)


def _await_close(connection: socket.socket) -> None:
    """Say that the response has ended, and take what the client sends until it closes, too.

    A connection that is closed while data is unread is reset, which can destroy the response.
    """
    until = time.monotonic() + LINGER_SECONDS
    left = LINGER_BYTES
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        while left > 0 and (seconds := until - time.monotonic()) > 0:
            connection.settimeout(seconds)
            if not (received := connection.recv(65_536)):
                break
            left -= len(received)
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


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
        _refuse_wrapped_app(worker)
        lifecycle = Lifecycle(load_settings().budget)
        worker.wsgi = WsgiInFlight(worker.wsgi, lifecycle.requests)
    worker.wsgi = CloseAtDrain(worker.wsgi, lifecycle)
    worker.lifecycle = lifecycle
    enter_service(worker)
    try:
        lifecycle.start(server_signal=signal.SIGTERM)
    except StartError as error:
        worker.log.error("%s", error)
        sys.exit(Arbiter.WORKER_BOOT_ERROR)


def _refuse_wrapped_app(worker: Any) -> None:
    """Refuse middleware around this service, which hides its lifecycle: no hook would be run."""
    if f"{__package__}.app" in sys.modules:
        worker.log.error(
            "%s hides the application of %s.app from gunicorn: put middleware inside of it, "
            "as in app.wsgi_app = ProxyFix(app.wsgi_app), and serve app",
            *(type(worker.wsgi).__name__, __package__),
        )
        sys.exit(Arbiter.WORKER_BOOT_ERROR)


def worker_exit(server: Any, worker: Any) -> None:
    """End the worker with the lifecycle's exit code."""
    if lifecycle := getattr(worker, "lifecycle", None):
        finish_worker(worker, lifecycle)

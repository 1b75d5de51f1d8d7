"""gunicorn's worker for FastAPI: uvicorn, which serves to the end of a stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import select
import signal
import socket
import time
from functools import partial
from typing import Any

from uvicorn import Config, Server
from uvicorn_worker import UvicornWorker

from .lifecycle import Lifecycle
from .serving import enter_service, finish_worker

worker_class = f"{__name__}.Worker"

# How long open connections hold the exit, in seconds, for a request that is under way already.
LINGER_SECONDS = 0.2
# How often the master sees that the event loop works; its `timeout` is one second at the least.
HEARTBEAT_SECONDS = 0.5


class LingeringServer(Server):
    """A uvicorn that serves the connections it has accepted before it closes them.

    uvicorn closes a connection whose first request has not arrived yet, which loses requests when
    clients go on connecting until the end, as they do at a reload.

    Args:
        config: uvicorn's.
        worker: gunicorn's worker, in which this runs.
    """

    def __init__(self, config: Config, worker: Worker) -> None:
        super().__init__(config)
        self._worker = worker

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second; returns whether to leave at once."""
        worker = self._worker
        if not worker.alive:  # a signal came before the lifecycle listened
            self.should_exit = True
        elif (
            self.server_state.total_requests >= worker.max_requests
            and not worker.lifecycle.draining
        ):
            worker.log.info("max_requests reached: stopping as at SIGTERM, to be replaced")
            os.kill(worker.pid, signal.SIGTERM)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, serve whoever has connected, linger while connections are open, stop."""
        until = time.monotonic() + LINGER_SECONDS
        waiting = _accept_all(sockets or [])
        for server in self.servers:
            server.close()
        await self._serve_all(waiting)
        while self.server_state.connections and time.monotonic() < until:
            await asyncio.sleep(0.02)  # there is no event to wait for
        await super().shutdown(sockets)

    async def _serve_all(self, connections: list[socket.socket]) -> None:
        connect = partial(
            asyncio.get_running_loop().connect_accepted_socket,
            self._create_protocol,
            ssl=self.config.ssl,
        )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):  # for those that are slow with TLS
                await asyncio.gather(*map(connect, connections), return_exceptions=True)

    def _create_protocol(self) -> asyncio.Protocol:
        """As uvicorn does for each connection."""
        protocol_class: Any = self.config.http_protocol_class
        protocol: asyncio.Protocol = protocol_class(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol


def _accept_all(listeners: list[socket.socket]) -> list[socket.socket]:
    """Accept who waits for it: closing the listeners would reset their connections.

    All at once, since clients can connect as fast as an event loop accepts.
    """
    accepted = []
    for listener in listeners:
        while select.select([listener], [], [], 0)[0]:
            with contextlib.suppress(OSError):  # another worker was faster
                accepted.append(listener.accept()[0])
    return accepted


class Worker(UvicornWorker):  # type: ignore[misc]  # gunicorn, its base, is not typed
    """A uvicorn worker that stops in time, and ends by returning rather than by a signal."""

    lifecycle: Lifecycle  # set when the application has started

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.config.callback_notify = None  # uvicorn does so seldom, and no more once it stops
        for name in ("uvicorn.error", "uvicorn.access"):  # the base class has unplugged them
            logging.getLogger(name).propagate = True

    async def _serve(self) -> None:
        # Here, since the master needs none of the libraries that it imports.
        from .worker_lifespan import Lifespan

        self.config.app = self.wsgi
        self.config.limit_max_requests = None  # uvicorn stops abruptly then
        self.config.load()
        self.config.lifespan_class = partial(Lifespan, worker=self)
        server = LingeringServer(self.config, self)
        heartbeat = asyncio.create_task(self._show_signs_of_life())
        # Plain sockets: closing gunicorn's own, uvloop makes it log an error in every stop.
        await server.serve(sockets=[each.sock for each in self.sockets])
        heartbeat.cancel()

    async def _show_signs_of_life(self) -> None:
        """Let the master see that the event loop works, from the start to the end of the stop.

        It would kill a worker that is told to stop, but not by the stop of the master itself, in
        the midst of the last requests.
        """
        while True:
            self.notify()
            await asyncio.sleep(HEARTBEAT_SECONDS)

    def init_signals(self) -> None:
        """As the base class, but handle the stop signals until uvicorn does, and after it has.

        uvicorn raises a signal anew once it has stopped; the default action would end the process
        before its ``atexit`` handlers.
        """
        super().init_signals()
        signal.signal(signal.SIGTERM, self.handle_exit)
        signal.signal(signal.SIGINT, self.handle_exit)
        signal.signal(signal.SIGQUIT, self.handle_quit)


def post_worker_init(worker: Any) -> None:
    """The application is loaded; its lifespan will start the lifecycle."""
    enter_service(worker)


def worker_exit(server: Any, worker: Any) -> None:
    """End the worker with the lifecycle's exit code."""
    if lifecycle := getattr(worker, "lifecycle", None):
        finish_worker(worker, lifecycle)

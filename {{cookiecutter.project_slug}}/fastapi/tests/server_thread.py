"""Serve an application in a thread of this process, for integration tests."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any

import uvicorn
from fastapi import FastAPI

from {{ cookiecutter.package_name }}.app import create_app
from {{ cookiecutter.package_name }}.lifecycle import Lifecycle

__all__ = ["App", "ServerThread", "add_check", "create_app", "forget_checks"]

App = FastAPI


def add_check(app: FastAPI, name: str, check: Callable[[], object]) -> None:
    """Have readiness depend on *check*."""
    app.state.checks[name] = lambda: asyncio.to_thread(check)


def forget_checks(app: FastAPI) -> None:
    """Have readiness depend on no other program, which may be slow."""
    app.state.checks.clear()


class ServerThread:
    """A server of *app*, which has started when the block begins, and stopped when it ends."""

    def __init__(self, app: FastAPI) -> None:
        self.lifecycle: Lifecycle = app.state.lifecycle
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._server = _Server(uvicorn.Config(app, lifespan="on", log_config=None))
        self._thread = threading.Thread(target=self._serve, name="server")

    def __enter__(self) -> ServerThread:
        self._thread.start()
        self._server.start_ended.wait()
        if not self._server.started:
            self.stop()
            raise RuntimeError("the application did not start, see the log")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Let requests in flight finish, end streams and WebSockets, run the hooks.

        A repeat has no effect.
        """
        if self._server.started:
            self.lifecycle.stop()
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        except SystemExit:  # uvicorn's way to say that the application did not start
            pass
        finally:
            self._server.start_ended.set()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.start_ended = threading.Event()

    async def startup(self, *args: Any, **kwargs: Any) -> None:
        await super().startup(*args, **kwargs)
        self.start_ended.set()

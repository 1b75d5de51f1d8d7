"""Serve an application in a thread of this process, for integration tests."""

from __future__ import annotations

import threading
from collections.abc import Callable

from flask import Flask
from werkzeug.serving import make_server

from {{ cookiecutter.package_name }}.app import create_app
from {{ cookiecutter.package_name }}.lifecycle import Lifecycle

__all__ = ["App", "ServerThread", "add_check", "create_app", "forget_checks"]

App = Flask


def add_check(app: Flask, name: str, check: Callable[[], object]) -> None:
    """Have readiness depend on *check*."""
    app.extensions["checks"][name] = check


def forget_checks(app: Flask) -> None:
    """Have readiness depend on no other program, which may be slow."""
    app.extensions["checks"].clear()


class ServerThread:
    """A server of *app*, which has started when the block begins, and stopped when it ends."""

    def __init__(self, app: Flask) -> None:
        self.lifecycle: Lifecycle = app.extensions["lifecycle"]
        self._server = make_server("127.0.0.1", 0, app, threaded=True)
        self.port = self._server.port
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._serve, name="server")
        self._start_ended = threading.Event()
        self._problem: Exception | None = None

    def __enter__(self) -> ServerThread:
        self._thread.start()
        self._start_ended.wait()
        if self._problem is not None:
            self._thread.join()
            raise RuntimeError("the application did not start") from self._problem
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Let requests in flight finish, end streams, run the hooks. A repeat has no effect."""
        self._server.shutdown()
        self.lifecycle.stop()
        self._thread.join()

    def _serve(self) -> None:
        # Not in the main thread, where the lifecycle would take over the tests' signals.
        try:
            self.lifecycle.start()
        except Exception as problem:
            self._problem = problem
            self._server.server_close()
            return
        finally:
            self._start_ended.set()
        self._server.serve_forever(poll_interval=0.05)

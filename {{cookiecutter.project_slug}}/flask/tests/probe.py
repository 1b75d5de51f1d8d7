"""The service as a user extends it, with requests that last: ``gunicorn tests.probe:app``."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from flask import Response, request
from gunicorn.workers import gthread

from {{ cookiecutter.package_name }}.app import create_app
from {{ cookiecutter.package_name }}.lifecycle import Lifecycle
from {{ cookiecutter.package_name }}.web.streams import until_drain

from .barrier import arrive, pass_barrier
from .faults import append_hooks

BIG_CHUNK, BIG_CHUNKS = b"x" * 65_536, 256

# Requests that can be stuck at the same time.
STUCK = (("/stuck",),)

# How long gunicorn lets a thread wait for the first request of a connection.
if seconds := os.environ.get("PROBE_DATA_SECONDS"):
    gthread.DEFAULT_WORKER_DATA_TIMEOUT = float(seconds)

app = create_app()
lifecycle: Lifecycle = app.extensions["lifecycle"]
append_hooks(lifecycle)


@app.get("/park")
def park() -> dict[str, str]:
    """Wait until the test lets this request go."""
    pass_barrier(int(request.args["port"]))
    return {"status": "released"}


@app.get("/nap")
def nap() -> dict[str, str]:
    """Keep a thread busy for 5 ms, as real work does, so that clients wait for one."""
    time.sleep(0.005)  # simulates the work; nothing waits for it to be long enough
    return {"status": "awake"}


@app.get("/stuck")
def stuck() -> dict[str, str]:
    """Block this thread."""
    arrive(int(request.args["port"]))
    stuck_forever()
    return {}


def stuck_forever() -> None:
    """Outlast every deadline: this is what a stop must not wait for."""
    for _ in range(600):
        # Simulates a hang; in pieces, for one long sleep can miss a signal that comes as it begins.
        time.sleep(0.1)


@app.get("/stream")
def stream() -> Response:
    """Endless, and idle after its first event."""

    def events() -> Iterator[bytes]:
        while True:
            yield b"data: tick\n\n"
            lifecycle.wait(3600)

    return Response(until_drain(lifecycle, events()), mimetype="text/event-stream")


@app.get("/big")
def big() -> Response:
    """More than the sockets' buffers hold: it is in flight until the client has read most of it."""

    def chunks() -> Iterator[bytes]:
        for _ in range(BIG_CHUNKS):
            yield BIG_CHUNK

    return Response(chunks())


@app.get("/big-in-one-piece")
def big_in_one_piece() -> Response:
    """As ``/big``, but the server gets it all at once."""
    return Response(BIG_CHUNK * BIG_CHUNKS)


@app.post("/upload")
def upload() -> dict[str, int]:
    """Take a body; when the test hears of it, none of it has been read."""
    arrive(int(request.args["port"]))
    return {"size": len(request.get_data())}


@app.get("/error")
def error() -> str:
    """An error page."""
    raise RuntimeError("broken on purpose")

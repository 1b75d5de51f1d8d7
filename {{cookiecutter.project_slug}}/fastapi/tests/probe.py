"""The service as a user extends it, with requests that last: ``gunicorn tests.probe:app``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from {{ cookiecutter.package_name }}.app import create_app
from {{ cookiecutter.package_name }}.lifecycle import Lifecycle
from {{ cookiecutter.package_name }}.web.streams import until_drain

from .barrier import arrive, pass_barrier
from .faults import append_hooks

BIG_CHUNK, BIG_CHUNKS = b"x" * 65_536, 256

# Requests that can be stuck at the same time.
STUCK = (("/stuck", "/stuck-in-thread"), ("/stuck-in-loop",))

app = create_app()
lifecycle: Lifecycle = app.state.lifecycle
append_hooks(lifecycle)


@app.get("/park")
async def park(port: int) -> dict[str, str]:
    """Wait until the test lets this request go."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reader.read(1)
    writer.close()
    await writer.wait_closed()
    return {"status": "released"}


@app.get("/park-in-thread")
def park_in_thread(port: int) -> dict[str, str]:
    """As ``/park``, in a thread."""
    pass_barrier(port)
    return {"status": "released"}


@app.get("/stuck")
async def stuck(port: int) -> None:
    """Wait for something that does not come."""
    await asyncio.to_thread(arrive, port)

    async def stuck_forever() -> None:
        await asyncio.sleep(60)

    await stuck_forever()


@app.get("/stuck-in-thread")
def stuck_in_thread(port: int) -> None:
    """Block a thread."""
    arrive(port)
    stuck_forever()


@app.get("/nap")
async def nap() -> dict[str, str]:
    """Keep the event loop busy for 5 ms, as real work does, so that clients wait to be accepted."""
    time.sleep(0.005)  # simulates the work; nothing waits for it to be long enough
    return {"status": "awake"}


@app.get("/stuck-in-loop")
async def stuck_in_loop(port: int) -> None:
    """Block the whole event loop."""
    arrive(port)
    stuck_forever()


def stuck_forever() -> None:
    """Outlast every deadline: this is what a stop must not wait for."""
    for _ in range(600):
        # Simulates a hang; in pieces, for one long sleep can miss a signal that comes as it begins.
        time.sleep(0.1)


@app.get("/stream")
async def stream() -> StreamingResponse:
    """Endless, and idle after its first event."""

    async def events() -> AsyncIterator[bytes]:
        while True:
            yield b"data: tick\n\n"
            await asyncio.sleep(3600)

    return StreamingResponse(until_drain(lifecycle, events()), media_type="text/event-stream")


@app.get("/big")
async def big() -> StreamingResponse:
    """More than the sockets' buffers hold: it is in flight until the client has read most of it."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(BIG_CHUNKS):
            yield BIG_CHUNK

    return StreamingResponse(chunks())


@app.get("/big-in-one-piece")
async def big_in_one_piece() -> Response:
    """As ``/big``, but the server gets it all at once."""
    return Response(BIG_CHUNK * BIG_CHUNKS)


@app.post("/upload")
async def upload(request: Request, port: int) -> dict[str, int]:
    """Take a body; when the test hears of it, none of it has been read."""
    await asyncio.to_thread(arrive, port)
    return {"size": len(await request.body())}


@app.get("/error")
async def error() -> None:
    """An error page."""
    raise RuntimeError("broken on purpose")

"""Connections that are half-way when the signal comes: black-box tests, all of one stop."""

from __future__ import annotations

import asyncio
import http.client
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pytest

from .barrier import Barrier
from .conftest import Serve, seen_once

pytestmark = pytest.mark.shutdown

GET = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
# Connections without a request are to be closed SOON, and long before requests are abandoned.
SOON, REQUEST_SECONDS = 6.0, "15"


@dataclass
class Stop:
    """What clients have seen of it."""

    closed_soon: dict[str, bool]
    upload: Future[tuple[int, bytes]]
    seconds_after_upload: float
    exit_code: int
    reports: list[dict[str, Any]]


@pytest.fixture(scope="module")
def stop() -> Callable[[], Stop]:
    """The stop that all these tests look at."""
    return seen_once(stop_amid_connections)


def stop_amid_connections(serve: Serve) -> Stop:
    """Stop a server while clients are idle, or slow; the upload goes on when all else is over."""
    server = serve("gunicorn", "tests.probe:app", SHUTDOWN_REQUEST_SECONDS=REQUEST_SECONDS)
    with ExitStack() as stack:
        threads = stack.enter_context(ThreadPoolExecutor(max_workers=1))
        barrier = stack.enter_context(Barrier())

        def connect(sent: bytes) -> socket.socket:
            client = socket.create_connection(("127.0.0.1", server.port), timeout=10)
            client.sendall(sent)
            return stack.enter_context(client)

        head = f"POST /upload?port={barrier.port} HTTP/1.1\r\nHost: localhost\r\n"
        uploading = connect(f"{head}Content-Length: 10\r\n\r\n12345".encode())
        barrier.wait_for_arrivals()
        idle = {
            "kept after a response": [connect(GET) for _ in range(10)],
            "opened in advance": [connect(b"") for _ in range(10)],
            "with half a request": [connect(GET[:10]) for _ in range(10)],
        }
        for client in idle["kept after a response"]:
            assert read_response(client)[0] == 200

        give_up = time.monotonic() + SOON
        server.signal(signal.SIGTERM)
        closed = {
            which: all(is_closed(client, give_up) for client in clients)
            for which, clients in idle.items()
        }
        uploading.sendall(b"67890")
        upload = threads.submit(read_response, uploading)
        begun = time.monotonic()
        code = server.wait()
        seconds = time.monotonic() - begun
    return Stop(closed, upload, seconds, code, server.reports)


def read_response(client: socket.socket) -> tuple[int, bytes]:
    """Its status and its body."""
    response = http.client.HTTPResponse(client)
    response.begin()
    return response.status, response.read()


def is_closed(client: socket.socket, give_up: float) -> bool:
    """Whether the server closes the connection by then."""
    client.settimeout(max(0.01, give_up - time.monotonic()))
    try:
        while client.recv(1024):
            pass
    except TimeoutError:
        return False
    except ConnectionResetError:
        pass
    return True


def test_a_request_body_half_sent_is_received_to_its_end(stop: Callable[[], Stop]) -> None:
    seen = stop()
    status, body = seen.upload.result()
    assert status == 200, "the upload was cut off by the stop"
    assert b"10" in body
    [report] = seen.reports
    assert report["requests_abandoned"] == 0
    assert report["requests_completed"] >= 1


def test_idle_connections_do_not_hold_the_exit(stop: Callable[[], Stop]) -> None:
    seen = stop()
    waited_for = [which for which, closed in seen.closed_soon.items() if not closed]
    assert waited_for == [], "connections without a request were waited for"
    assert seen.seconds_after_upload < SOON, "it did not end with the last request"
    assert seen.exit_code == 0


async def connect_until_refused(port: int, path: str) -> list[str]:
    """Send one request after the other, each on a connection of its own; what has failed."""
    failures: list[str] = []
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            return failures
        except ConnectionResetError as error:
            failures.append(repr(error))
            continue
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.read()
            if not answer.startswith(b"HTTP/1.1 200"):
                failures.append(f"answered {answer!r}")
        except OSError as error:
            failures.append(repr(error))
        finally:
            writer.close()


def test_who_connects_until_the_end_is_answered_or_refused(serve: Serve) -> None:
    server = serve("gunicorn", "tests.probe:app", SHUTDOWN_DRAIN_SECONDS="0.5")

    async def stop_amid_new_connections() -> list[list[str]]:
        clients = [
            asyncio.create_task(connect_until_refused(server.port, path))
            for path in ("/livez", "/nap") * 15
        ]
        server.signal(signal.SIGTERM)
        return await asyncio.gather(*clients)

    failures = list(chain.from_iterable(asyncio.run(stop_amid_new_connections())))
    # One may come in the very moment in which the socket is closed, but not all that wait there.
    assert len(failures) < 3, failures
    assert server.wait() == 0

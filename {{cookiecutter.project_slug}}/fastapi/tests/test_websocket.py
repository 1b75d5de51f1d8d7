"""WebSockets, in this process and on the production server."""

from __future__ import annotations

import json
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from .conftest import Serve, seen_once
from .server_thread import ServerThread
from .test_leaks import files_left_open, open_files

# The last messages, and the close code.
Leave = tuple[list[str | bytes], int | None]


def open_websocket(url: str) -> ClientConnection:
    """Connect to the example WebSocket."""
    return connect(f"{url.replace('http', 'ws', 1)}/ws", proxy=None)


def take_leave(websocket: ClientConnection) -> Leave:
    """Receive everything up to the close, and the code of that; None if it does not come."""
    messages = []
    try:
        while True:
            messages.append(websocket.recv(timeout=5))
    except ConnectionClosed as closed:
        return messages, closed.rcvd.code if closed.rcvd else None
    except TimeoutError:
        return messages, None


def open_deaf_websocket(port: int) -> socket.socket:
    """Connect to it without ever answering afterwards."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    assert connection.recv(1024).startswith(b"HTTP/1.1 101 ")
    return connection


def reset(connection: socket.socket) -> None:
    """Close it by a reset, as a crash does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_it_echoes(server: ServerThread) -> None:
    with open_websocket(server.url) as websocket:
        for text in ("hello", "world"):
            websocket.send(text)
            assert websocket.recv(timeout=5) == text


def test_clients_are_told_when_the_server_in_a_thread_stops(server: ServerThread) -> None:
    with open_websocket(server.url) as websocket:
        server.stop()
        [notice], code = take_leave(websocket)
    assert (json.loads(notice)["type"], code) == ("shutdown", 1012)


def test_a_client_that_has_vanished_is_not_waited_for(server: ServerThread) -> None:
    reset(open_deaf_websocket(server.port))
    begun = time.monotonic()
    server.stop()
    assert time.monotonic() - begun < 0.9  # a silent client would get 1 s


@dataclass
class Stop:
    """What became of WebSockets, those that had gone before it included."""

    left_open: list[str]
    leaves: list[Leave]
    exit_code: int
    reports: list[dict[str, Any]]


@pytest.fixture(scope="module")
def stop() -> Callable[[], Stop]:
    """The stop that the tests on the real server look at."""
    return seen_once(stop_amid_websockets)


def stop_amid_websockets(serve: Serve) -> Stop:
    """Have many WebSockets that end in any way, and then stop a server that has two of them."""
    server = serve("gunicorn")
    [worker] = server.worker_pids
    assert server.get("/livez").status_code == 200  # it is up entirely
    before = open_files(worker)
    for _ in range(20):
        with open_websocket(server.url) as websocket:
            websocket.send("hello")
            assert websocket.recv(timeout=5) == "hello"
        open_deaf_websocket(server.port).close()  # without a word
        reset(open_deaf_websocket(server.port))
    left_open = files_left_open(worker, before)
    with open_websocket(server.url) as first, open_websocket(server.url) as second:
        server.signal(signal.SIGTERM)
        leaves = [take_leave(first), take_leave(second)]
    return Stop(left_open, leaves, server.wait(), server.reports)


@pytest.mark.shutdown
def test_idle_clients_are_told_and_closed_with_the_drain(stop: Callable[[], Stop]) -> None:
    seen = stop()
    for messages, code in seen.leaves:
        [notice] = map(json.loads, messages)
        assert notice["type"] == "shutdown"
        assert 1 <= notice["reconnect_after_seconds"] <= 5
        assert code == 1012
    [report] = seen.reports
    # Clients that are not closed, and clients that have gone but are counted, would get 1 s.
    phases = report["phases"]
    assert phases["drain"] + phases["requests"] < 0.9, "WebSockets held up the stop"


@pytest.mark.shutdown
def test_a_stop_with_websockets_is_clean(stop: Callable[[], Stop]) -> None:
    seen = stop()
    assert seen.exit_code == 0
    [report] = seen.reports
    assert report["problems"] == []


@pytest.mark.shutdown
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc, which lists open files")
def test_they_leave_no_file_open(stop: Callable[[], Stop]) -> None:
    assert stop().left_open == []


@pytest.mark.shutdown
def test_a_client_that_does_not_answer_is_not_waited_for_long(serve: Serve) -> None:
    server = serve("gunicorn")
    with open_deaf_websocket(server.port):
        begun = time.monotonic()
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert time.monotonic() - begun < 4, "it was waited for as long as for a request"

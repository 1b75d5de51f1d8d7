"""WebSockets, in this process and on the production server."""

from __future__ import annotations

import json
import signal
import socket
import struct
import time
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from .conftest import Serve
from .server_thread import ServerThread


def open_websocket(url: str) -> ClientConnection:
    """Connect to the example WebSocket."""
    return connect(f"{url.replace('http', 'ws', 1)}/ws", proxy=None)


def take_leave(websocket: ClientConnection) -> tuple[dict[str, Any], int]:
    """Wait for the last message and the close code."""
    notice = json.loads(websocket.recv(timeout=5))
    with pytest.raises(ConnectionClosed) as closed:
        websocket.recv(timeout=5)
    assert closed.value.rcvd is not None
    return notice, closed.value.rcvd.code


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
        notice, code = take_leave(websocket)
    assert (notice["type"], code) == ("shutdown", 1012)


def test_a_client_that_has_vanished_is_not_waited_for(server: ServerThread) -> None:
    reset(open_deaf_websocket(server.port))
    begun = time.monotonic()
    server.stop()
    assert time.monotonic() - begun < 0.9  # a silent client would get 1 s


@pytest.mark.shutdown
def test_idle_clients_are_told_and_closed_with_the_drain(serve: Serve) -> None:
    server = serve("gunicorn")
    with open_websocket(server.url) as first, open_websocket(server.url) as second:
        server.signal(signal.SIGTERM)
        for websocket in (first, second):
            notice, code = take_leave(websocket)
            assert notice["type"] == "shutdown"
            assert 1 <= notice["reconnect_after_seconds"] <= 5
            assert code == 1012
        assert server.wait() == 0
    [report] = server.reports
    assert report["phases"]["drain"] < 0.9  # silent clients would get 1 s
    assert report["problems"] == []


@pytest.mark.shutdown
def test_a_client_that_does_not_answer_is_not_waited_for_long(serve: Serve) -> None:
    server = serve("gunicorn")
    with open_deaf_websocket(server.port):
        begun = time.monotonic()
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert time.monotonic() - begun < 2.5

"""Counts what is in flight, from the first byte of the request to the last of the response."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from typing import Any

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

# A server takes that much at once for a slow client, and waits for it only before the next message:
# a longer response must not be in one, or its request would end while most of it is to be sent.
UNSENT_BYTES = 65_536  # uvicorn's HIGH_WATER_LIMIT

SERVICE_RESTART = 1012  # the WebSocket close code for it, registered with IANA


class InFlight:
    """Who is being served now, and how many have been."""

    def __init__(self, on_idle: Callable[[], None]) -> None:
        self._on_idle = on_idle
        self._lock = threading.Lock()
        self._owners: dict[object, tuple[object, str]] = {}
        self.completed = 0

    @property
    def count(self) -> int:
        """How many are in flight."""
        return len(self._owners)

    @property
    def owners(self) -> dict[object, str]:
        """The threads' idents (WSGI) or the tasks (ASGI) that are at work, and on what."""
        with self._lock:
            return dict(self._owners.values())

    def enter(self, owner: object, what: str = "") -> object:
        """Count one more, which *owner* works on; returns what :meth:`leave` wants.

        Args:
            owner: the thread's ident or the task.
            what: what the log calls it, should it have to be abandoned.
        """
        token = object()
        with self._lock:
            self._owners[token] = owner, what
        return token

    def leave(self, token: object) -> None:
        """Count one less. Leaving twice counts once."""
        with self._lock:
            if self._owners.pop(token, None) is None:
                return
            self.completed += 1
            idle = not self._owners
        if idle:
            self._on_idle()


class WsgiInFlight:
    """WSGI middleware that counts a request until the server closes its response (PEP 3333)."""

    def __init__(self, app: WsgiApp, requests: InFlight) -> None:
        self._app = app
        self._requests = requests

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        what = f"{environ.get('REQUEST_METHOD')} {environ.get('PATH_INFO')}"
        token = self._requests.enter(threading.get_ident(), what)
        try:
            body = self._app(environ, start_response)
        except BaseException:
            self._requests.leave(token)
            raise
        return _Body(body, lambda: self._requests.leave(token))


class _Body:
    """A response body that tells when the server is done with it."""

    def __init__(self, body: Iterable[bytes], done: Callable[[], None]) -> None:
        self._body = body
        self._done = done

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        try:
            if close := getattr(self._body, "close", None):
                close()
        finally:
            self._done()


def _restart_notice() -> str:
    """What WebSocket clients are told. The pause is spread, lest all come back at once."""
    pause = round(random.uniform(1, 5), 1)
    return json.dumps({"type": "shutdown", "reconnect_after_seconds": pause})


class AsgiInFlight:
    """ASGI middleware that counts requests and WebSockets, and takes leave of both at the drain.

    Responses carry ``Connection: close`` then, so that clients connect anew, elsewhere. Every open
    WebSocket gets a notice and is closed with code 1012: when the server itself stops, it is too
    late, since it closes them before it tells the application.

    Args:
        app: the application.
        requests: counts HTTP requests.
        websockets: counts WebSockets.
        draining: whether the drain has begun.
        drained: waits for it to begin.
    """

    def __init__(
        self,
        app: AsgiApp,
        *,
        requests: InFlight,
        websockets: InFlight,
        draining: Callable[[], bool],
        drained: Callable[[], Awaitable[None]],
    ) -> None:
        self._app = app
        self._requests = requests
        self._websockets = websockets
        self._draining = draining
        self._drained = drained

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request, WebSocket or lifespan."""
        if scope["type"] == "http":
            await self._serve_request(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._serve_websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _serve_request(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> None:
        # HTTP/2 has no such header; there, the server itself says goodbye.
        http1 = scope.get("http_version", "1.1").startswith("1")

        async def send_to_the_end(message: Message) -> None:
            if message["type"] == "http.response.start" and http1 and self._draining():
                headers = [h for h in message.get("headers", ()) if h[0].lower() != b"connection"]
                message["headers"] = [*headers, (b"connection", b"close")]
            elif len(message.get("body", b"")) > UNSENT_BYTES and not message.get("more_body"):
                await send({**message, "more_body": True})
                message = {"type": message["type"]}
            await send(message)

        what = f"{scope.get('method')} {scope.get('path')}"
        token = self._requests.enter(asyncio.current_task(), what)
        try:
            await self._app(scope, receive, send_to_the_end)
        finally:
            self._requests.leave(token)

    async def _serve_websocket(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> None:
        accepted = asyncio.Event()
        closed = False

        async def send_while_open(message: Message) -> None:
            nonlocal closed
            if closed:  # what a server raises when the peer has gone
                raise OSError("the WebSocket was closed for the shutdown")
            if message["type"] == "websocket.close":
                closed = True
            await send(message)
            if message["type"] == "websocket.accept":
                accepted.set()

        async def take_leave() -> None:
            nonlocal closed
            await accepted.wait()
            await self._drained()
            if closed:
                return
            closed = True
            await send({"type": "websocket.send", "text": _restart_notice()})
            await send({"type": "websocket.close", "code": SERVICE_RESTART, "reason": "shutdown"})

        token = self._websockets.enter(asyncio.current_task(), f"WebSocket {scope.get('path')}")
        leave_taking = asyncio.create_task(take_leave())
        try:
            await self._app(scope, receive, send_while_open)
        finally:
            leave_taking.cancel()
            await asyncio.gather(leave_taking, return_exceptions=True)
            self._websockets.leave(token)

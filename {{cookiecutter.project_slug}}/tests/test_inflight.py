"""What is in flight, from the first byte of the request to the last of the response."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from typing import Any

import pytest

from {{ cookiecutter.package_name }}.lifecycle import (
    AsgiInFlight,
    InFlight,
    Moment,
    WsgiInFlight,
)
from {{ cookiecutter.package_name }}.lifecycle.inflight import _restart_notice

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Idle:
    """Counts how often nothing has been left in flight."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


def test_it_counts_who_enters_and_leaves() -> None:
    idle = Idle()
    requests = InFlight(idle)
    first, second = requests.enter("one"), requests.enter("two")
    assert requests.count == 2
    assert list(requests.owners) == ["one", "two"]
    requests.leave(first)
    requests.leave(first)  # once is enough
    assert (requests.count, requests.completed, idle.times) == (1, 1, 0)
    requests.leave(second)
    assert (requests.count, requests.completed, idle.times) == (0, 2, 1)


def test_it_counts_in_many_threads() -> None:
    requests = InFlight(lambda: None)

    def come_and_go() -> None:
        for _ in range(1000):
            requests.leave(requests.enter("someone"))

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (requests.count, requests.completed) == (0, 4000)


class Body:
    """A response body that notes whether it was closed."""

    def __init__(self, error: Exception | None = None) -> None:
        self.closed = False
        self._error = error

    def __iter__(self) -> Iterator[bytes]:
        yield b"first"
        yield b"last"

    def close(self) -> None:
        self.closed = True
        if self._error:
            raise self._error


def serve_wsgi(requests: InFlight, body: Iterable[bytes]) -> Iterable[bytes]:
    """What the server gets for a request."""
    return WsgiInFlight(lambda environ, start_response: body, requests)({}, lambda *_: None)


def test_a_wsgi_request_is_in_flight_until_its_body_is_closed() -> None:
    requests = InFlight(lambda: None)
    body = Body()
    response: Any = serve_wsgi(requests, body)
    assert list(requests.owners) == [threading.get_ident()]
    assert list(response) == [b"first", b"last"]
    assert requests.count == 1
    response.close()
    assert (requests.count, requests.completed, body.closed) == (0, 1, True)


def test_it_is_in_flight_until_what_follows_the_response_is_done() -> None:
    requests = InFlight(lambda: None)
    counts: list[int] = []

    class WithSession(list[bytes]):
        def close(self) -> None:
            counts.append(requests.count)

    response: Any = serve_wsgi(requests, WithSession([b"all"]))
    response.close()
    assert counts == [1]


def test_a_plain_list_is_a_body_too() -> None:
    requests = InFlight(lambda: None)
    response: Any = serve_wsgi(requests, [b"all"])
    assert list(response) == [b"all"]
    response.close()
    assert requests.count == 0


def test_a_wsgi_application_that_fails_is_not_in_flight() -> None:
    requests = InFlight(lambda: None)

    def fail(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        assert requests.count == 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        WsgiInFlight(fail, requests)({}, lambda *_: None)
    assert requests.count == 0


def test_nor_is_one_whose_body_fails_to_close() -> None:
    requests = InFlight(lambda: None)
    response: Any = serve_wsgi(requests, Body(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        response.close()
    assert requests.count == 0


class Asgi:
    """An ASGI middleware with an application in it, and what it sends."""

    def __init__(self, app: Callable[[Any, Receive, Send], Awaitable[None]]) -> None:
        self.requests = InFlight(lambda: None)
        self.websockets = InFlight(lambda: None)
        self.drained = Moment()
        self.sent: list[Message] = []
        self.middleware = AsgiInFlight(
            app,
            requests=self.requests,
            websockets=self.websockets,
            draining=self.drained.is_set,
            drained=self.drained.reached,
        )

    async def serve(self, **scope: Any) -> None:
        """Serve one request or WebSocket, whose client sends nothing."""

        async def receive() -> Message:
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Message) -> None:
            self.sent.append(message)

        await self.middleware(scope, receive, send)


async def respond(scope: object, receive: Receive, send: Send) -> None:
    """An application that answers in two parts."""
    headers = [(b"Connection", b"keep-alive"), (b"x-other", b"kept")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"first", "more_body": True})
    await send({"type": "http.response.body", "body": b"last"})


def test_an_asgi_request_is_in_flight_until_the_application_has_returned() -> None:
    counts: list[int] = []

    async def app(scope: object, receive: Receive, send: Send) -> None:
        counts.append(asgi.requests.count)
        assert list(asgi.requests.owners) == [asyncio.current_task()]
        await respond(scope, receive, send)
        counts.append(asgi.requests.count)

    asgi = Asgi(app)
    asyncio.run(asgi.serve(type="http"))
    assert counts == [1, 1]
    assert (asgi.requests.count, asgi.requests.completed) == (0, 1)
    assert asgi.sent[0]["headers"][0] == (b"Connection", b"keep-alive")


def test_an_asgi_application_that_fails_is_not_in_flight() -> None:
    async def app(scope: object, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    asgi = Asgi(app)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(asgi.serve(type="http"))
    assert asgi.requests.count == 0


def test_a_response_in_the_drain_closes_its_connection() -> None:
    asgi = Asgi(respond)
    asgi.drained.set()
    asyncio.run(asgi.serve(type="http", http_version="1.1"))
    assert asgi.sent[0]["headers"] == [(b"x-other", b"kept"), (b"connection", b"close")]


def test_http_2_has_no_such_header() -> None:
    asgi = Asgi(respond)
    asgi.drained.set()
    asyncio.run(asgi.serve(type="http", http_version="2"))
    assert (b"connection", b"close") not in asgi.sent[0]["headers"]


def test_the_lifespan_is_not_counted() -> None:
    async def app(scope: object, receive: Receive, send: Send) -> None:
        assert asgi.requests.count == asgi.websockets.count == 0

    asgi = Asgi(app)
    asyncio.run(asgi.serve(type="lifespan"))


def test_a_websocket_that_has_gone_leaves_nothing_behind() -> None:
    async def app(scope: object, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        await asyncio.sleep(0)

    async def come_and_go() -> None:
        await asgi.serve(type="websocket")
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert not asgi.drained._wakers

    asgi = Asgi(app)
    asyncio.run(come_and_go())


def test_a_websocket_is_told_and_closed_at_the_drain() -> None:
    accepted = asyncio.Event()

    async def app(scope: object, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        accepted.set()
        await receive()

    async def drain() -> None:
        serving = asyncio.create_task(asgi.serve(type="websocket"))
        await accepted.wait()
        assert (asgi.requests.count, asgi.websockets.count) == (0, 1)
        asgi.drained.set()
        while len(asgi.sent) < 3:
            await asyncio.sleep(0)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    asgi = Asgi(app)
    asyncio.run(asyncio.wait_for(drain(), 5))
    notice, close = asgi.sent[1:]
    told = json.loads(notice["text"])
    assert told["type"] == "shutdown"
    assert 1 <= told["reconnect_after_seconds"] <= 5
    assert (close["type"], close["code"]) == ("websocket.close", 1012)
    assert asgi.websockets.count == 0


def test_clients_are_not_told_to_come_back_all_at_once() -> None:
    pauses = {json.loads(_restart_notice())["reconnect_after_seconds"] for _ in range(50)}
    assert len(pauses) > 5
    assert 1 <= min(pauses) < max(pauses) <= 5


async def let_others_run() -> None:
    """Go more often through the event loop than telling a client would take."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_an_application_that_closes_its_websocket_itself_closes_it_once() -> None:
    async def app(scope: object, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 1000})
        asgi.drained.set()
        await let_others_run()

    asgi = Asgi(app)
    asyncio.run(asgi.serve(type="websocket"))
    assert [message["type"] for message in asgi.sent] == ["websocket.accept", "websocket.close"]


def test_an_application_that_still_sends_afterwards_learns_that_it_is_too_late() -> None:
    async def app(scope: object, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        asgi.drained.set()
        while len(asgi.sent) < 3:
            await asyncio.sleep(0)
        with pytest.raises(OSError, match="closed for the shutdown"):
            await send({"type": "websocket.send", "text": "one more thing"})

    asgi = Asgi(app)
    asyncio.run(asyncio.wait_for(asgi.serve(type="websocket"), 5))
    assert len(asgi.sent) == 3


def test_a_websocket_that_was_not_accepted_is_not_told() -> None:
    async def app(scope: object, receive: Receive, send: Send) -> None:
        asgi.drained.set()
        await let_others_run()

    asgi = Asgi(app)
    asyncio.run(asgi.serve(type="websocket"))
    assert asgi.sent == []
    assert asgi.websockets.count == 0

"""A stop loses no request: black-box tests, all of one stop of the production server."""

from __future__ import annotations

import math
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from .barrier import Barrier
from .conftest import Serve, seen_once
from .probe import BIG_CHUNK, BIG_CHUNKS
from .servers import ServerProcess

pytestmark = pytest.mark.shutdown

DRAIN_SECONDS = 2.0
PAGES = {"/readyz": 503, "/livez": 200, "/big": 200, "/error": 500, "/no-such-page": 404}


@dataclass
class Stop:
    """What clients have seen of it. Moments are in seconds after the signal."""

    before: list[httpx.Response]
    unready: float
    in_drain: list[httpx.Response]
    seconds_beside_open_connection: float
    refused: float
    unanswered: list[str]
    parked: Future[httpx.Response]
    big: Future[int]
    stream: Future[tuple[str, float]]
    exit_code: int
    records: list[dict[str, Any]]
    reports: list[dict[str, Any]]


@pytest.fixture(scope="module")
def stop() -> Callable[[], Stop]:
    """The stop that all these tests look at."""
    return seen_once(stop_amid_requests)


def stop_amid_requests(serve: Serve) -> Stop:
    """Stop a server with requests of every kind in flight, and go on sending some."""
    server = serve("gunicorn", "tests.probe:app", SHUTDOWN_DRAIN_SECONDS=str(DRAIN_SECONDS))
    with ExitStack() as stack:
        threads = stack.enter_context(ThreadPoolExecutor())
        barrier = stack.enter_context(Barrier())
        kept = stack.enter_context(server.client())
        parked = threads.submit(server.get, f"/park?port={barrier.port}")
        barrier.wait_for_arrivals()
        stream = stack.enter_context(server.client()).stream("GET", "/stream")
        events = stack.enter_context(stream).iter_text()
        assert next(events) == "data: tick\n\n"
        big = stack.enter_context(server.client()).stream("GET", "/big")
        chunks = stack.enter_context(big).iter_bytes()
        before = [kept.get("/readyz"), kept.get("/livez")]

        begun = time.monotonic()
        server.signal(signal.SIGTERM)
        streamed = threads.submit(lambda: ("".join(events), time.monotonic() - begun))
        unready = seconds_until(lambda: server.get("/readyz").status_code == 503, since=begun)
        server.wait_for_log("draining")
        received = threads.submit(lambda: sum(map(len, chunks)))
        in_drain = [kept.get("/livez"), *map(server.get, PAGES)]
        beside = seconds_beside_open_connection(server)
        unanswered: list[str] = []
        refused = seconds_until(lambda: is_refused(server, unanswered), since=begun)
        barrier.release()
        code = server.wait()
    return Stop(
        *(before, unready, in_drain, beside, refused, unanswered, parked, received, streamed),
        *(code, server.records, server.reports),
    )


def seconds_until(condition: Callable[[], bool], since: float) -> float:
    """When it holds; infinite if it does not in time, which is well before the request deadline."""
    give_up = since + DRAIN_SECONDS + 2
    while time.monotonic() < give_up:
        if condition():
            return time.monotonic() - since
    return math.inf


def is_refused(server: ServerProcess, unanswered: list[str]) -> bool:
    """Whether nobody listens; note whose request was accepted, and not answered."""
    try:
        assert server.get("/livez").status_code == 200
    except httpx.ConnectError:
        return True
    except httpx.NetworkError:  # it came in the very moment in which the server stopped listening
        return False
    except httpx.RemoteProtocolError as error:
        unanswered.append(str(error))
    return False


def seconds_beside_open_connection(server: ServerProcess) -> float:
    """How long a request takes while another client leaves its connection open after its own."""
    with socket.create_connection(("127.0.0.1", server.port)) as left_open:
        left_open.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 200 " in left_open.recv(1024)
        begun = time.monotonic()
        assert server.get("/livez").status_code == 200
        return time.monotonic() - begun


def closes(response: httpx.Response) -> bool:
    """Whether the client has been told not to use the connection again."""
    return "close" in response.headers.get_list("connection")


def test_a_request_in_flight_is_answered(stop: Callable[[], Stop]) -> None:
    seen = stop()
    assert seen.parked.result().json() == {"status": "released"}
    [report] = seen.reports
    assert report["requests_abandoned"] == 0
    assert report["requests_completed"] > len(PAGES)


def test_a_response_under_way_is_sent_to_its_last_byte(stop: Callable[[], Stop]) -> None:
    assert stop().big.result() == len(BIG_CHUNK) * BIG_CHUNKS


def test_readyz_turns_503_at_once_while_livez_stays_200(stop: Callable[[], Stop]) -> None:
    seen = stop()
    assert [response.status_code for response in seen.before] == [200, 200]
    assert seen.unready < DRAIN_SECONDS / 2
    assert [response.status_code for response in seen.in_drain] == [200, *PAGES.values()]


def test_every_response_of_the_drain_closes_its_connection(stop: Callable[[], Stop]) -> None:
    seen = stop()
    assert not any(map(closes, seen.before))
    assert [str(response.url) for response in seen.in_drain if not closes(response)] == []


def test_new_requests_are_served_during_the_drain_and_refused_after_it(
    stop: Callable[[], Stop],
) -> None:
    refused = stop().refused
    assert refused >= DRAIN_SECONDS, "the drain was cut short"
    assert refused < math.inf, "it went on accepting requests after the drain"


def test_what_is_accepted_is_answered_until_the_last_moment(stop: Callable[[], Stop]) -> None:
    assert stop().unanswered == []


def test_a_client_that_leaves_its_connection_open_does_not_hold_up_others(
    stop: Callable[[], Stop],
) -> None:
    assert stop().seconds_beside_open_connection < 0.5


def test_an_endless_stream_ends_with_the_drain(stop: Callable[[], Stop]) -> None:
    rest, ended = stop().stream.result()  # raises if the stream broke off
    assert rest in ("", "data: tick\n\n")
    assert ended < DRAIN_SECONDS / 2, "it went on during the drain"


def test_an_error_of_the_application_is_logged(stop: Callable[[], Stop]) -> None:
    exceptions = [record.get("exception", "") for record in stop().records]
    assert [e for e in exceptions if e.endswith("RuntimeError: broken on purpose")] != []


def test_the_log_is_for_machines(stop: Callable[[], Stop]) -> None:
    records = stop().records
    assert {"ready", "draining", "Listening at"} <= {r["event"].partition(": ")[0] for r in records}
    assert [record for record in records if "color_message" in record] == []


def test_a_stop_that_lost_nothing_exits_with_0(stop: Callable[[], Stop]) -> None:
    seen = stop()
    assert seen.exit_code == 0
    [report] = seen.reports
    assert report["problems"] == []

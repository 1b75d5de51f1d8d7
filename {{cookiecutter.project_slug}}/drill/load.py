"""Clients that send requests at a fixed rate, and note what becomes of each.

The loop is open: a request is due when its turn comes, whether or not earlier ones have been
answered, as with clients that know nothing of each other. Clients that wait for one answer before
they send the next fall silent just when a service stalls, which is what a drill must see.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType

FRESH_EVERY = 4  # every fourth request has a connection of its own
TICK_SECONDS = 0.05  # how long it may take to notice that it is enough


class LostError(Exception):
    """A request got no complete answer; the message says what happened instead."""


@dataclass(frozen=True)
class Target:
    """What to request, of whom."""

    host: str
    port: int
    method: str = "GET"
    path: str = "/livez"
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def encode(self, *, keep: bool) -> bytes:
        """The bytes of one request, which wants its connection kept or closed."""
        headers = {
            "Host": f"{self.host}:{self.port}",
            "User-Agent": "drill",
            "Connection": "keep-alive" if keep else "close",
            **({"Content-Length": str(len(self.body))} if self.body else {}),
            **self.headers,
        }
        lines = [f"{self.method} {self.path} HTTP/1.1", *map(": ".join, headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@dataclass(frozen=True, slots=True)
class Request:
    """What became of one request. Times are in seconds on the monotonic clock.

    Args:
        due: when it was to be sent; the latency counts from here.
        end: when it was answered, or lost.
        status: the answer's, or None if there was none.
        kept: whether the connection had been used before.
        loss: why it counts as lost, or None.
    """

    due: float
    end: float
    status: int | None
    kept: bool
    loss: str | None

    @property
    def latency(self) -> float:
        """How long it took, in seconds."""
        return self.end - self.due


class Load:
    """Sends requests from the beginning of the block to its end, in a thread of its own.

    Args:
        target: what to request.
        rate: requests per second.
        connections: how many connections to keep. They take turns, so each is idle in between.
        timeout: how long to wait for an answer, in seconds.
    """

    def __init__(self, target: Target, *, rate: float, connections: int, timeout: float) -> None:
        self.requests: list[Request] = []
        self.sent = 0
        self.begun = time.monotonic()
        self.ended: float | None = None
        self._target = target
        self._rate = rate
        self._connections = connections
        self._timeout = timeout
        self._idle: deque[_Connection] = deque()
        self._enough = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="load")

    def __enter__(self) -> Load:
        self.begun = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self._timeout = 0  # nobody is interested in the answers any more
        self.finish()

    def finish(self) -> None:
        """Send no more, and wait for the answers that are due."""
        self._enough.set()
        self._thread.join()

    async def _run(self) -> None:
        under_way: set[asyncio.Task[None]] = set()
        for number in itertools.count():
            due = self.begun + number / self._rate
            while not self._enough.is_set() and (pause := due - time.monotonic()) > 0:
                await asyncio.sleep(min(pause, TICK_SECONDS))
            if self._enough.is_set():
                break
            task = asyncio.create_task(self._send(due, keep=number % FRESH_EVERY != 0))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            self.sent += 1
            await asyncio.sleep(0)  # let the others on, also when late
        self.ended = time.monotonic()
        while under_way:
            if not self._timeout:
                for task in under_way:
                    task.cancel()
            await asyncio.wait(under_way, timeout=TICK_SECONDS)
        while self._idle:
            self._idle.popleft().close()

    async def _send(self, due: float, *, keep: bool) -> None:
        connection = self._take() if keep else None
        kept = connection is not None
        status, loss = None, None
        try:
            async with asyncio.timeout(self._timeout):
                connection = connection or await _Connection.open(self._target)
                status, reusable = await connection.exchange(self._target, keep=keep)
            if status >= 500:
                loss = f"status {status}"
            if reusable and len(self._idle) < self._connections:
                self._idle.append(connection)
                connection = None
        except TimeoutError:
            loss = f"no answer in {self._timeout:g} s"
        except ConnectionRefusedError:
            loss = "connection refused"
        except OSError as error:
            loss = error.strerror or repr(error)
        except LostError as error:
            loss = str(error)
        finally:
            if connection is not None:
                connection.close()
        self.requests.append(Request(due, time.monotonic(), status, kept, loss))

    def _take(self) -> _Connection | None:
        """The connection that has been idle for longest; None if there are not enough yet."""
        while len(self._idle) >= self._connections:
            connection = self._idle.popleft()
            if connection.is_open:
                return connection
            connection.close()  # closed while idle: nothing was sent, so nothing is lost
        return None


class _Connection:
    """One HTTP/1.1 connection: so little of the protocol that every failure is seen as it is."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, target: Target) -> _Connection:
        return cls(*await asyncio.open_connection(target.host, target.port))

    @property
    def is_open(self) -> bool:
        """Whether the server has not closed it, as far as we know."""
        return not (self._reader.at_eof() or self._writer.is_closing())

    def close(self) -> None:
        self._writer.close()

    async def exchange(self, target: Target, *, keep: bool) -> tuple[int, bool]:
        """Send one request, read the whole answer; return its status and "may be used again"."""
        answered = False
        try:
            self._writer.write(target.encode(keep=keep))
            status, headers = await self._read_head()
            while status < 200:  # 100 Continue and the like come before the answer
                status, headers = await self._read_head()
            answered = True
            bodiless = target.method == "HEAD" or status in (204, 304)
            complete = bodiless or await self._read_body(headers)
        except asyncio.IncompleteReadError as error:
            cut_short = answered or error.partial
            what = "answer cut short" if cut_short else "connection closed without an answer"
            raise LostError(what) from None
        except (ConnectionResetError, BrokenPipeError):
            raise LostError("answer cut short" if answered else "connection reset") from None
        except (ValueError, asyncio.LimitOverrunError):
            raise LostError("the answer is not HTTP") from None
        wants_close = "close" in headers.get("connection", "").lower()
        return status, keep and complete and not wants_close

    async def _read_head(self) -> tuple[int, dict[str, str]]:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        pairs = (line.split(":", 1) for line in lines)
        return int(first.split()[1]), {name.lower(): value.strip() for name, value in pairs}

    async def _read_body(self, headers: Mapping[str, str]) -> bool:
        """Read to the end; return whether that end was marked by anything but the connection's."""
        if "chunked" in headers.get("transfer-encoding", "").lower():
            while size := int((await self._reader.readline()).split(b";")[0], 16):
                await self._reader.readexactly(size + 2)
            while (await self._reader.readuntil(b"\n")).strip():
                pass  # trailers
            return True
        if (length := headers.get("content-length")) is not None:
            await self._reader.readexactly(int(length))
            return True
        await self._reader.read()
        return False

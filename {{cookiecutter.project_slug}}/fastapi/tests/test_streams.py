"""Endless responses that end when the service stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any

import pytest

from {{ cookiecutter.package_name }}.lifecycle import Lifecycle
from {{ cookiecutter.package_name }}.web.streams import until_drain


class Source:
    """Numbers up to *last*, and then nothing for a long time, or the end, or an error."""

    def __init__(self, last: int, then: BaseException | None = None, *, ends: bool = False) -> None:
        self._last = last
        self._then = then
        self._ends = ends
        self.waits = asyncio.Event()
        self.closed = False

    async def __call__(self) -> AsyncIterator[int]:
        try:
            for number in range(self._last + 1):
                yield number
            if self._then is not None:
                raise self._then
            if not self._ends:
                self.waits.set()
                await asyncio.sleep(60)
        finally:
            self.closed = True


async def collect(stream: AsyncIterator[int]) -> list[int]:
    """All of it, within 5 s."""
    async with asyncio.timeout(5):
        return [number async for number in stream]


def test_it_ends_while_its_source_waits() -> None:
    async def watch() -> None:
        lifecycle, source = Lifecycle(), Source(2)
        stream = until_drain(lifecycle, source())
        assert [await anext(stream) for _ in range(3)] == [0, 1, 2]
        asyncio.get_running_loop().call_later(0.02, lifecycle.drain_begun.set)
        assert await collect(stream) == []
        assert source.closed

    asyncio.run(watch())


def test_it_ends_after_the_item_that_is_under_way() -> None:
    async def watch() -> None:
        lifecycle, source = Lifecycle(), Source(1000)
        stream = until_drain(lifecycle, source())
        assert await anext(stream) == 0
        lifecycle.drain_begun.set()
        assert len(await collect(stream)) <= 1
        assert source.closed

    asyncio.run(watch())


def test_it_ends_when_its_source_does() -> None:
    async def watch() -> None:
        lifecycle = Lifecycle()
        assert await collect(until_drain(lifecycle, Source(2, ends=True)())) == [0, 1, 2]
        async with asyncio.timeout(5):
            while lifecycle.drain_begun._wakers:  # until nothing is left waiting
                await asyncio.sleep(0)

    asyncio.run(watch())


def test_an_error_of_its_source_is_not_hidden() -> None:
    async def watch() -> None:
        with pytest.raises(ZeroDivisionError):
            await collect(until_drain(Lifecycle(), Source(0, ZeroDivisionError())()))

    asyncio.run(watch())


def test_its_source_is_closed_when_the_client_goes() -> None:
    async def watch() -> None:
        lifecycle, source = Lifecycle(), Source(0)
        stream = until_drain(lifecycle, source())
        await anext(stream)
        waiting = asyncio.ensure_future(anext(stream))
        await source.waits.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert source.closed
        assert not lifecycle.drain_begun._wakers

    asyncio.run(watch())


def test_its_source_runs_where_the_stream_is_read() -> None:
    variable = ContextVar[str]("variable")

    async def source() -> AsyncIterator[asyncio.Task[Any] | None]:
        token = variable.set("set by the source")
        async with asyncio.timeout(5):
            yield asyncio.current_task()
            yield asyncio.current_task()
        variable.reset(token)  # raises in the context of another task

    async def read() -> None:
        stream = until_drain(Lifecycle(), source())
        assert [task async for task in stream] == [asyncio.current_task()] * 2

    asyncio.run(read())


def test_a_timeout_of_its_source_is_not_taken_for_the_drain() -> None:
    async def watch() -> None:
        with pytest.raises(TimeoutError):
            await collect(until_drain(Lifecycle(), Source(0, TimeoutError())()))

    asyncio.run(watch())

"""Endless responses that end when the service stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import TypeVar

from ..lifecycle import Lifecycle

Item = TypeVar("Item")


async def until_drain(lifecycle: Lifecycle, source: AsyncIterable[Item]) -> AsyncIterator[Item]:
    """Yield what *source* yields until the drain begins: for server-sent events and the like.

    The client sees a regular end, and connects anew::

        return StreamingResponse(until_drain(lifecycle, events()), media_type="text/event-stream")
    """
    iterator = aiter(source)
    waiting: asyncio.Timeout | None = None

    async def interrupt() -> None:
        await lifecycle.drain_begun.reached()
        if waiting is not None:
            waiting.reschedule(0)

    interruption = asyncio.create_task(interrupt())
    try:
        while not lifecycle.draining:
            try:
                # In this very task: sources may have context variables, or task groups.
                async with asyncio.timeout(None) as waiting:
                    item = await anext(iterator)
            except StopAsyncIteration:
                return
            except TimeoutError:
                if waiting is None or not waiting.expired():
                    raise
                return
            waiting = None
            yield item
    finally:
        interruption.cancel()
        if close := getattr(iterator, "aclose", None):
            await close()

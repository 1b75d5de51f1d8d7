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
    drained = asyncio.ensure_future(lifecycle.drain_begun.reached())
    upcoming: asyncio.Future[Item] | None = None
    try:
        while True:
            upcoming = asyncio.ensure_future(anext(iterator))
            await asyncio.wait({upcoming, drained}, return_when=asyncio.FIRST_COMPLETED)
            if not upcoming.done():
                return
            try:
                item = upcoming.result()
            except StopAsyncIteration:
                return
            yield item
            if drained.done():
                return
    finally:
        drained.cancel()
        if upcoming is not None and upcoming.cancel():
            await asyncio.gather(upcoming, return_exceptions=True)
        if close := getattr(iterator, "aclose", None):
            await close()

"""Endless responses that end when the service stops."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from ..lifecycle import Lifecycle

Item = TypeVar("Item")


def until_drain(lifecycle: Lifecycle, source: Iterable[Item]) -> Iterator[Item]:
    """Yield what *source* yields until the drain begins: for server-sent events and the like.

    The client sees a regular end, and connects anew. Between two items, *source* must pause with
    ``lifecycle.wait(seconds)``, which ends at the drain; a blocking call elsewhere cannot be
    interrupted::

        return Response(until_drain(lifecycle, events()), mimetype="text/event-stream")
    """
    iterator = iter(source)
    try:
        for item in iterator:
            yield item
            if lifecycle.draining:
                return
    finally:
        if close := getattr(iterator, "close", None):
            close()

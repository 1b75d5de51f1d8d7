"""Endless responses that end when the service stops."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import islice

import pytest

from {{ cookiecutter.package_name }}.lifecycle import Lifecycle
from {{ cookiecutter.package_name }}.web.streams import until_drain


class Source:
    """Numbers, with pauses, and for ever unless it fails after the first."""

    def __init__(self, lifecycle: Lifecycle, then: BaseException | None = None) -> None:
        self._lifecycle = lifecycle
        self._then = then
        self.closed = False

    def __call__(self, pause: float) -> Iterator[int]:
        try:
            number = 0
            while True:
                yield number
                if self._then is not None:
                    raise self._then
                number += 1
                self._lifecycle.wait(pause)
        finally:
            self.closed = True


def test_it_ends_while_its_source_waits() -> None:
    lifecycle = Lifecycle()
    source = Source(lifecycle)
    stream = until_drain(lifecycle, source(60))
    assert next(stream) == 0
    threading.Timer(0.02, lifecycle.drain_begun.set).start()
    begun = time.monotonic()
    assert list(islice(stream, 9)) == [1]
    assert time.monotonic() - begun < 1
    assert source.closed


def test_it_ends_after_the_item_that_is_under_way() -> None:
    lifecycle = Lifecycle()
    source = Source(lifecycle)
    stream = until_drain(lifecycle, source(0))
    assert [next(stream), next(stream)] == [0, 1]
    lifecycle.drain_begun.set()
    assert list(islice(stream, 9)) == []
    assert source.closed


def test_it_ends_when_its_source_does() -> None:
    assert list(until_drain(Lifecycle(), [1, 2])) == [1, 2]


def test_an_error_of_its_source_is_not_hidden() -> None:
    lifecycle = Lifecycle()
    with pytest.raises(ZeroDivisionError):
        list(until_drain(lifecycle, Source(lifecycle, ZeroDivisionError())(0)))


def test_its_source_is_closed_when_the_client_goes() -> None:
    lifecycle = Lifecycle()
    source = Source(lifecycle)
    stream = until_drain(lifecycle, source(0))
    next(stream)
    stream.close()  # type: ignore[attr-defined]  # as WSGI servers do
    assert source.closed

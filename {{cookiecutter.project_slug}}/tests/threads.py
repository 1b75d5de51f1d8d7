"""Run things in a thread, where a lifecycle does not take over the signals of the tests."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def in_thread(function: Callable[[], Result]) -> Result:
    """Call *function* in a new thread, and return or raise what it does."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(function).result()

"""For what nobody tells: a port that opens or closes, a process that goes, a row that comes."""

from __future__ import annotations

import time
from collections.abc import Iterator


def tries(seconds: float) -> Iterator[None]:
    """Look at least once, and again and again for that long::

        for _ in tries(5):
            if it_is_there():
                return
        raise AssertionError("it did not come")

    There is a pause between two looks, since no event could wake us up.
    """
    deadline = time.monotonic() + seconds
    while True:
        yield
        if time.monotonic() > deadline:
            return
        time.sleep(0.01)

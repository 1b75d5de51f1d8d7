"""Tells which threads start, and which exit handlers run, in every process of a server.

Python imports this module by its name in each process that has this folder in ``PYTHONPATH``.
"""

import atexit
import os
import threading

_start = threading.Thread.start


def _tell(what: str) -> None:
    os.write(2, f"observed: {what} in {os.getpid()}\n".encode())


def _start_and_tell(self: threading.Thread) -> None:
    _tell(f"thread {self.name}")
    if self.name == "supervisor":
        for name in ("first", "second", "third"):
            atexit.register(_tell, f"exit handler {name}")
    _start(self)


threading.Thread.start = _start_and_tell  # type: ignore[method-assign]

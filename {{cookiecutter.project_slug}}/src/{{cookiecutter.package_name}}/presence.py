"""The processes that share a task queue, each by a named pipe in one folder.

The pipe tells two things. A byte written into it wakes the process up. And that nobody reads from
it any more means the process is gone: the kernel closes it, however the process ended. So a lease
on a task needs no time limit, and no renewal. But a child that was forked, and not started by exec
as ``subprocess`` does, reads from it too: while it lives, so does its killed parent.
"""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from pathlib import Path

from .queue_file import one_process_at_a_time


class Presence:
    """This process, as the others see it. :meth:`open` it after fork, :meth:`close` it at the end.

    Args:
        folder: where the pipes are; on a local file system.
    """

    def __init__(self, folder: Path) -> None:
        self.name = ""
        self._folder = folder
        self._read_end = -1
        self._write_end = -1

    def open(self) -> None:
        """Become visible, once there is somebody who reads.

        Raises:
            OSError: the folder cannot be written to.
        """
        self.name = uuid.uuid4().hex  # now, since processes that were forked share what was before
        hidden = self._folder / f".{self.name}"
        with one_process_at_a_time(self._folder):
            for left_behind in self._folder.glob(".*"):  # by a process that was killed here
                left_behind.unlink()
            os.mkfifo(hidden, 0o600)
            self._read_end = os.open(hidden, os.O_RDONLY | os.O_NONBLOCK)
            self._write_end = os.open(hidden, os.O_WRONLY | os.O_NONBLOCK)  # so that it never ends
            os.set_blocking(self._read_end, True)
            hidden.rename(self._folder / self.name)

    def close(self) -> None:
        """Be gone."""
        with contextlib.suppress(FileNotFoundError):
            (self._folder / self.name).unlink()
        os.close(self._write_end)
        os.close(self._read_end)

    def wait(self) -> None:
        """Return when somebody wakes this process up."""
        os.read(self._read_end, 4096)

    def wake(self) -> None:
        """End this process's :meth:`wait`."""
        _write(self._write_end)

    def wake_others(self) -> None:
        """End the :meth:`wait` of all other processes, and forget those that are gone."""
        with os.scandir(self._folder) as pipes:
            for pipe in pipes:
                if pipe.name != self.name and not pipe.name.startswith("."):
                    _wake(Path(pipe.path))

    def is_alive(self, name: str) -> bool:
        """Whether the process of that *name* is there."""
        try:
            os.close(os.open(self._folder / name, os.O_WRONLY | os.O_NONBLOCK))
        except OSError as error:
            if error.errno in (errno.ENXIO, errno.ENOENT):
                return False
            raise
        return True


def _wake(pipe: Path) -> None:
    try:
        write_end = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        pipe.unlink(missing_ok=True)
        return
    try:
        _write(write_end)
    finally:
        os.close(write_end)


def _write(write_end: int) -> None:
    # A pipe that is full, or whose reader has just gone, needs no more waking up.
    with contextlib.suppress(BlockingIOError, BrokenPipeError):
        os.write(write_end, b"!")

"""A process whose parent has died gets a signal: on Linux, which can do that."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2)


def signal_at_death_of(parent: int, signum: signal.Signals) -> None:
    """Have the kernel send *signum* to this process when *parent* dies, by which it was forked.

    A change of the user takes that back, so call this after one.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signum)
        if os.getppid() != parent:  # it died before we asked
            os.kill(os.getpid(), signum)

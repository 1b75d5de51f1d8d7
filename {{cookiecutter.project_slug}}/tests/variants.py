"""The probe with something odd about it: ``gunicorn "tests.variants:importing_slowly()"``."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType

from .barrier import pass_barrier
from .server_thread import App


def probe() -> App:
    """The probe, made now."""
    from .probe import app

    return app


def importing_slowly() -> App:
    """It takes until the test lets it go on."""
    pass_barrier(int(os.environ["PROBE_BARRIER"]))
    return probe()


def overwriting_a_handler() -> App:
    """At SIGUSR2, it takes SIGINT over, as a careless library would."""

    def overwrite(signum: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    signal.signal(signal.SIGUSR2, overwrite)
    return probe()


def leaving_a_thread() -> App:
    """It has a thread that nobody ends, and for which Python waits."""

    def work_forever() -> None:
        time.sleep(3600)

    threading.Thread(target=work_forever).start()
    return probe()

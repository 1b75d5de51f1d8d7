"""gunicorn's hooks that both processes share: the master learns how each worker has ended.

By itself, the master exits with 0 even after it had to kill its workers.
"""

from __future__ import annotations

import atexit
import mmap
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from gunicorn.errors import HaltServer

from .lifecycle import Lifecycle, State
from .lifecycle.signals import PARENT_VARIABLE
from .orphan import signal_at_death_of

SERVING, STOPPED_CLEAN = 1, 2


def when_ready(server: Any) -> None:
    """In the master: note there what must outlive a reload, and mend how it reloads and halts."""
    server.unclean = []
    server.failed_starts = []
    server.reap_workers = _halting_once(server, server.reap_workers)
    server.app.reload = _forgetting_code(server, server.app.reload)


def _halting_once(server: Any, reap: Callable[[], None]) -> Callable[[], None]:
    """Let only the first worker that cannot start halt the server.

    For a second one, gunicorn would raise again in the midst of halting, and end with a traceback
    and another exit code.
    """

    def reap_workers() -> None:
        try:
            reap()
        except HaltServer as halt:
            server.failed_starts.append(halt)
            if len(server.failed_starts) == 1:
                raise

    return reap_workers


def _forgetting_code(server: Any, load_config: Callable[[], None]) -> Callable[[], None]:
    """Have HUP load this package anew: it may have changed.

    The workers would take the part that the master has loaded as it was, and the rest as it is.
    """

    def reload() -> None:
        if not server.cfg.preload_app:  # gunicorn keeps such an application
            for name in list(sys.modules):
                if name == __package__ or name.startswith(f"{__package__}."):
                    del sys.modules[name]
        load_config()

    return reload


def pre_fork(server: Any, worker: Any) -> None:
    """Share one byte with the worker that is about to be forked; a killed one leaves SERVING."""
    worker.outcome = mmap.mmap(-1, 1)


def post_fork(server: Any, worker: Any) -> None:
    """In the worker: remember whom to signal when the whole server shall stop."""
    worker.stopped_clean = False
    atexit.register(_tell_master, worker)  # before the application's, so that it runs after them
    os.environ[PARENT_VARIABLE] = str(server.pid)


def enter_service(worker: Any) -> None:
    """In the worker, when it has loaded the application: to be killed is no clean end any more.

    And it stops with the master. On other systems than Linux, gunicorn's own thread worker notices
    by itself that the master was killed; here, nobody else would stop us then.
    """
    worker.outcome[0] = SERVING
    signal_at_death_of(worker.ppid, signal.SIGTERM)


def finish_worker(worker: Any, lifecycle: Lifecycle) -> None:
    """In the worker, when it serves no more: wait for the lifecycle, exit with its code."""
    if lifecycle.state is State.STARTING:
        return  # it did not start: the master tells that from the worker's own exit code
    lifecycle.stop()
    if lifecycle.exit_code:
        sys.exit(lifecycle.exit_code)
    worker.stopped_clean = True


def _tell_master(worker: Any) -> None:
    """In the worker, at its very end. One that had to be ended runs this in another thread."""
    if worker.stopped_clean and threading.current_thread() is threading.main_thread():
        worker.outcome[0] = STOPPED_CLEAN


def child_exit(server: Any, worker: Any) -> None:
    """In the master, when a worker has ended."""
    if worker.outcome[0] == SERVING:
        server.unclean.append(worker.pid)


def on_exit(server: Any) -> None:
    """In the master, at its end: exit with 1 unless every worker has stopped clean."""
    if server.failed_starts:
        return  # gunicorn exits with 3, and has said why
    # One that was killed at last may have been clean: the interpreter's own end takes time.
    killed = [pid for pid, worker in server.WORKERS.items() if worker.outcome[0] == SERVING]
    pids = sorted([*server.unclean, *killed])
    if pids:
        server.log.error("workers that did not stop clean: %s", ", ".join(map(str, pids)))
        sys.exit(1)

"""The development server's parent process: starts the server anew when a source file changes.

Unlike the reloaders of the frameworks, it passes every signal on to its child, once, and waits for
it: a stop in development goes through the same phases as one in production.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from types import FrameType

from .lifecycle.signals import PARENT_VARIABLE

SOURCES = Path(__file__).parent


def is_reloader() -> bool:
    """Whether this process is to be the parent, and not the child that serves."""
    return os.environ.get(PARENT_VARIABLE) != str(os.getppid())


def run_reloader() -> int:
    """Run this very command as a child, again after each change; return its exit code."""
    try:
        from watchfiles import PythonFilter, watch
    except ImportError:
        print("reloading needs the development dependencies: uv sync", file=sys.stderr)
        return 1

    # Why there shall be another child, or none: a signal handler may put into it at any moment,
    # while Event.set() can deadlock there.
    wake: SimpleQueue[None] = SimpleQueue()
    stopping = False
    child: subprocess.Popen[bytes] | None = None
    not_told: int | None = None

    def tell_child(signum: int) -> None:
        nonlocal not_told
        wake.put(None)
        if child is None:
            not_told = signum
        else:
            child.send_signal(signum)

    def pass_on(signum: int, _: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        tell_child(signal.SIGTERM if signum == signal.SIGHUP else signum)

    def watch_files() -> None:
        for changes in watch(SOURCES, watch_filter=PythonFilter(), raise_interrupt=False):
            names = ", ".join(sorted({Path(path).name for _, path in changes}))
            print(f"{names} changed, restarting", flush=True)
            tell_child(signal.SIGTERM)

    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, pass_on)
    threading.Thread(target=watch_files, name="file-watcher", daemon=True).start()

    environment = {**os.environ, PARENT_VARIABLE: str(os.getpid())}
    code = 0
    while True:
        child, not_told = None, None
        if stopping:
            return code if code >= 0 else 128 - code
        # A session of its own: Ctrl-C in the terminal reaches the child through us only, once.
        child = subprocess.Popen(
            [sys.executable, *sys.orig_argv[1:]], env=environment, start_new_session=True
        )
        if not_told is not None:
            child.send_signal(not_told)
        code = child.wait()
        if wake.empty():
            print(f"the server ended with exit code {code}; waiting for a change", flush=True)
        wake.get()
        while not wake.empty():
            wake.get()

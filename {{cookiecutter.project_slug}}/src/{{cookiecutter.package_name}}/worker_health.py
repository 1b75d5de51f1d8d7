"""Health check of the worker, for containers: ``python -m`` this module exits with 0 if it is well.

It is well as long as it listens to its broker; while that is down, it waits, and is not.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from .settings import load_settings

HEARTBEAT_SECONDS = 5.0
SILENT_SECONDS = 30.0  # a stop takes most of it, and has no heartbeats


def problem(heartbeat_file: Path) -> str | None:
    """Why the worker is not well, or None."""
    try:
        silent = time.time() - heartbeat_file.stat().st_mtime
    except FileNotFoundError:
        return f"no worker has touched {heartbeat_file}"
    if silent > SILENT_SECONDS:
        return f"no heartbeat in {heartbeat_file} for {silent:.0f} s"
    return None


if __name__ == "__main__":
    sys.exit(problem(load_settings().worker_heartbeat_file))

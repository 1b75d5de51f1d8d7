"""Development: ``python -m`` this package serves on uvicorn, and reloads on change."""

from __future__ import annotations

import os
import sys

from .reload import is_reloader, run_reloader
from .settings import load_settings


def main() -> None:
    """Run the development server. There is no load balancer to wait for, so no drain delay."""
    os.environ.setdefault("SHUTDOWN_DRAIN_SECONDS", "0")
    settings = load_settings()
    if is_reloader():
        sys.exit(run_reloader())
    # Here, since the reloader needs none of them.
    import uvicorn

    from . import logs
    from .app import create_app

    logs.configure(settings.log_level, json=False)
    uvicorn.run(create_app(settings), host=settings.host, port=settings.port, log_config=None)


if __name__ == "__main__":
    main()

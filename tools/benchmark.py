"""Measure what a generated service costs and carries: ``make benchmark``."""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap

from generated import generated

# The same answer as GET /livez, the same server and the same log, with nothing around it.
SERVER = """
    import logging

    from demo_service import logs
    from demo_service.settings import THREADS

    logs.configure_structlog()
    logconfig_dict = logs.config("info", json=True)
    worker_class, threads = {worker!r}, THREADS
    bind, keepalive = "127.0.0.1:0", 75
    worker_tmp_dir, control_socket_disable = "/dev/shm", True


    def post_worker_init(worker):
        logging.getLogger("uvicorn.access").propagate = True  # uvicorn-worker has silenced it
    """
WORKER = {"fastapi": "uvicorn_worker.UvicornWorker", "flask": "gthread"}
BARE = {
    "fastapi": """
        from fastapi import FastAPI

        app = FastAPI()

        @app.get("/livez")
        async def livez() -> dict[str, str]:
            return {"status": "alive"}
        """,
    "flask": """
        from flask import Flask

        app = Flask(__name__)

        @app.get("/livez")
        def livez() -> dict[str, str]:
            return {"status": "alive"}
        """,
}


def main() -> int:
    """Run the benchmarks; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--framework", choices=sorted(BARE), default="fastapi")
    framework = parser.parse_args().framework
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing, which sends the requests: apt-get install wrk")
    with generated(framework=framework) as project:
        bare = project.folder / "bare"
        bare.mkdir()
        (bare / "bare.py").write_text(textwrap.dedent(BARE[framework]))
        server = SERVER.format(worker=WORKER[framework])
        (bare / "gunicorn.conf.py").write_text(textwrap.dedent(server))
        return project.run_tool("benchmark_inside.py", library="huey")


if __name__ == "__main__":
    sys.exit(main())

"""Generate a service, install it, watch it stop, and do the drill: ``make demo``."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TEMPLATE = Path(__file__).parent.parent
PAGE = TEMPLATE / "drill.html"
COOKIECUTTER = Path(sys.executable).with_name("cookiecutter")

# What somebody would add to the generated service: one slow route.
ROUTE = {
    "fastapi": """
        import asyncio
        from demo_service.app import create_app

        app = create_app()

        @app.get("/slow")
        async def slow() -> dict[str, str]:
            await asyncio.sleep(3)
            return {"status": "finished"}
        """,
    "flask": """
        import time
        from demo_service.app import create_app

        app = create_app()

        @app.get("/slow")
        def slow() -> dict[str, str]:
            time.sleep(3)
            return {"status": "finished"}
        """,
}


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say what is being done, and how long it took."""
    print(f"{what} ... ", end="", flush=True)
    begun = time.monotonic()
    yield
    print(f"{time.monotonic() - begun:.1f} s", flush=True)


def main() -> int:
    """Run the demo; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--framework", choices=sorted(ROUTE), default="fastapi")
    framework = parser.parse_args().framework

    # The environment that make runs in must not be taken for the service's own.
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    uv = shutil.which("uv") or sys.exit("uv is missing: pip install uv")
    with tempfile.TemporaryDirectory() as folder:
        with step(f"Generating a {framework} service"):
            project = generate(framework, folder)
        with step("Installing it"):
            subprocess.run([uv, "sync", "--quiet"], cwd=project, env=environment, check=True)

        def run(*command: str, **more: str) -> int:
            env = {**environment, **more}
            return subprocess.run(
                [uv, "run", *command], cwd=project, env=env, check=False
            ).returncode

        stop = str(TEMPLATE / "tools" / "demo_stop.py")
        if code := run("python", stop, PYTHONPATH=str(project)):
            return code
        print("\nNow the drill, as in the CI of every generated service: python -m drill\n")
        return run("python", "-m", "drill", "--html", str(PAGE), SHUTDOWN_DRAIN_SECONDS="2")


def generate(framework: str, folder: str) -> Path:
    """Make a service with one slow route in *folder*; return where it is."""
    answers = ["project_name=Demo Service", f"framework={framework}"]
    subprocess.run(
        [COOKIECUTTER, "--no-input", "--output-dir", folder, TEMPLATE, *answers],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    project = Path(folder) / "demo-service"
    (project / "demo.py").write_text(textwrap.dedent(ROUTE[framework]))
    return project


if __name__ == "__main__":
    sys.exit(main())

"""Generate a service, install it, watch it stop, and do the drill: ``make demo``."""

from __future__ import annotations

import argparse
import sys
import textwrap

from generated import TEMPLATE, generated

PAGE = TEMPLATE / "drill.html"

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


def main() -> int:
    """Run the demo; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--framework", choices=sorted(ROUTE), default="fastapi")
    framework = parser.parse_args().framework
    with generated(framework=framework) as project:
        (project.folder / "demo.py").write_text(textwrap.dedent(ROUTE[framework]))
        if code := project.run_tool("demo_stop.py"):
            return code
        print("\nNow the drill, as in the CI of every generated service: python -m drill\n")
        return project.run("python", "-m", "drill", "--html", str(PAGE), SHUTDOWN_DRAIN_SECONDS="2")


if __name__ == "__main__":
    sys.exit(main())

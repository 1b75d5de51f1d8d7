"""End a service at random moments, again and again, and count what was lost: ``make soak``.

What a few of the generated tests do once, as often as you like. It takes minutes for each series.
"""

from __future__ import annotations

import argparse
import sys

from generated import generated


def main() -> int:
    """Run the series; return 1 if a task was lost, or was begun twice around a clean stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--framework", choices=("fastapi", "flask"), default="fastapi")
    parser.add_argument(
        "--queue",
        choices=("sqlite", "redis", "rabbitmq"),
        default="sqlite",
        help="the embedded queue, or Celery with that broker",
    )
    parser.add_argument("--end", default="", help="only the series whose name has this in it")
    parser.add_argument("--repeats", default="30", help="of each series")
    parser.add_argument("--tasks", default="500", help="how many to submit in each repeat")
    chosen = parser.parse_args()
    background = "thread" if chosen.queue == "sqlite" else "celery"
    with generated(framework=chosen.framework, background=background) as project:
        return project.run_tool(
            "soak_inside.py",
            *(f"--{name}={getattr(chosen, name)}" for name in ("queue", "end", "repeats", "tasks")),
        )


if __name__ == "__main__":
    sys.exit(main())

"""The measurements of ``benchmark.py``. Runs inside the generated project."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

ROUNDS = 5
SECONDS = 3  # of each measurement
CONNECTIONS = 32
TASKS = 2000

POST_TASK = """
wrk.method = "POST"
wrk.body = '{"any": "thing"}'
wrk.headers["Content-Type"] = "application/json"
"""

servers: Any = importlib.import_module("tests.servers")
sqlite_queue: Any = importlib.import_module("demo_service.sqlite_queue")
tasks: Any = importlib.import_module("demo_service.tasks")
task_thread: Any = importlib.import_module("demo_service.task_thread")
huey: Any = importlib.import_module("huey")


def requests_per_second(url: str, *more: str) -> float:
    """Send as many requests as go; all of them must be answered with success."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}", *more, url]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        sys.exit(f"not all requests succeeded\n{output}")
    found = re.search(r"Requests/sec: +([\d.]+)", output)
    return float(found[1]) if found else sys.exit(f"wrk has no result\n{output}")


def cost_of_a_request() -> None:
    """Compare the service with a bare application, in turns."""
    with (
        servers.ServerProcess(["gunicorn", "bare:app"], cwd=Path("bare"), workers=0) as bare,
        servers.ServerProcess(["gunicorn"]) as service,
    ):
        figures = [
            [requests_per_second(f"{server.url}/livez") for server in (bare, service)]
            for _ in range(ROUNDS)
        ]
    without, with_lifecycle = (median(each) for each in zip(*figures, strict=True))
    cost = 1e6 / with_lifecycle - 1e6 / without
    print(f"requests/s: bare {without:,.0f}, with the lifecycle {with_lifecycle:,.0f}, ", end="")
    print(f"which is {cost:.0f} µs for each (medians of {ROUNDS})")


def accepted_tasks(folder: Path) -> None:
    """Submit tasks through HTTP, which are done in the same processes meanwhile."""
    script = folder / "post.lua"
    script.write_text(POST_TASK)
    for workers in (1, 2):
        env = {"WEB_CONCURRENCY": str(workers), "TASK_QUEUE_PATH": str(folder / f"http-{workers}")}
        with servers.ServerProcess(["gunicorn"], env=env, workers=workers) as server:
            figures = [
                requests_per_second(f"{server.url}/tasks", "-s", str(script)) for _ in range(ROUNDS)
            ]
        print(f"accepted tasks/s through HTTP, workers: {workers}: {median(figures):,.0f}")


def per_second(submit: Callable[[int], object], threads: int) -> float:
    """How many tasks can be submitted, by so many threads."""
    with ThreadPoolExecutor(threads) as pool:
        begun = time.perf_counter()
        list(pool.map(submit, range(TASKS)))
        return TASKS / (time.perf_counter() - begun)


def stored_tasks(folder: Path) -> None:
    """Compare the queue with huey's on SQLite; both have each task on the disk."""
    queue = sqlite_queue.SqliteTaskQueue(folder / "ours")
    queue.open()
    other = huey.SqliteHuey(filename=str(folder / "huey"), fsync=True)
    handler = other.task()(lambda **_: None)
    payload = {"any": "thing"}
    for threads in (1, CONNECTIONS):
        ours = per_second(lambda _: queue.submit(payload), threads)
        theirs = per_second(lambda _: handler(**payload), threads)
        print(f"stored tasks/s, threads: {threads}: {ours:,.0f}; by huey {theirs:,.0f}")
    queue.close()


def pick_up(folder: Path) -> None:
    """How long an idle thread takes to begin a task that was accepted."""
    began = threading.Event()
    tasks.handle_task = lambda _: began.set()
    queue = sqlite_queue.SqliteTaskQueue(folder / "pick-up")
    queue.open()
    thread = task_thread.TaskThread(queue, draining=lambda: False, timeout=5)
    thread.start()
    waits = []
    for _ in range(200):
        queue.submit({})
        accepted = time.perf_counter()
        began.wait()
        waits.append(1e3 * (time.perf_counter() - accepted))
        began.clear()
    thread.stop()
    queue.close()
    print(f"a task begins {median(waits):.2f} ms after it was accepted, ", end="")
    print(f"95 of 100 within {quantiles(waits, n=20)[-1]:.2f} ms")


def main() -> None:
    """Run all of it."""
    cost_of_a_request()
    with TemporaryDirectory() as folder:
        accepted_tasks(Path(folder))
        stored_tasks(Path(folder))
        pick_up(Path(folder))


if __name__ == "__main__":
    main()

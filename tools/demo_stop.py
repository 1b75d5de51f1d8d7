"""Stop a service while it works, and tell what becomes of it. Runs inside the generated project."""

from __future__ import annotations

import importlib
import json
import signal
import threading
import time
from typing import Any

import httpx

DRAIN_SECONDS = 2


class Timeline:
    """Prints what happens, with the seconds since the signal."""

    def __init__(self) -> None:
        self._begun: float | None = None

    def signal_sent(self) -> None:
        """Start the clock."""
        self._begun = time.monotonic()

    def add(self, what: str) -> None:
        """Print what has just happened."""
        when = "" if self._begun is None else f"{time.monotonic() - self._begun:+.2f} s"
        print(f"{when:>9}  {what}", flush=True)


def main() -> None:
    """Run the demo."""
    servers: Any = importlib.import_module("tests.servers")  # the generated project's own helper
    timeline = Timeline()
    settings = {"WEB_CONCURRENCY": "2", "SHUTDOWN_DRAIN_SECONDS": str(DRAIN_SECONDS)}
    with servers.ServerProcess(["gunicorn", "demo:app"], env=settings, workers=2) as server:
        print(f"\ngunicorn serves on {server.url} with two workers.\n")
        watch = [watch_slow_request, *([watch_websocket] if has_websocket(server.url) else [])]
        under_way = threading.Barrier(1 + len(watch))
        arguments = (server.url, timeline, under_way)
        watchers = [threading.Thread(target=each, args=arguments) for each in watch]
        for watcher in watchers:
            watcher.start()
        under_way.wait(10)
        time.sleep(1)  # for the eye: now the slow request is in the middle

        timeline.signal_sent()
        server.signal(signal.SIGTERM)
        timeline.add("SIGTERM sent")
        server.wait_for_log("draining")
        ready = server.get("/readyz").status_code
        timeline.add(f"GET /readyz: {ready}, so load balancers look elsewhere")
        late = server.get("/livez")
        connection = late.headers.get("connection")
        timeline.add(f"a late request: {late.status_code}, Connection: {connection}")
        for watcher in watchers:
            watcher.join()
        code = server.wait()
        timeline.add(f"gunicorn ended with exit code {code}")
        for report in server.reports:
            lines = (f"  {name}: {json.dumps(value)}" for name, value in report.items())
            print("\nShutdown report of a worker:", *lines, sep="\n")


def watch_slow_request(url: str, timeline: Timeline, under_way: threading.Barrier) -> None:
    """Send a request that takes three seconds."""
    timeline.add("GET /slow sent, which takes 3 s")
    under_way.wait(10)
    answer = httpx.get(f"{url}/slow", timeout=30)
    timeline.add(f"GET /slow: {answer.status_code} {answer.text.strip()}")


def watch_websocket(url: str, timeline: Timeline, under_way: threading.Barrier) -> None:
    """Keep a WebSocket open until the service closes it."""
    client: Any = importlib.import_module("websockets.sync.client")
    closed: Any = importlib.import_module("websockets.exceptions").ConnectionClosed
    with client.connect(url.replace("http", "ws", 1) + "/ws") as websocket:
        timeline.add("WebSocket open")
        under_way.wait(10)
        timeline.add(f"WebSocket message: {websocket.recv()}")
        try:
            websocket.recv()
        except closed as error:
            timeline.add(f"WebSocket closed with code {error.rcvd.code}")


def has_websocket(url: str) -> bool:
    """Whether the service has one; a Flask service has none."""
    return bool(httpx.get(f"{url}/openapi.json").is_success)


if __name__ == "__main__":
    main()

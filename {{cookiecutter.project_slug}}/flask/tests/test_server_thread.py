"""The helper that serves an application in this process."""

from __future__ import annotations

import httpx

from {{ cookiecutter.package_name }}.lifecycle import Hook

from .barrier import Barrier, pass_barrier
from .conftest import InBackground
from .server_thread import App, ServerThread


def test_its_stop_lets_a_request_finish_and_then_runs_the_hooks(
    app: App, barrier: Barrier, in_background: InBackground
) -> None:
    events: list[str] = []

    @app.get("/park")
    def park() -> dict[str, str]:
        pass_barrier(barrier.port)
        events.append("answered")
        return {"status": "released"}

    server = ServerThread(app)
    server.lifecycle.append(Hook("hook", stop=lambda: events.append("hook stopped")))
    with server:
        answer = in_background(httpx.get, f"{server.url}/park", trust_env=False)
        barrier.wait_for_arrivals()
        stopped = in_background(server.stop)
        assert server.lifecycle.drain_begun.wait(5)
        barrier.release()
        assert answer.result().json() == {"status": "released"}
        stopped.result()
    assert events == ["answered", "hook stopped"]

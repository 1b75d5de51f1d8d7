"""The development server starts anew when a source file changes: a black-box test."""

from __future__ import annotations

import signal

import pytest

import {{ cookiecutter.package_name }} as package

from .commands import SERVERS
from .conftest import Serve
from .servers import PROJECT

pytestmark = pytest.mark.shutdown


def test_a_change_stops_the_old_server_clean_and_starts_a_new_one(serve: Serve) -> None:
    server = serve(*SERVERS["python -m"].command)
    (PROJECT / "src" / package.__name__ / "__init__.py").touch()
    server.wait_until(lambda: len(server.worker_pids) == 2, 10, "a new server")
    assert [report["exit_code"] for report in server.reports] == [0]
    server.signal(signal.SIGINT)
    assert server.wait() == 0
    assert [report["reason"] for report in server.reports] == ["SIGTERM", "SIGINT"]

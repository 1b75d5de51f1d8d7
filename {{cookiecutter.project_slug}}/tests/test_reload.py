"""The development server starts anew when a source file changes: a black-box test."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

import {{ cookiecutter.package_name }} as package

from .commands import SERVERS
from .conftest import Serve
from .servers import PROJECT

pytestmark = pytest.mark.shutdown


def test_a_change_stops_the_old_server_clean_and_starts_a_new_one(
    serve: Serve, tmp_path: Path
) -> None:
    # A copy: other development servers may be running.
    copy = shutil.copytree(PROJECT / "src" / package.__name__, tmp_path / package.__name__)
    server = serve(*SERVERS["python -m"].command, PYTHONPATH=str(tmp_path))
    (copy / "__init__.py").touch()
    server.wait_until(lambda: len(server.worker_pids) == 2, 10, "a new server")
    assert [report["exit_code"] for report in server.reports] == [0]
    server.signal(signal.SIGKILL, server.worker_pids[1])
    server.wait_for_log("waiting for a change")
    (copy / "__init__.py").touch()
    server.wait_until(lambda: len(server.worker_pids) == 3, 10, "a server after the crash")
    server.signal(signal.SIGINT)
    assert server.wait() == 0
    assert [report["reason"] for report in server.reports] == ["SIGTERM", "SIGINT"]


def test_it_stops_clean_when_its_terminal_is_closed(serve: Serve) -> None:
    server = serve(*SERVERS["python -m"].command)
    os.killpg(server.pid, signal.SIGHUP)
    assert server.wait() == 0
    assert [report["reason"] for report in server.reports] == ["SIGTERM"]
    assert "waiting for a change" not in server.log

"""Settings, and what is said about wrong ones."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys

import pytest

from {{ cookiecutter.package_name }}.settings import GRACE_SECONDS, Settings, load_settings

from .commands import SERVERS
from .servers import PROJECT, ServerProcess

WRONG = [
    ("PORT", "eighty"),
    ("PORT", "65536"),
    ("WEB_CONCURRENCY", "0"),
    ("LOG_LEVEL", "loud"),
    ("SHUTDOWN_GRACE_SECONDS", "4"),
    ("SHUTDOWN_GRACE_SECONDS", "nan"),
    ("SHUTDOWN_DRAIN_SECONDS", "-1"),
    ("SHUTDOWN_REQUEST_SECONDS", "inf"),
    ("SHUTDOWN_CLEANUP_SECONDS", "soon"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_one_ends_the_process_with_one_line_that_names_it(
    name: str,
    value: str,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        load_settings()
    assert ended.value.code == 3
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"wrong setting: {name}: ")


def test_phases_that_do_not_fit_are_added_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHUTDOWN_REQUEST_SECONDS", "25")
    with pytest.raises(SystemExit):
        load_settings()
    [line] = capsys.readouterr().err.splitlines()
    assert "SHUTDOWN_" in line
    assert "drain 0 + requests 25 + cleanup 2 + margin 5 = 32 s" in line


def test_the_environment_is_read(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "1234")
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("SHUTDOWN_DRAIN_SECONDS", "1.5")
    settings = load_settings()
    assert (settings.port, settings.log_level, settings.budget.drain) == (1234, "debug", 1.5)


def test_an_empty_variable_is_none(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "LOG_LEVEL", "SHUTDOWN_GRACE_SECONDS", "SHUTDOWN_DRAIN_SECONDS"):
        monkeypatch.setenv(name, "")
    settings = load_settings()
    assert (settings.port, settings.log_level) == (8000, "info")
    assert settings.shutdown_grace_seconds == GRACE_SECONDS


def test_the_default_budget_fits_into_the_platforms_grace_period(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GRACE", "DRAIN", "REQUEST", "CLEANUP"):
        monkeypatch.delenv(f"SHUTDOWN_{name}_SECONDS")
    budget = load_settings().budget
    assert budget.grace == GRACE_SECONDS
    assert budget.deadline + budget.margin <= GRACE_SECONDS + 1e-6


def test_gunicorn_gets_every_value_from_them(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"HOST": "127.0.0.9", "PORT": "1234", "WEB_CONCURRENCY": "3"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SHUTDOWN_GRACE_SECONDS", "90")
    monkeypatch.setenv("SHUTDOWN_REQUEST_SECONDS", "60")
    conf = runpy.run_path(str(PROJECT / "gunicorn.conf.py"))
    assert (conf["bind"], conf["workers"]) == ("127.0.0.9:1234", 3)
    assert conf["graceful_timeout"] == load_settings().budget.kill_after
    assert conf["timeout"] >= conf["graceful_timeout"], "a slow stop looks like a dead worker"
    assert conf["keepalive"] > 60, "load balancers send on connections that are being closed"
    assert conf["control_socket_disable"], "the master has a thread and a socket that nobody needs"


# gunicorn sets these levels before it takes our configuration.
LINES_OF_A_SERVER = """
import logging
from {{ cookiecutter.package_name }} import logs
logger = logging.getLogger("gunicorn.access")
logger.setLevel(logging.INFO)
logs.configure("warning", json=True)
logger.info("not shown")
logger.warning("shown")
"""


def test_the_log_level_holds_for_lines_of_the_server_too() -> None:
    command = [sys.executable, "-c", LINES_OF_A_SERVER]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    [line] = done.stdout.splitlines()
    assert json.loads(line)["event"] == "shown"


@pytest.mark.parametrize("name", ["gunicorn", "python -m"])
def test_no_server_starts_with_a_wrong_one(name: str) -> None:
    server = ServerProcess(SERVERS[name].command, env={"SHUTDOWN_DRAIN_SECONDS": "long"})
    assert server.wait_for_refusal() == 3
    [line] = server.log.splitlines()
    assert line.startswith("wrong setting: SHUTDOWN_DRAIN_SECONDS: ")

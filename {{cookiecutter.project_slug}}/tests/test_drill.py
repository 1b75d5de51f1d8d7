"""The drill tells the truth: about a clean stop, and about one that loses requests."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from drill.__main__ import main
from drill.rolling import find_haproxy

from .conftest import BUDGET
from .missing import missing
from .servers import PROJECT
from .tries import tries

pytestmark = pytest.mark.drill

SHORT = ("--rate", "100", "--duration", "0.5", "--after", "0.3", "--workers", "1")


def drill(*options: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Do one, with a drain that is over only when even slow clients have left."""
    return subprocess.run(
        [sys.executable, "-m", "drill", *options],
        cwd=PROJECT,
        env={**os.environ, **BUDGET, "SHUTDOWN_DRAIN_SECONDS": "1", **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def results(file: Path) -> dict[str, Any]:
    """What it has written; every request is accounted for."""
    written: dict[str, Any] = json.loads(file.read_text("utf-8"))
    requests = written["requests"]
    groups = [requests[name] for name in ("steady", "in_flight", "stopping")]
    assert requests["sent"] == requests["answered"] + requests["lost"] > 0
    for count in ("sent", "answered", "lost"):
        assert requests[count] == sum(group[count] for group in groups)
    assert sum(written["lost_because"].values()) == requests["lost"]
    return written


def test_a_clean_stop_passes_and_is_drawn(tmp_path: Path) -> None:
    file, page = tmp_path / "drill.json", tmp_path / "drill.html"
    done = drill(*SHORT, "--json", str(file), "--html", str(page))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing was lost." in done.stdout

    written = results(file)
    assert written["ok"]
    assert written["requests"]["lost"] == 0
    assert written["requests"]["stopping"]["sent"] > 10
    assert 0 < written["requests"]["on_kept_connections"] < written["requests"]["sent"]
    (stop,) = written["stops"]
    assert stop["exit_code"] == 0
    assert 0 <= stop["unready_after"] < stop["ended_after"]
    assert list(stop["workers"][0]["phases"]) == ["drain", "requests", "cleanup"]

    html = page.read_text("utf-8")
    assert "<svg" in html
    assert html.count("<use href=") > 30  # one for each request, unless they hide each other
    assert 'class="band drain"' in html
    assert len(html) < 1_000_000
    # Whatever it refers to is in it.
    assert set(re.findall(r"""(?:href=["']|src=["']|url\()(.)""", html)) == {"#"}
    assert not re.search(r"https?:|@import|<script|<link", html)


def test_the_token_of_the_service_is_not_shown(tmp_path: Path) -> None:
    file, page = tmp_path / "drill.json", tmp_path / "drill.html"
    token = "correct-horse-battery-staple-" * 2
    done = drill(*SHORT, "--json", str(file), "--html", str(page), SHUTDOWN_TOKEN=token)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = (done.stdout, done.stderr, file.read_text("utf-8"), page.read_text("utf-8"))
    assert not any(token in each for each in shown)
    assert "SHUTDOWN_DRAIN_SECONDS" in page.read_text("utf-8")


def test_lost_requests_are_counted_and_explained(tmp_path: Path) -> None:
    file, page = tmp_path / "drill.json", tmp_path / "drill.html"
    options = (*SHORT, "--after", "0.6", "--json", str(file), "--html", str(page))
    done = drill(*options, SHUTDOWN_DRAIN_SECONDS="0")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "lost: connection refused" in done.stdout
    written = results(file)
    assert not written["ok"]
    assert written["requests"]["steady"]["lost"] == 0
    assert written["lost_because"]["connection refused"] > 0
    assert "lost: connection refused" in page.read_text("utf-8")


def test_server_errors_and_failing_hooks_are_told(tmp_path: Path) -> None:
    file = tmp_path / "drill.json"
    probe = ("--command", "gunicorn tests.probe:app", "--path", "/error", "--rate", "50")
    short = (*SHORT, "--duration", "0.2", "--after", "0")
    done = drill(*short, *probe, "--json", str(file), PROBE_HOOKS="failing")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "hook 'failing' failed" in done.stdout
    written = results(file)
    assert written["requests"]["answered"] == 0
    assert written["lost_because"] == {"status 500": written["requests"]["lost"]}
    assert written["stops"][0]["exit_code"] == 1


def test_requests_that_are_all_refused_prove_nothing(tmp_path: Path) -> None:
    file = tmp_path / "drill.json"
    options = (*SHORT, "--duration", "0.2", "--after", "0", "--path", "/no-such-page")
    done = drill(*options, "--json", str(file))
    assert done.returncode == 1, done.stdout + done.stderr
    written = results(file)
    assert written["requests"]["lost"] == 0
    assert written["headline"] == "Every request was refused, so nothing is proven"
    assert written["problems"] == ["every answer was 404: is the request a right one?"]


def test_replicas_are_replaced_without_loss(tmp_path: Path) -> None:
    if find_haproxy() is None:
        missing("HAProxy")
    file = tmp_path / "drill.json"
    done = drill(*SHORT, "--replicas", "2", "--rounds", "1", "--json", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    written = results(file)
    assert written["requests"]["lost"] == 0
    assert [stop["exit_code"] for stop in written["stops"]] == [0, 0, 0, 0]
    assert all(stop["unready_after"] is not None for stop in written["stops"][:2])


def test_an_interrupted_drill_leaves_no_process_behind() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "drill", *SHORT, "--duration", "60"],
        cwd=PROJECT,
        env={**os.environ, **BUDGET},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "clients have begun" in line:
                break
        started = descendants(process.pid)
        assert started
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert process.returncode == 130, rest
    assert "Traceback" not in rest
    for _ in tries(5):
        if not (left := [pid for pid in started if pid in processes()]):
            break
    assert left == []


def processes() -> dict[int, int]:
    """All that run, with their parents; those that have ended but were not waited for do not."""
    command = ["ps", "-A", "-o", "pid=,ppid=,stat="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = (line.split() for line in listed.stdout.splitlines())
    return {int(pid): int(parent) for pid, parent, state in rows if not state.startswith("Z")}


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and those that they have."""
    children = [child for child, parent in processes().items() if parent == pid]
    return children + [each for child in children for each in descendants(child)]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--rate", "many"], "--rate: must be a number"),
        (["--replicas", "1"], "--replicas: must be a number, 2 or more"),
        (["--rounds", "2"], "--rounds needs --replicas"),
        (["--path", "livez"], "--path must begin with a slash"),
        (["--header", "X-Nothing"], "--header must be"),
        (["--html", "/nowhere/drill.html"], "cannot write /nowhere/drill.html"),
        (["--frobnicate"], "unrecognized arguments: --frobnicate"),
    ],
)
def test_a_wrong_option_is_told_in_one_line(
    options: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(options)
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert problem in line

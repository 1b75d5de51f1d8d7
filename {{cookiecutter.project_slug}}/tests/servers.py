"""Run the service as the real server does, from a test or a script.

What a server says in its log wakes up who waits for it: there is no sleep for "long enough".
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from .tries import tries

PROJECT = Path(__file__).parent.parent

# Must not leak in from the shell that runs the tests.
UNSET = ("HOST", "LOG_LEVEL", "WEB_CONCURRENCY", "GUNICORN_CMD_ARGS", "FLASK_APP", "FLASK_DEBUG")

ADDRESS = re.compile(r"(?:Listening at:|Uvicorn running on|Serving on) (https?://\S+:([1-9]\d*))")
CONSOLE_LINE = re.compile(
    r"\S+ \[(?P<level>\w+) *\] (?P<event>.*?) +\[(?P<logger>[\w.]+)\] .*?process=(?P<process>\d+)"
    r"(?: report=(?P<report>\{.*\}))?"
)


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port for a server that is yet to listen, or for one after the other.

    As long as this socket is bound (it never listens), nobody else is given the port, neither to
    listen nor as the own end of a connection, but a server that asks for it gets it. On Linux:
    elsewhere the socket would be in the server's way, so the port is only free for now.
    """
    with socket.socket() as placeholder:
        placeholder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        placeholder.bind(("127.0.0.1", 0))
        port: int = placeholder.getsockname()[1]
        if sys.platform != "linux":
            placeholder.close()
        yield port


def children_of(pid: int) -> list[int]:
    """The child processes of *pid*; Linux tells."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class ServerProcess:
    """A server, started by *command* with a free port, and ready when the block begins::

        with ServerProcess(["gunicorn"]) as server:
            assert server.get("/readyz").status_code == 200
            server.signal(signal.SIGTERM)
            assert server.wait() == 0
            assert server.reports[0]["requests_abandoned"] == 0

    When the block ends, so has the server, and all its processes.

    Args:
        command: as typed in a shell; programs of this virtual environment are found.
        env: more environment variables.
        cwd: where to run it.
        workers: how many processes shall be ready.
        start_timeout: how long that may take, in seconds.
        stop_timeout: how long :meth:`stop` waits before it kills, in seconds.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path = PROJECT,
        workers: int = 1,
        start_timeout: float = 30,
        stop_timeout: float = 10,
    ) -> None:
        self.url = ""
        self.port = 0
        self._workers = workers
        self._start_timeout = start_timeout
        self._stop_timeout = stop_timeout
        self._lines: list[str] = []
        self._records: list[dict[str, Any]] = []
        self._log_ended = False
        self._changed = threading.Condition()
        # A session of its own: Ctrl-C in the terminal is for the tests.
        self._process = subprocess.Popen(
            command,
            env=_environment(env or {}),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            encoding="utf-8",
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read_log, name="server-log", daemon=True)
        self._reader.start()

    def __enter__(self) -> ServerProcess:
        try:
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        if error is not None:
            error.add_note(f"The server's log:\n{self.log}")

    @property
    def pid(self) -> int:
        """The first process: gunicorn's master, a reloader, or the only one."""
        return self._process.pid

    @property
    def log(self) -> str:
        """What all the server's processes have written so far."""
        with self._changed:
            return "\n".join(self._lines)

    @property
    def records(self) -> list[dict[str, Any]]:
        """The structured lines of the log."""
        with self._changed:
            return list(self._records)

    @property
    def reports(self) -> list[dict[str, Any]]:
        """The shutdown reports, one of each process that served."""
        return [record["report"] for record in self.records if record.get("report")]

    @property
    def worker_pids(self) -> list[int]:
        """The processes that serve or have served, in the order they became ready."""
        return [
            record["process"]
            for record in self.records
            if record["event"] == "ready" and record["logger"].endswith(".lifecycle.supervisor")
        ]

    def get(self, path: str, *, timeout: float = 10) -> httpx.Response:
        """Send a GET request on a connection of its own."""
        with self.client(timeout=timeout) as client:
            return client.get(path)

    def client(self, *, timeout: float = 10) -> httpx.Client:
        """A client that keeps its connections; close it."""
        # Without TLS, there is no need to load the certificates anew each time.
        return httpx.Client(base_url=self.url, timeout=timeout, trust_env=False, verify=False)

    def signal(self, signum: int, pid: int | None = None) -> None:
        """Send a signal to the server, or to another one of its processes."""
        os.kill(pid or self.pid, signum)

    def wait(self, timeout: float = 30) -> int:
        """Wait until all of the server's processes have ended; return the first one's exit code.

        Raises:
            AssertionError: they have not ended in time.
        """
        self.wait_until(lambda: self._log_ended, timeout, "the end of all its processes")
        return self._process.wait(timeout)

    def wait_for_refusal(self) -> int:
        """Wait until a server that is to refuse to start has ended, and return its exit code.

        Raises:
            AssertionError: it has not ended in time; it is stopped then.
        """
        try:
            return self.wait()
        finally:
            self.stop()

    def wait_for_log(self, text: str | Callable[[str], bool], timeout: float = 10) -> str:
        """Wait until a line of the log has *text* in it, or passes that test, and return it.

        Raises:
            AssertionError: there is none in time.
        """

        def matches(line: str) -> bool:
            return text in line if isinstance(text, str) else text(line)

        found: list[str] = []
        seen = 0

        def look() -> bool:
            nonlocal seen
            found.extend(filter(matches, self._lines[seen:]))
            seen = len(self._lines)
            return bool(found)

        self.wait_until(look, timeout, f"a log line with {text!r}")
        return found[0]

    def wait_until_ready(self) -> None:
        """Wait until the address is known and all workers have become ready.

        Raises:
            AssertionError: they have not in time.
        """

        def ready() -> bool:
            return bool(self.url) and len(self.worker_pids) >= self._workers

        self.wait_until(ready, self._start_timeout, f"{self._workers} worker(s) to become ready")
        # uvicorn's child processes start to listen a moment after that, and do not say so: there is
        # nothing to wait for, only to try.
        for _ in tries(self._start_timeout):
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection((httpx.URL(self.url).host, self.port)).close()
                return
        raise AssertionError(f"nobody listens at {self.url}")

    def wait_until(self, condition: Callable[[], bool], timeout: float, what: str) -> None:
        """Wait until *condition* holds, which is looked at after every line of the log.

        Raises:
            AssertionError: it does not in time, or will not, since the server has ended.
        """
        with self._changed:
            self._changed.wait_for(lambda: condition() or self._log_ended, timeout)
            if not condition():
                ended = "ended" if self._log_ended else f"had {timeout:g} s"
                raise AssertionError(f"waited for {what}; the server {ended}. Log:\n{self.log}")

    def stop(self) -> int:
        """Ask the server to stop, kill what is left of it after a deadline; return its exit code.

        Raises:
            AssertionError: it left a process behind that could not be found.
        """
        self._process.terminate()
        try:
            return self.wait(self._stop_timeout)
        except AssertionError:
            # A worker may have a session of its own, and outlive its parent.
            for pid in [self.pid, *self.worker_pids]:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait()
            return self.wait(5)
        finally:
            self._reader.join(5)

    def _read_log(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as log:
            for line in log:
                record = _parse(line)
                with self._changed:
                    self._lines.append(line.rstrip("\n"))
                    if record is not None:
                        self._records.append(record)
                    if not self.url and (address := ADDRESS.search(line)):
                        self.url, self.port = address[1], int(address[2])
                    self._changed.notify_all()
        # The pipe ends with the last process that held it.
        with self._changed:
            self._log_ended = True
            self._changed.notify_all()


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in UNSET and not name.startswith("SHUTDOWN_")
    }
    programs = str(Path(sys.executable).parent)
    return {
        **environment,
        "PATH": os.pathsep.join([programs, environment.get("PATH", os.defpath)]),
        "PYTHONUNBUFFERED": "1",
        "PORT": "0",
        **more,
    }


def _parse(line: str) -> dict[str, Any] | None:
    """What a line of the log says, in JSON as well as in development; None for other lines."""
    if line.startswith("{"):
        with contextlib.suppress(ValueError):
            record = json.loads(line)
            return record if isinstance(record, dict) and "event" in record else None
    if match := CONSOLE_LINE.match(line):
        record = match.groupdict()
        report = record["report"]
        return {
            **record,
            "process": int(record["process"]),
            "report": report and ast.literal_eval(report),
        }
    return None

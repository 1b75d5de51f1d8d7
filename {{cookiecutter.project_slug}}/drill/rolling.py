"""A rolling deploy: replicas behind HAProxy are replaced one after the other, under load."""

from __future__ import annotations

import contextlib
import csv
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.servers import ServerProcess, reserved_port

from .record import Plan, Record, Stop
from .service import HOST, ending, record, signalled, start_load, start_service, wait_for_end
from .terminal import Screen

CHECK_MILLISECONDS = 200
SETUP = (
    f"HAProxy asked each replica for GET /readyz every {CHECK_MILLISECONDS} ms, and believed the"
    " first answer. It kept connections on both sides, and repeated no request and no connection"
    " attempt (retries 0): what a replica lost, a client lost."
)
CONFIG = """\
defaults
    mode http
    retries 0
    timeout connect 5s
    timeout check 1s
    timeout client 1m
    timeout server 1m

frontend clients
    bind fd@{listener}
    default_backend replicas

backend replicas
    balance roundrobin
    option httpchk GET /readyz
    http-check expect status 200
    default-server check inter {check}ms fall 1 rise 1
{servers}
"""
STATS = "global\n    stats socket {path} level operator\n\n"


class SetupError(RuntimeError):
    """The drill cannot be done here; the message says why in one line."""


def find_haproxy() -> str | None:
    """The program, also where ordinary people's search path does not lead."""
    folders = [os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"]
    return shutil.which("haproxy", path=os.pathsep.join(folders))


def replace_replicas(plan: Plan, screen: Screen) -> Record:
    """Start them, put them under load, replace each in turn, and watch."""
    if (haproxy := find_haproxy()) is None:
        raise SetupError("--replicas needs HAProxy, which is not installed")
    with ExitStack() as stack:
        ports = [stack.enter_context(reserved_port()) for _ in range(plan.replicas)]
        screen.event(f"starting {plan.replicas} replicas behind HAProxy")
        replicas = {number: start_service(plan, port) for number, port in enumerate(ports)}
        for server in replicas.values():
            stack.callback(server.stop)
        for server in replicas.values():
            server.wait_until_ready()
        balancer = stack.enter_context(Balancer(haproxy, ports))
        for number in replicas:
            balancer.wait_until_up(number)
        load = start_load(plan, balancer.port)
        stops: list[Stop] = []
        with load, screen.watching(load):
            screen.status = "serving"
            time.sleep(plan.duration)
            for deploy in range(plan.rounds):
                for number, server in replicas.items():
                    name = f"replica {number + 1}, round {deploy + 1}"
                    with signalled(server, name, plan, screen) as stop:
                        wait_for_end(server, stop)
                    stops.append(stop)
                    screen.event(ending(stop))
                    successor = start_service(plan, ports[number])
                    replicas[number] = stack.enter_context(successor)
                    balancer.wait_until_up(number)
                    stop.ready_again = time.monotonic()
                    screen.event(f"{name}: its successor is ready")
            screen.status = "serving"
            time.sleep(plan.after)
            load.finish()
            screen.event("clients have stopped")
        stops += _stop_the_last(replicas.values(), plan, screen)
    return record(plan, load, stops, SETUP)


class Balancer:
    """HAProxy in front of the replicas, while the block lasts.

    Args:
        program: HAProxy's path.
        ports: the replicas'.
    """

    def __init__(self, program: str, ports: Sequence[int]) -> None:
        self.port = 0
        self._program = program
        self._servers = [
            f"    server {_name(number)} {HOST}:{port}" for number, port in enumerate(ports)
        ]
        self._stack = ExitStack()

    def __enter__(self) -> Balancer:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            self._stats, self._log = folder / "stats", folder / "log"
            log = stack.enter_context(self._log.open("w"))
            with socket.create_server((HOST, 0)) as listener:
                self.port = listener.getsockname()[1]
                config = folder / "haproxy.cfg"
                config.write_text(self._config(listener.fileno()))
                self._process = subprocess.Popen(
                    [self._program, "-db", "-f", config],
                    pass_fds=[listener.fileno()],
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
                stack.callback(self._stop)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def wait_until_up(self, number: int, timeout: float = 30) -> None:
        """Wait until a replica gets requests.

        Raises:
            SetupError: it does not in time.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise SetupError(f"HAProxy has ended: {self._log.read_text().strip()}")
            if self._status(number) == ("UP", "L7OK"):
                return
            time.sleep(0.02)
        raise SetupError(f"HAProxy does not take {_name(number)} to be up: {self._status(number)}")

    def _config(self, listener: int) -> str:
        servers = "\n".join(self._servers)
        config = CONFIG.format(listener=listener, check=CHECK_MILLISECONDS, servers=servers)
        return STATS.format(path=self._stats) + config

    def _status(self, number: int) -> tuple[str, str] | None:
        """What HAProxy holds of a replica: its state, and the last check's result."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._stats))
            connection.sendall(b"show stat\n")
            with connection.makefile() as answer:
                for row in csv.DictReader(answer):
                    if row["svname"] == _name(number):
                        return row["status"], row["check_status"].removeprefix("* ")
        return None

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _name(number: int) -> str:
    return f"replica-{number + 1}"


def _stop_the_last(servers: Iterable[ServerProcess], plan: Plan, screen: Screen) -> list[Stop]:
    """End those that are left, without a drain, for there is no client left."""
    stops = []
    for number, server in enumerate(servers):
        name = f"replica {number + 1}, at the end"
        stops.append(Stop(name, signal.SIGINT, time.monotonic(), plan.workers))
        server.signal(signal.SIGINT)
    for stop, server in zip(stops, servers, strict=True):
        wait_for_end(server, stop)
        screen.event(ending(stop))
    return stops

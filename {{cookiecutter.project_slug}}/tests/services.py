"""Services that tests start for themselves: the real programs, on free ports, in own folders."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from .missing import missing
from .servers import reserved_port
from .tries import tries


class Service(ABC):
    """A server that a test starts, breaks, starts again, and that ends with the block.

    Its :attr:`port` and what is in its :attr:`folder` stay the same meanwhile.

    Args:
        user: who runs it if the tests run as root, for programs that refuse to be root's.
    """

    timeout = 30.0  # for each start and stop, in seconds
    end_signal = signal.SIGKILL

    def __init__(self, user: str | None = None) -> None:
        self._reservations = ExitStack()
        self.port = self.reserve_port()
        self.folder = Path(tempfile.mkdtemp(prefix="service-"))
        self._user = user if os.geteuid() == 0 else None
        if self._user is not None:
            shutil.chown(self.folder, self._user, pwd.getpwnam(self._user).pw_gid)
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """What starts the server, in the foreground."""

    @abstractmethod
    def is_up(self) -> bool:
        """Whether clients are served now."""

    def environment(self) -> Mapping[str, str]:
        """More environment variables for the server."""
        return {}

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(self.end_signal)
        self._reservations.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def reserve_port(self) -> int:
        """A port that is this server's, also before it listens and while it is down."""
        return self._reservations.enter_context(reserved_port())

    @property
    def pid(self) -> int:
        """The server's first process."""
        assert self._process is not None, "it has not been started"
        return self._process.pid

    @property
    def log(self) -> str:
        """What the server has written so far."""
        file = self.folder / "log"
        return file.read_text("utf-8", errors="replace") if file.exists() else ""

    def run(self, *command: str) -> str:
        """Run a program as the server's user in its folder; return what it prints."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, **self.environment()},
            user=self._user,
            capture_output=True,
            text=True,
            timeout=self.timeout,
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def start(self) -> None:
        """Start the server, and wait until clients are served."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env={**os.environ, **self.environment()},
                user=self._user,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        for _ in tries(self.timeout):
            if self.is_up():
                return
            assert self._process.poll() is None, f"it has ended. Log:\n{self.log}"
        raise AssertionError(f"it does not start. Log:\n{self.log}")

    def freeze(self) -> None:
        """Have the server answer nothing, while its connections stay as they are."""
        os.killpg(self.pid, signal.SIGSTOP)
        for _ in tries(self.timeout):  # a busy machine takes a moment to stop all its threads
            if not self.is_up():
                return
        raise AssertionError("it goes on answering")

    def thaw(self) -> None:
        """Have it go on."""
        os.killpg(self.pid, signal.SIGCONT)

    def stop(self, signum: int = signal.SIGTERM) -> None:
        """Send the server that signal, or all of its processes SIGKILL, and wait for its end."""
        if self._process is not None and self._process.poll() is None:
            send = os.killpg if signum == signal.SIGKILL else os.kill
            send(self._process.pid, signum)
            self._process.wait(self.timeout)


class Redis(Service):
    """A Redis that keeps what it has confirmed, also when it is killed."""

    def command(self) -> list[str]:
        """What starts the server, in the foreground."""
        if shutil.which("redis-server") is None:
            missing("redis-server")
        durable = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
        return ["redis-server", "--port", str(self.port), "--dir", str(self.folder), *durable]

    def is_up(self) -> bool:
        """Whether clients are served now."""
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), 1) as connection,
        ):
            connection.sendall(b"PING\r\n")
            return connection.recv(5) == b"+PONG"
        return False

    @property
    def url(self) -> str:
        """For clients."""
        return f"redis://127.0.0.1:{self.port}/0"


class RabbitMq(Service):
    """A RabbitMQ node with a port mapper of its own."""

    program = "/usr/lib/rabbitmq/bin/rabbitmq-server"  # the one in PATH insists on its own folders

    def __init__(self) -> None:
        super().__init__()
        self._ports = [str(self.reserve_port()) for _ in range(2)]
        (self.folder / "enabled_plugins").write_text("[].", "utf-8")

    def command(self) -> list[str]:
        """What starts the server, in the foreground."""
        if not Path(self.program).exists():
            missing("rabbitmq-server")
        return ["sh", "-c", f"epmd & exec {self.program}"]

    def is_up(self) -> bool:
        """Whether clients are served now."""
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), 1) as connection,
        ):
            connection.settimeout(1)
            connection.sendall(b"AMQP\0\0\x09\x01")
            return connection.recv(1) == b"\x01"
        return False

    def environment(self) -> Mapping[str, str]:
        """More environment variables for the server."""
        folder = str(self.folder)
        return {
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": self._ports[0],
            "HOME": folder,
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/none",
            "RABBITMQ_CONFIG_FILE": f"{folder}/none",
            "RABBITMQ_DIST_PORT": self._ports[1],
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/enabled_plugins",
            "RABBITMQ_LOG_BASE": folder,
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_MNESIA_BASE": f"{folder}/data",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_NODENAME": f"test-{self.port}@localhost",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
        }

    def stop(self, signum: int = signal.SIGTERM) -> None:
        """As any service; and end the port mapper, too."""
        super().stop(signum)
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    @property
    def url(self) -> str:
        """For clients."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

"""Clients that write at full speed, and remember what they were told."""

from __future__ import annotations

import http.client
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from .tries import tries

CLIENTS = 8


class Writers:
    """Clients of the database's probe. Every fourth request of each is one to be refused.

    As load balancers do, they go elsewhere when the service stops: when it closes a connection.

    Attributes:
        told: the status and the body of each answer, by the key that was to be kept.
        untold: what happened instead of an answer, by the key.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._enough = threading.Event()
        self.told: dict[str, tuple[int, str]] = {}
        self.untold: dict[str, str] = {}
        self._clients = [threading.Thread(target=self._write) for _ in range(CLIENTS)]

    @property
    def kept(self) -> set[str]:
        """The keys that are kept, as far as the clients were told."""
        return {key for key, (status, _) in self.told.copy().items() if status == 201}

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Have them at work during the block."""
        for client in self._clients:
            client.start()
        try:
            yield
        finally:
            self._enough.set()
            self.wait_until_gone()

    def wait_for_kept(self, more: int, timeout: float = 20) -> None:
        """Wait until *more* keys have been kept than now, at most *timeout* seconds."""
        enough = len(self.kept) + more
        for _ in tries(timeout):
            if len(self.kept) >= enough:
                return
        raise AssertionError(f"not {more} more in {timeout:g} s")

    def wait_until_gone(self) -> None:
        """Wait until each has been told to go elsewhere."""
        for client in self._clients:
            client.join()

    def _write(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        written = 0
        while not self._enough.is_set():
            key = uuid.uuid4().hex
            written += 1
            path = "/keep" if written % 4 else "/keep/refused"
            try:
                connection.request("POST", f"{path}?key={key}")
                response = connection.getresponse()
                self.told[key] = response.status, response.read().decode()
                if response.will_close:
                    break
            except (OSError, http.client.HTTPException) as error:
                self.untold[key] = repr(error)
                connection.close()
        connection.close()

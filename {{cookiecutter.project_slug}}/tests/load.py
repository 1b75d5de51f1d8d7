"""Many clients, some of which keep their connections."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager

KEEPING, RECONNECTING = 16, 4


class Load:
    """What they have seen."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._enough = threading.Event()
        self._answers = threading.Semaphore(0)
        self.failures: list[str] = []

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Have all clients at work during the block: it begins after 100 requests."""
        clients = [
            threading.Thread(target=self._send_requests, args=(keep,))
            for keep in [True] * KEEPING + [False] * RECONNECTING
        ]
        for client in clients:
            client.start()
        try:
            for _ in range(100):
                assert self._answers.acquire(timeout=10), "the clients get no answers"
            yield
        finally:
            self._enough.set()
            for client in clients:
                client.join()

    def _send_requests(self, keep: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        headers = {} if keep else {"Connection": "close"}
        while not self._enough.is_set():
            try:
                connection.request("GET", "/livez", headers=headers)
                response = connection.getresponse()
                response.read()
                if response.status != 200:
                    self.failures.append(f"status {response.status}")
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
            self._answers.release()
        connection.close()

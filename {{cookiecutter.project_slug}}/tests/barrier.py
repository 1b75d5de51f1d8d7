"""Requests that a test holds for as long as it likes."""

from __future__ import annotations

import contextlib
import socket


class Barrier:
    """Holds requests, also those in other processes, until the test lets them go.

    A request arrives by connecting to :attr:`port`, and goes on when it reads a byte, see
    :func:`pass_barrier`. So a test *knows* that a request is in flight.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._held: list[socket.socket] = []

    def __enter__(self) -> Barrier:
        return self

    def __exit__(self, *_: object) -> None:
        for each in (*self._held, self._listener):
            each.close()

    def wait_for_arrivals(self, count: int = 1, timeout: float = 10) -> None:
        """Wait until *count* more requests are held.

        Raises:
            AssertionError: they are not after *timeout* seconds.
        """
        self._listener.settimeout(timeout)
        for arrived in range(count):
            try:
                self._held.append(self._listener.accept()[0])
            except TimeoutError:
                raise AssertionError(f"{arrived} of {count} arrived in {timeout:g} s") from None

    def release(self, count: int | None = None) -> None:
        """Let those requests go on, or only the first *count* of them."""
        for request in self._held[:count]:
            with contextlib.suppress(OSError), request:  # its process may have been killed
                request.sendall(b"!")
        del self._held[:count]


def arrive(port: int) -> None:
    """In a request: tell the :class:`Barrier` at *port* that we are here, and go on."""
    socket.create_connection(("127.0.0.1", port)).close()


def pass_barrier(port: int) -> None:
    """In a request: tell the :class:`Barrier` at *port*, and wait until it lets us go."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.recv(1)

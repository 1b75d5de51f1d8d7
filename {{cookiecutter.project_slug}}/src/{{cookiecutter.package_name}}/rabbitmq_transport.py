"""Celery's RabbitMQ transport, with a limit to how long it waits for an answer.

py-amqp's own waits for ever when a broker is there but says nothing.
"""

from __future__ import annotations

from typing import Any

from kombu.transport import pyamqp

from .broker_url import ANSWER_SECONDS


class Transport(pyamqp.Transport):  # type: ignore[misc]  # kombu is not typed
    """What ``broker_transport`` names."""

    def establish_connection(self) -> Any:
        """Connect, and set the limit."""
        connection = super().establish_connection()
        connection.sock.settimeout(ANSWER_SECONDS)
        return connection

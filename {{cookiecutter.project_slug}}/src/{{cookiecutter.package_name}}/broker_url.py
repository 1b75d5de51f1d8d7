"""``BROKER_URL`` and ``TASK_RECORDS_URL``: what is accepted, and how long an answer may take."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr

REDIS = ("redis", "rediss")
RABBITMQ = ("amqp", "amqps")
REDIS_EXAMPLE = "redis://host:6379/0"
RABBITMQ_EXAMPLE = "amqp://user:password@host:5672/"
ANSWER_SECONDS = 2.0  # how long they may take for one answer, also on a busy machine


def is_url_of(schemes: tuple[str, ...], url: SecretStr) -> bool:
    """Whether *url* names a host, and begins with one of *schemes*."""
    try:
        parts = urlsplit(url.get_secret_value())
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # the port is not a number
        return False


def _check_broker(url: SecretStr) -> SecretStr:
    if not is_url_of((*REDIS, *RABBITMQ), url):
        raise ValueError(f"must look like {REDIS_EXAMPLE} or {RABBITMQ_EXAMPLE}")
    return url


def _check_records(url: SecretStr) -> SecretStr:
    if not is_url_of(REDIS, url):
        raise ValueError(f"must look like {REDIS_EXAMPLE}")
    return url


BrokerUrl = Annotated[SecretStr, AfterValidator(_check_broker)]
RecordsUrl = Annotated[SecretStr, AfterValidator(_check_records)]

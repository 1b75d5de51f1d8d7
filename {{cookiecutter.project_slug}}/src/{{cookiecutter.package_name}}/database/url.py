"""``DATABASE_URL``: what is accepted, and what follows from it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, SecretStr
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from .drivers import DRIVERS

CONNECT_SECONDS = 2  # libpq takes no less
POOL_SECONDS = 2.0  # how long a request waits for a connection
EXAMPLES = "postgresql://user:password@host/name or sqlite:///file"


def parse(secret: SecretStr) -> URL:
    """The URL as SQLAlchemy takes it; what names another driver gets ours.

    Raises:
        ValueError: what is wrong with it, without the password.
    """
    try:
        url = make_url(secret.get_secret_value())
    except (ArgumentError, ValueError):
        raise ValueError(f"must look like {EXAMPLES}") from None
    driver = DRIVERS.get(url.drivername.partition("+")[0])
    if driver is None or url.database in (None, "", ":memory:"):
        raise ValueError(f"must look like {EXAMPLES}")
    url = url.set(drivername=driver)
    try:
        url.get_dialect().import_dbapi()
    except ImportError as error:
        raise ValueError(f"needs a driver that is not installed: {error.name}") from None
    return url


def _check(secret: SecretStr) -> SecretStr:
    parse(secret)
    return secret


DatabaseUrl = Annotated[SecretStr, AfterValidator(_check)]


def blocking(url: URL) -> URL:
    """The same database for scripts, without an event loop; psycopg serves both."""
    return url.set(drivername=url.drivername.replace("aiosqlite", "pysqlite"))


def problem_at(url: URL, problem: object) -> str:
    """*problem* in one line, with where it is, but no user and no password."""
    host = f"{url.host}:{url.port or 5432}/" if url.host else ""
    return f"DATABASE_URL, {host}{url.database}: {' '.join(str(problem).split())}"


def engine_options(url: URL, *, pool_size: int, statement_seconds: float) -> dict[str, Any]:
    """What :func:`sqlalchemy.create_engine` needs to know besides the URL.

    Args:
        url: where the database is.
        pool_size: how many connections there are at most.
        statement_seconds: when PostgreSQL cancels a statement, and gives a silent client up.
    """
    return {
        "pool_size": pool_size,
        "max_overflow": 0,
        "pool_timeout": POOL_SECONDS,
        "pool_pre_ping": True,  # or the first requests after an outage would fail
        "connect_args": _connect_args(url, round(statement_seconds * 1000)),
    }


def _connect_args(url: URL, milliseconds: int) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {"timeout": POOL_SECONDS}  # for a lock
    arguments = {
        "application_name": "{{ cookiecutter.project_slug }}",
        "connect_timeout": CONNECT_SECONDS,
        "options": f"-c statement_timeout={milliseconds}",
        # A server that has vanished answers nothing, not even that.
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": milliseconds,
    }
    return {name: value for name, value in arguments.items() if name not in url.query}

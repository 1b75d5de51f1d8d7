"""Databases as scripts use them: migrated by Alembic's command, and looked into."""

from __future__ import annotations

import os
import subprocess
import sys

from pydantic import SecretStr
from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    MetaData,
    NullPool,
    String,
    Table,
    create_engine,
    select,
)

from {{ cookiecutter.package_name }}.database.url import blocking, parse

from .servers import PROJECT

# What the probe writes to: it depends on none of the service's own tables. A row that stands on
# another, which is not there, fails at the commit and not before.
KEPT = Table(
    "kept_by_tests",
    MetaData(),
    Column("key", String(100), primary_key=True),
    Column("on", ForeignKey("kept_by_tests.key", deferrable=True, initially="DEFERRED")),
)


def alembic(*arguments: str, url: str) -> subprocess.CompletedProcess[str]:
    """Run ``alembic`` on the database at *url*."""
    return subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=PROJECT,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
    )


def migrate(url: str) -> None:
    """Bring the database at *url* to the newest schema."""
    done = alembic("upgrade", "head", url=url)
    assert done.returncode == 0, done.stdout + done.stderr


def create_tables(url: str) -> None:
    """Create the service's tables, and the probe's."""
    migrate(url)
    with connect(url) as connection:
        KEPT.create(connection)
        connection.commit()


def connect(url: str) -> Connection:
    """Connect to the database at *url*, without the service."""
    return create_engine(blocking(parse(SecretStr(url))), poolclass=NullPool).connect()


def keys_in(url: str) -> set[str]:
    """What the probe has written and committed."""
    with connect(url) as connection:
        return set(connection.scalars(select(KEPT.c.key)))

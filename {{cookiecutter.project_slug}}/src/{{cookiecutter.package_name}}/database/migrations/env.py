"""Alembic runs this for each of its commands: which database, and which tables."""

from __future__ import annotations

import sys

from alembic import context
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import DatabaseError, OperationalError

from {{ cookiecutter.package_name }} import logs
from {{ cookiecutter.package_name }}.database.models import Base
from {{ cookiecutter.package_name }}.database.url import blocking, parse, problem_at
from {{ cookiecutter.package_name }}.settings import load_settings

settings = load_settings()
url = blocking(parse(settings.database_url))
logs.configure(settings.log_level, json=False)


def migrate() -> None:
    """Run the migrations that Alembic's command asks for, all in one transaction."""
    with create_engine(url, poolclass=NullPool).connect() as connection:
        sqlite = connection.dialect.name == "sqlite"
        if sqlite:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")  # readers do not wait for writers
            connection.commit()
        context.configure(connection, target_metadata=Base.metadata, render_as_batch=sqlite)
        with context.begin_transaction():
            if not sqlite:  # replicas that migrate at the same time do so one after the other
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('alembic'))")
            context.run_migrations()


def print_sql() -> None:
    """Print what :func:`migrate` would do, for ``alembic upgrade head --sql``."""
    context.configure(url=url, target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


try:
    print_sql() if context.is_offline_mode() else migrate()
except DatabaseError as error:
    if type(error) not in (DatabaseError, OperationalError):
        raise  # the mistake is in a migration
    sys.exit(problem_at(url, error.orig))

"""Migrations, and what happens to a service whose database they have not reached."""

from __future__ import annotations

import pytest
from sqlalchemy import inspect, text

from {{ cookiecutter.package_name }}.database.schema import problem_of_schema

from .commands import BARE, SERVERS
from .migrating import alembic, connect, migrate
from .servers import ServerProcess


def test_they_make_the_tables_of_the_models_and_take_them_back(empty_database: str) -> None:
    migrate(empty_database)
    check = alembic("check", url=empty_database)
    assert check.returncode == 0, "the models have changed: alembic revision --autogenerate"
    alembic("downgrade", "base", url=empty_database)
    with connect(empty_database) as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]


def test_a_schema_that_is_too_old_is_told_with_the_command(empty_database: str) -> None:
    with connect(empty_database) as connection:
        problem = problem_of_schema(connection)
        assert problem is not None
        assert "uv run alembic upgrade head" in problem
        migrate(empty_database)
    with connect(empty_database) as connection:
        assert problem_of_schema(connection) is None
        # Another release is being deployed.
        connection.execute(text("UPDATE alembic_version SET version_num = 'of tomorrow'"))
        assert problem_of_schema(connection) is None


@pytest.mark.shutdown
@pytest.mark.parametrize("name", ["gunicorn", BARE])
def test_without_them_no_server_starts(name: str, empty_database: str) -> None:
    server = ServerProcess(SERVERS[name].command, env={"DATABASE_URL": empty_database})
    assert server.wait_for_refusal() == 3
    assert "uv run alembic upgrade head" in server.log
    assert "Traceback" not in server.log


def test_a_database_that_is_not_there_is_told_in_one_line(empty_database: str) -> None:
    done = alembic("upgrade", "head", url=f"{empty_database}/nowhere")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("DATABASE_URL, ")
    assert "/nowhere: " in line

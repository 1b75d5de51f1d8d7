"""Whether the database has the tables that this code needs."""

from __future__ import annotations

from pathlib import Path

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

MIGRATIONS = Path(__file__).parent / "migrations"


def problem_of_schema(connection: Connection) -> str | None:
    """What is missing and how to get it, or None.

    A revision that we do not know is newer than this code, and is fine: while a deployment rolls,
    the old code works on the new schema.
    """
    script = ScriptDirectory(str(MIGRATIONS))
    needed = set(script.get_heads())
    known = {each.revision for each in script.walk_revisions()}
    current = set(MigrationContext.configure(connection).get_current_heads())
    if current == needed or not current <= known:
        return None
    revisions = ", ".join(sorted(current)) or "none"
    return f"its schema is at revision {revisions}, too old: run `uv run alembic upgrade head`"

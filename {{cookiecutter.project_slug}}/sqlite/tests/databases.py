"""Databases for tests: files of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .migrating import create_tables


@pytest.fixture(scope="session", autouse=True)
def _database(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Have all tests use one of their own, and never the developer's."""
    url = f"sqlite:///{tmp_path_factory.mktemp('database') / 'tests.db'}"
    create_tables(url)
    os.environ["DATABASE_URL"] = url


@pytest.fixture
def empty_database(tmp_path: Path) -> str:
    """The URL of one without tables."""
    return f"sqlite:///{tmp_path / 'empty.db'}"

"""``DATABASE_URL``: what is accepted, and what is said about the rest."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from {{ cookiecutter.package_name }}.database import url as urls
from {{ cookiecutter.package_name }}.settings import Settings, load_settings

WRONG = [
    "nonsense",
    "sqlite://",
    "sqlite:///:memory:",
    "mysql://user:s3cr3t@host/name",
    "postgresql://user:s3cr3t@host",
    "postgresql://user:s3cr3t@host:port/name",
]


@pytest.mark.parametrize("url", WRONG)
def test_a_wrong_one_ends_the_process_with_one_line_without_the_password(
    url: str,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(SystemExit) as ended:
        load_settings()
    assert ended.value.code == 3
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("wrong setting: DATABASE_URL: must look like postgresql://")
    assert "s3cr3t" not in line


def test_a_driver_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urls, "DRIVERS", {"sqlite": "sqlite+pysqlcipher"})
    with pytest.raises(ValueError, match="needs a driver that is not installed: pysqlcipher"):
        urls.parse(SecretStr("sqlite:///file"))


def test_the_settings_do_not_show_it(settings: Settings) -> None:
    assert settings.database_url.get_secret_value() not in f"{settings!r} {settings}"

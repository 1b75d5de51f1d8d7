"""Settings, read from the environment."""

from __future__ import annotations

import sys
#% if cookiecutter.background == "celery"
import tempfile
#% endif
#% if cookiecutter.background != "none"
from pathlib import Path
#% endif
from typing import Annotated, Any, Literal

#% if cookiecutter.shutdown_endpoint
from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
#% elif cookiecutter.database == "sqlite" or cookiecutter.background == "celery"
from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
#% else
from pydantic import BeforeValidator, Field, ValidationError, model_validator
#% endif
from pydantic_settings import BaseSettings, SettingsConfigDict

#% if cookiecutter.background == "celery"
from .broker_url import REDIS, BrokerUrl, RecordsUrl, is_url_of
#% endif
#% if cookiecutter.database != "none"
from .database.url import DatabaseUrl
#% endif
from .lifecycle import Budget

GRACE_SECONDS = {{ cookiecutter.grace_period_seconds }}  # what the platform grants before SIGKILL
THREADS = 8  # of each worker
LogLevel = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(str.lower)]
Seconds = Field(default=None, ge=0, allow_inf_nan=False)


class Settings(BaseSettings):
    """Each field is the environment variable of the same name in capitals. Times are in seconds."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, frozen=True, hide_input_in_errors=True, extra="ignore"
    )

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    web_concurrency: int = Field(default=1, ge=1, le=1024)
    log_level: LogLevel = "info"
#% if cookiecutter.background == "thread"
    task_queue_path: Path = Path("tasks.sqlite3")
    task_queue_length: int = Field(default=100_000, ge=1)
#% endif
#% if cookiecutter.shutdown_endpoint
    shutdown_token: SecretStr | None = None
#% endif
#% if cookiecutter.background == "celery"
    broker_url: BrokerUrl = SecretStr("redis://localhost:6379/0")
    task_records_url: RecordsUrl | None = None
    worker_concurrency: int = Field(default=2, ge=1, le=1024)
    worker_heartbeat_file: Path = Path(tempfile.gettempdir(), f"{__package__}-worker.heartbeat")
#% endif
#% if cookiecutter.database == "sqlite"
    database_url: DatabaseUrl = SecretStr("sqlite:///database.sqlite3")
#% elif cookiecutter.database == "postgresql"
    database_url: DatabaseUrl
#% endif
    shutdown_grace_seconds: float = Field(default=GRACE_SECONDS, ge=5, allow_inf_nan=False)
    shutdown_drain_seconds: float | None = Seconds
    shutdown_request_seconds: float | None = Seconds
    shutdown_cleanup_seconds: float | None = Seconds

    @property
    def budget(self) -> Budget:
        """How long each phase of a stop may take."""
        return Budget.derive(
            self.shutdown_grace_seconds,
            drain=self.shutdown_drain_seconds,
            requests=self.shutdown_request_seconds,
            cleanup=self.shutdown_cleanup_seconds,
        )

#% if cookiecutter.background == "celery"
    @property
    def records_url(self) -> SecretStr | None:
        """The Redis that has the records of tasks, or None if there is none."""
        if self.task_records_url is None and is_url_of(REDIS, self.broker_url):
            return self.broker_url
        return self.task_records_url

#% endif
    @model_validator(mode="after")
    def _check_budget(self) -> Settings:
        _ = self.budget
        return self
#% if cookiecutter.shutdown_endpoint
#%%
    @field_validator("shutdown_token")
    @classmethod
    def _check_token(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and len(token.get_secret_value()) < 32:
            raise ValueError("needs at least 32 characters; openssl rand -hex 32 prints some")
        return token
#% endif
#%%

def load_settings(**overrides: Any) -> Settings:
    """Read the settings, or end the process with one line that names the wrong variable.

    The exit code is 3, which tells uvicorn's and gunicorn's parent processes not to try again.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        for problem in error.errors():
            variable = "_".join(map(str, problem["loc"])).upper() or "SHUTDOWN_*_SECONDS"
            message = problem["msg"].removeprefix("Value error, ")
            print(f"wrong setting: {variable}: {message}", file=sys.stderr)
        raise SystemExit(3) from None

"""The ways to start this service."""

from __future__ import annotations

from typing import NamedTuple

PACKAGE = "{{ cookiecutter.package_name }}"
UVICORN = ("uvicorn", "--factory", f"{PACKAGE}.app:create_app", "--port", "0")


class Server(NamedTuple):
    """A server, as people start it."""

    command: tuple[str, ...]
    workers: int = 1
    has_parent: bool = True


SERVERS = {
    "gunicorn": Server(("gunicorn",), workers=2),
    "gunicorn --preload": Server(("gunicorn", "--preload"), workers=2),
    "uvicorn": Server(UVICORN, has_parent=False),
    "uvicorn --workers": Server((*UVICORN, "--workers", "2"), workers=2),
    "uvicorn --reload": Server((*UVICORN, "--reload")),
    "fastapi dev": Server(("fastapi", "dev", "--port", "0")),
    "python -m": Server(("python", "-m", PACKAGE)),
}

# The one that has no parent process, with the service and with the probe.
BARE = "uvicorn"
BARE_PROBE = ("uvicorn", "tests.probe:app", "--port", "0")
# Besides gunicorn, one for each kind of parent process.
KINDS = (BARE, "uvicorn --workers", "uvicorn --reload", "python -m")

"""The ways to start this service."""

from __future__ import annotations

from typing import NamedTuple

PACKAGE = "{{ cookiecutter.package_name }}"
FLASK = ("flask", "--app", f"{PACKAGE}.app", "run", "--port", "0")


class Server(NamedTuple):
    """A server, as people start it."""

    command: tuple[str, ...]
    workers: int = 1
    has_parent: bool = True


SERVERS = {
    "gunicorn": Server(("gunicorn",), workers=2),
    "gunicorn --preload": Server(("gunicorn", "--preload"), workers=2),
    "flask run": Server(FLASK, has_parent=False),
    "flask run --debug": Server((*FLASK, "--debug")),
    "python -m": Server(("python", "-m", PACKAGE)),
}

# The one that has no parent process, with the service and with the probe.
BARE = "flask run"
BARE_PROBE = ("flask", "--app", "tests.probe", "run", "--port", "0")
# Besides gunicorn, one for each kind of parent process.
KINDS = (BARE, "flask run --debug")

"""Generate a service and install it, to see what becomes of it: for the other tools here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TEMPLATE = Path(__file__).parent.parent
COOKIECUTTER = Path(sys.executable).with_name("cookiecutter")


class Project:
    """A generated and installed service."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._uv = shutil.which("uv") or sys.exit("uv is missing: pip install uv")
        # The environment that make runs in must not be taken for the service's own.
        self._environment = {
            name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"
        }

    def run(self, *command: str, **environment: str) -> int:
        """Run a command in the project's environment; return its exit code."""
        env = {**self._environment, **environment}
        return subprocess.run(
            [self._uv, "run", "--quiet", *command], cwd=self.folder, env=env, check=False
        ).returncode

    def run_tool(self, file: str, *arguments: str, library: str | None = None) -> int:
        """Run a Python file of this folder in there, where it can import the service's tests.

        Args:
            file: its name.
            arguments: for it.
            library: what it needs besides.

        """
        more = [] if library is None else ["--with", library]
        tool = str(Path(__file__).with_name(file))
        return self.run(*more, "python", tool, *arguments, PYTHONPATH=str(self.folder))


@contextmanager
def generated(**answers: str) -> Iterator[Project]:
    """Make the project "Demo Service" with these answers, for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as output:
        with _step(f"Generating a {answers['framework']} service"):
            answers["project_name"] = "Demo Service"
            options = ("--no-input", "--output-dir", output)
            command: list[str | Path] = [COOKIECUTTER, *options, TEMPLATE]
            command += [f"{name}={answer}" for name, answer in answers.items()]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        project = Project(Path(output) / "demo-service")
        with _step("Installing it"):
            if project.run("true"):  # installs first what is missing: everything
                sys.exit("It cannot be installed, see above.")
        yield project


@contextmanager
def _step(what: str) -> Iterator[None]:
    """Say what is being done, and how long it took."""
    print(f"{what} ... ", end="", flush=True)
    begun = time.monotonic()
    yield
    print(f"{time.monotonic() - begun:.1f} s", flush=True)

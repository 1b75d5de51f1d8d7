"""What all tests share: how to render the template, and where its tools are."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cookiecutter.main import cookiecutter

REPOSITORY = Path(__file__).parents[1]
TEMPLATE = REPOSITORY / "{{cookiecutter.project_slug}}"
QUESTIONS: dict[str, object] = json.loads((REPOSITORY / "cookiecutter.json").read_text("utf-8"))
FRAMEWORKS = ("fastapi", "flask")

Answers = dict[str, str]
Render = Callable[[Answers], Path]

EVERYTHING: Answers = {}  # that is the default
MOST_LIBRARIES: Answers = {"background": "celery", "database": "postgresql"}
NOTHING: Answers = {
    "background": "none",
    "websocket": "no",
    "shutdown_endpoint": "no",
    "ci": "none",
}


def run(*command: str | Path, cwd: Path) -> None:
    """Run a command; when it fails, the test fails with all that it printed."""
    done = subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.fail(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}", pytrace=False)


def files_of(project: Path) -> dict[str, bytes]:
    return {
        path.relative_to(project).as_posix(): path.read_bytes()
        for path in sorted(project.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="session", autouse=True)
def _own_environment(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the developer's settings and environments out of the tests, and the other way round."""
    home = tmp_path_factory.mktemp("cookiecutter")
    config = home / "config.yaml"
    config.write_text(f"cookiecutters_dir: {home}\nreplay_dir: {home}\n", "utf-8")
    os.environ["COOKIECUTTER_CONFIG"] = str(config)
    os.environ.pop("VIRTUAL_ENV", None)
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def render_into(output: Path, answers: Answers) -> Path:
    """Generate a project; whatever the answers leave open is answered with the default."""
    return Path(
        cookiecutter(
            str(REPOSITORY), no_input=True, extra_context=dict(answers), output_dir=str(output)
        )
    )


@pytest.fixture
def render(tmp_path: Path) -> Render:
    """Generate projects, each into a folder of its own."""

    def render_into_new_folder(answers: Answers) -> Path:
        return render_into(tmp_path / f"output-{len(list(tmp_path.iterdir()))}", answers)

    return render_into_new_folder


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give the folder of the programs that a project of this framework installs."""
    folders: dict[str, Path] = {}

    def install_once(framework: str) -> Path:
        if framework not in folders:
            output = tmp_path_factory.mktemp(f"installed-{framework}")
            project = render_into(output, {**MOST_LIBRARIES, "framework": framework})
            # Only programs that are compiled are run from there.
            run("uv", "sync", "--no-install-project", "--no-compile-bytecode", cwd=project)
            folders[framework] = project / ".venv" / "bin"
        return folders[framework]

    return install_once

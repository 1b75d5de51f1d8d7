"""Hostile answers, through the real command: a whole project, or one clear sentence."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import FRAMEWORKS, REPOSITORY, Answers, files_of, run

COMMAND = [sys.executable, "-m", "cookiecutter", str(REPOSITORY)]

# Import names and distribution names, the way the hook writes them.
LIST_INSTALLED = """
from importlib.metadata import distributions, packages_distributions
names = {*packages_distributions(), *(each.metadata["Name"] for each in distributions())}
print(*(name.lower().replace("-", "_") for name in names if "__" not in name and name[0] != "_"))
"""

WORKING: list[Answers] = [
    {"project_name": "L'été — «Größe» 服务 🚀"},
    {"project_name": "🚀"},
    {"project_name": """He said "it's 'fine'" and left"""},
    {"project_name": "C:\\new\\table\\"},
    {"project_name": "Costs 100 % #1 <b>&amp;</b> $HOME `id` ${x}"},
    {"project_name": "x" * 60, "description": "y" * 160, "author_name": "z" * 80},
    {"description": 'Ends with a backslash \\ and a quote "'},
    {"description": "'''\"\"\"''' and \\N{BULLET} \\u0041 %s {0} {name}"},
    {"description": "Обслуживает людей: да, – «хорошо»"},
    {"description": "---\\n- yaml: [1, 2] # no comment"},
    {"author_name": 'Renée O\'Connor, Jr. "Ren" <x>', "license": "BSD-3-Clause"},
    {"author_name": "中村 \\ 太郎 👩‍💻", "license": "Proprietary"},
    {"author_email": "o'connor+services@mail.example.org"},
    {"project_slug": "a", "package_name": "b"},
    {"project_slug": "x" * 60, "package_name": "y" * 40},
    {"project_name": "Log 4 You"},
    {"package_name": "app"},
    {"grace_period_seconds": "5"},
    {"grace_period_seconds": "3600"},
]

REFUSED: list[tuple[Answers, str]] = [
    *(
        ({option: value}, f"{option} {problem}")
        for option in ("project_name", "description", "author_name", "author_email")
        for value, problem in (
            ("", "is empty"),
            ("  ", "is empty"),
            (" a@b ", "has spaces before or after it"),
            ("a@b" * 100, "is longer than"),
            ("a\nb@c", "contains a line break"),
            ("a\x1b[31m@b", "contains a line break or another control character"),
            ("a\u2028b@c", "contains a line break"),
            ("a@{{ '{{' }}", "contains '{{'"),
            ("a@{{ '{%' }}", "contains '{%'"),
            ("a@{{ '{#' }}", "contains '{#'"),
            ("a@#%b", "contains '#%'"),
        )
    ),
    *(
        ({"author_email": value}, "author_email must look like")
        for value in ("nobody", "a b@c", "@", "a@", "@b", "a@b@c", '"a"@b', "<a@b>", "a@b,c@d")
    ),
    *(
        ({"project_slug": value}, "project_slug may have lower-case letters")
        for value in (
            *("", ".", "..", "/", "a/b", "../x", "a/../b", "a\\b", "~", "-", "-a", "a-", "a--b"),
            *("A", "my_service", "my service", "a\nb", "é", "x" * 61, "x" * 5000, "$(id)", "a'b"),
        )
    ),
    *(
        ({"project_slug": value, "package_name": "fine"}, "project_slug is the name of a library")
        for value in ("flask", "fastapi", "pydantic-settings", "uvicorn-worker", "pytest")
    ),
    *(
        ({"package_name": value}, "package_name must start with a lower-case letter")
        for value in (
            *("", ".", "..", "a/b", "../x", "a.b", "a-b", "a b", "A", "1a", "_a", "__init__", "é"),
            *("ﬁne", "a\nb", "x" * 41, "import os"),
        )
    ),
    *(
        ({"package_name": value}, "package_name is a word of the Python language")
        for value in ("class", "async", "match", "type")
    ),
    *(
        ({"package_name": value}, "package_name would hide Python's own module")
        for value in ("json", "logging", "signal", "test", "compression", "imp")
    ),
    *(
        ({"package_name": value}, "package_name would hide the library")
        for value in (
            *("flask", "werkzeug", "fastapi", "starlette", "pydantic", "pydantic_settings"),
            *("uvicorn", "uvicorn_worker", "uvloop", "gunicorn", "structlog", "click", "jinja2"),
            *("httpx", "websockets", "watchfiles", "pytest", "hypothesis", "anyio", "celery"),
            *("sqlalchemy", "alembic", "redis", "prometheus_client", "yaml", "dotenv"),
        )
    ),
    *(
        ({"package_name": value}, "package_name is a folder of the project")
        for value in ("src", "tests", "drill")
    ),
    *(({"project_name": value}, "package_name") for value in ("3D Printer", "Email", "Match")),
    ({"project_name": "Flask"}, "project_slug is the name of a library"),
    *(
        ({"grace_period_seconds": value}, "grace_period_seconds must be a whole number")
        for value in (
            *("", "0", "4", "3601", "-30", "+30", "030", "30.5", "3e1", "30s", " 30", "٣٠"),
            *("0x1e", "9" * 5000, "thirty", "30\n"),
        )
    ),
]


def generate(answers: Answers, output: Path, *options: str) -> subprocess.CompletedProcess[str]:
    pairs = [f"{name}={value}" for name, value in answers.items()]
    return subprocess.run(
        [*COMMAND, "--no-input", "--output-dir", str(output), *options, *pairs],
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
    )


def named(answers: Answers) -> str:
    return ascii(answers)[:80]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    folder = tmp_path / "output"
    folder.mkdir()
    return folder


@pytest.mark.xdist_group("fastapi")
@pytest.mark.parametrize("answers", WORKING, ids=named)
def test_a_working_answer(answers: Answers, output: Path, installed: Callable[[str], Path]) -> None:
    done = generate(answers, output)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""

    (project,) = output.iterdir()
    for name, content in files_of(project).items():
        if name.endswith(".py"):
            compile(content, name, "exec")
    programs = installed("fastapi")
    run(programs / "ruff", "check", "--no-cache", cwd=project)
    run(programs / "ruff", "format", "--no-cache", "--check", cwd=project)
    run("uv", "lock", "--offline", cwd=project)


@pytest.mark.parametrize(("answers", "sentence"), REFUSED, ids=named)
def test_a_refused_answer(answers: Answers, sentence: str, output: Path) -> None:
    done = generate(answers, output)
    assert done.returncode == 1
    assert done.stderr.startswith(sentence)
    assert done.stderr.count("\n") == 1
    assert len(done.stderr) < 300
    assert [path.name for path in output.parent.iterdir()] == ["output"]
    assert not any(output.iterdir())


@pytest.mark.parametrize(
    "framework", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in FRAMEWORKS]
)
def test_every_installed_library_is_a_refused_name(
    framework: str, installed: Callable[[str], Path]
) -> None:
    listing = subprocess.run(
        [installed(framework) / "python", "-c", LIST_INSTALLED],
        check=True,
        capture_output=True,
        text=True,
    )
    hook = (REPOSITORY / "hooks/pre_gen_project.py").read_text("utf-8")
    assert set(listing.stdout.split()) <= set(re.findall(r"\w+", hook))


def test_an_existing_folder_is_left_alone(output: Path) -> None:
    (output / "my-service").mkdir()
    (output / "my-service" / "precious").write_text("mine", "utf-8")
    done = generate({}, output)
    assert done.returncode == 1
    assert done.stdout.endswith("directory already exists\n")
    assert done.stdout.count("\n") == 1
    assert files_of(output) == {"my-service/precious": b"mine"}


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"framework": "django"}, "django provided for choice variable framework"),
        ({"websocket": "maybe"}, "maybe provided for variable websocket"),
        ({"project_name": "{{ unknown }}"}, "Unable to render variable 'project_name'"),
        ({"project_name": "{% if %}"}, "TemplateSyntaxError"),
    ],
    ids=named,
)
def test_what_cookiecutter_itself_refuses_leaves_nothing(
    answers: Answers, sentence: str, output: Path
) -> None:
    done = generate(answers, output)
    assert done.returncode == 1
    assert sentence in done.stdout + done.stderr
    assert not any(output.iterdir())


def test_answers_typed_at_the_prompts(output: Path) -> None:
    """What is typed is not rendered as a template, so it reaches the hook as it is."""
    command = [*COMMAND, "--output-dir", str(output)]
    typed = ["My {{ x }}", *[""] * 20]
    done = subprocess.run(
        command, input="\n".join(typed), check=False, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert (
        done.stderr == "project_name contains '{{', which means code to the template: remove it.\n"
    )
    assert not any(output.iterdir())

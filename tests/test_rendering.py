"""Every pair of answers gives a project that is whole, clean and typed."""

import ast
import re
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet
from allpairspy import AllPairs
from conftest import FRAMEWORKS, QUESTIONS, TEMPLATE, Answers, Render, files_of, run

CHOICES: dict[str, list[str]] = {
    "grace_period_seconds": ["30", "5", "3600"],
    **{name: ["yes", "no"] for name, default in QUESTIONS.items() if isinstance(default, bool)},
    **{
        name: [str(choice) for choice in choices]
        for name, choices in QUESTIONS.items()
        if isinstance(choices, list) and not name.startswith("_")
    },
}
PAIRS: list[Answers] = [
    dict(zip(CHOICES, values, strict=True)) for values in AllPairs(list(CHOICES.values()))
]

# What the code of a service depends on most.
CORE = ("framework", "background", "database")
COMBINATIONS: list[Answers] = [
    dict(zip(CORE, values, strict=True)) for values in product(*(CHOICES[name] for name in CORE))
]

# GitHub's own `${{ … }}` is no leftover.
LEFTOVER = re.compile(r"(?<!\$)\{\{|\{%|\{#|^\s*#%|\bcookiecutter\.\w", re.MULTILINE)

# Where things are put together; everywhere else, whole files come and go.
MAY_HAVE_CONDITIONS = {"__main__.py", "app.py", "conftest.py", "settings.py"}


# Keeps each framework, and thus its one environment, on one worker.
def on_one_worker(answers: Answers) -> ParameterSet:
    group = pytest.mark.xdist_group(answers["framework"])
    return pytest.param(answers, marks=group, id="-".join(answers.values()))


@pytest.mark.parametrize("answers", [on_one_worker(each) for each in PAIRS + COMBINATIONS])
def test_every_pair_of_answers(
    answers: Answers,
    render: Render,
    installed: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    project = render(answers)

    for name, content in files_of(project).items():
        leftover = LEFTOVER.search(content.decode("utf-8"))
        assert leftover is None, f"{name}: {leftover}"
    for path in project.rglob("*"):
        assert not path.is_dir() or any(path.iterdir()), f"{path} is empty"
    readme = (project / "README.md").read_text("utf-8")
    assert len(readme.splitlines()) < 150
    assert readme.count("\n## ") == readme.count("\n\n## "), (
        "a heading is glued to what is above it"
    )
    assert "\n\n\n" not in readme

    programs = installed(answers["framework"])
    cache = tmp_path_factory.getbasetemp() / "mypy-cache"
    run(programs / "ruff", "check", "--no-cache", cwd=project)
    run(programs / "ruff", "format", "--no-cache", "--check", cwd=project)
    run(programs / "mypy", "--strict", "--cache-dir", cache, cwd=project)


def test_same_answers_give_same_bytes(render: Render) -> None:
    assert files_of(render({})) == files_of(render({}))


@pytest.mark.parametrize("answers", [{}, {"framework": "flask", "background": "none"}])
def test_lifecycle_is_the_same_everywhere(render: Render, answers: Answers) -> None:
    package = render({**answers, "project_name": "Other"}) / "src/other/lifecycle"
    assert files_of(package) == files_of(TEMPLATE / "src/{{cookiecutter.package_name}}/lifecycle")


def test_lifecycle_imports_only_itself_and_the_standard_library() -> None:
    for file in TEMPLATE.glob("src/*/lifecycle/*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level <= 1, f"{file.name}:{node.lineno} reaches outside"
                imported = [node.module or ""] if node.level == 0 else []
            else:
                continue
            for name in imported:
                assert name.partition(".")[0] in sys.stdlib_module_names, f"{file.name}: {name}"


def test_python_has_conditions_only_where_things_are_put_together() -> None:
    condition = re.compile(r"^\s*#%|\{%", re.MULTILINE)
    found = {
        file.relative_to(TEMPLATE).as_posix()
        for file in TEMPLATE.rglob("*.py")
        if file.name not in MAY_HAVE_CONDITIONS and condition.search(file.read_text("utf-8"))
    }
    assert not found


def test_no_file_is_both_common_and_specific() -> None:
    """The hook lays the specific files over the common ones and would hide such a file."""
    common = set(files_of(TEMPLATE))
    for overlay in (*FRAMEWORKS, "sqlite", "postgresql"):
        assert not common & set(files_of(TEMPLATE / overlay))

"""A generated project's tests fail in the right place when its shutdown is broken.

A test that stays green when what it speaks of is taken out proves nothing. So each sabotage of the
table is done to a generated project, and the test that speaks of it must go red, by what it
expects, not by an error. That it is green without is seen where all the generated tests run.
"""

import os
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from _pytest.mark import ParameterSet
from conftest import FRAMEWORKS, Render, render_into, run
from sabotages import SABOTAGES, Sabotage

TIMEOUT = 120  # seconds, for one sabotage

# The sabotage itself was wrong if the code does not even run.
BROKEN_CODE = re.compile(
    r"\b(?:Attribute|Import|Indentation|ModuleNotFound|Name|Syntax|Type|UnboundLocal)Error\b.*"
)

# When files were changed, as it seems. A sabotage may keep a file's size and be done in the same
# second as another: Python would take the bytecode of that.
TIMES = count(1_000_000_000)


def cases(framework: str) -> list[Sabotage]:
    return [sabotage for sabotage in SABOTAGES if framework in sabotage.frameworks]


# One worker for each framework, since its projects are broken one at a time.
def group(framework: str) -> pytest.MarkDecorator:
    return pytest.mark.xdist_group(framework)


EACH_SABOTAGE: list[ParameterSet] = [
    pytest.param(framework, sabotage, marks=group(framework), id=f"{framework}: {sabotage.name}")
    for framework in FRAMEWORKS
    for sabotage in cases(framework)
]


def sabotaged(sabotage: Sabotage, project: Path) -> str:
    """Give the file as it is when that is done to it."""
    source = (project / sabotage.file).read_text("utf-8")
    assert source.count(sabotage.old) == 1, (
        f"{sabotage.name!r} is out of date: this must stand once in {sabotage.file}\n{sabotage.old}"
    )
    return source.replace(sabotage.old, sabotage.new)


def test_there_are_many_and_no_name_stands_for_two() -> None:
    assert len(SABOTAGES) >= 30
    names = Counter(
        name for case in SABOTAGES for name in {(case.name, f) for f in case.frameworks}
    )
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_table_is_up_to_date(framework: str, render: Render) -> None:
    projects: dict[str, Path] = {}
    for sabotage in cases(framework):
        if sabotage.option not in projects:
            projects[sabotage.option] = render({"framework": framework, **sabotage.answers})
        project = projects[sabotage.option]
        compile(sabotaged(sabotage, project), sabotage.file, "exec")
        file, _, test = without_parameters(sabotage.test).partition("::")
        tests = (project / file).read_text("utf-8")
        assert f"def {test}(" in tests, f"{sabotage.name!r} names no test: {sabotage.test}"


@pytest.fixture(scope="session")
def projects() -> dict[tuple[str, str], Path]:
    """Keep the installed projects, by framework and option."""
    return {}


@pytest.fixture
def project(
    framework: str,
    sabotage: Sabotage,
    projects: dict[tuple[str, str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    key = framework, sabotage.option
    if key not in projects:
        output = tmp_path_factory.mktemp("-".join(("sabotaged", *key)))
        project = render_into(output, {"framework": framework, **sabotage.answers})
        run("uv", "sync", cwd=project)
        projects[key] = project
    return projects[key]


@pytest.fixture
def broken(project: Path, sabotage: Sabotage) -> Iterator[Path]:
    file = project / sabotage.file
    original = file.read_bytes()
    rewrite(file, sabotaged(sabotage, project).encode())
    try:
        yield project
    finally:
        rewrite(file, original)


def rewrite(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    os.utime(file, (next(TIMES),) * 2)


def run_tests(project: Path, *arguments: str, timeout: float) -> tuple[int, str, ET.Element]:
    """Run tests of the project; returns the exit code, the output, and what is in the XML."""
    results = project / "results.xml"
    results.unlink(missing_ok=True)
    command = ["uv", "run", "--no-sync", "pytest", "-p", "no:cacheprovider", "-q"]
    process = subprocess.Popen(
        [*command, f"--junit-xml={results}", *arguments],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGINT)  # lets the fixtures end their servers
        try:
            output, _ = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
        pytest.fail(f"not done after {timeout} s\n{output}", pytrace=False)
    return process.returncode, output, ET.parse(results).getroot()  # noqa: S314 - our own


def without_parameters(test: str) -> str:
    return test.partition("[")[0]


def name_of(case: ET.Element) -> str:
    """Give the node id without its parameters."""
    file = case.attrib["classname"].replace(".", "/")
    return without_parameters(f"{file}.py::{case.attrib['name']}")


@pytest.mark.teeth
@pytest.mark.parametrize(("framework", "sabotage"), EACH_SABOTAGE)
def test_it_is_caught(framework: str, sabotage: Sabotage, broken: Path) -> None:
    _, output, results = run_tests(broken, sabotage.test, "-x", "-n0", timeout=TIMEOUT)
    whose = f"{framework}: {sabotage.name}"
    error = BROKEN_CODE.search(output)
    assert error is None, f"{whose}: that broke more than the behaviour\n{output}"
    cases = results.iter("testcase")
    failed = [name_of(case) for case in cases if case.find("failure") is not None]
    assert failed == [without_parameters(sabotage.test)], f"{whose}: nobody notices\n{output}"

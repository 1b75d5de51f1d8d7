"""Generated projects, installed as their users would install them, pass their own tests."""

import subprocess
import sys

import pytest
from conftest import EVERYTHING, FRAMEWORKS, NOTHING, REPOSITORY, Answers, Render, run


@pytest.mark.generated
@pytest.mark.parametrize("answers", [EVERYTHING, NOTHING], ids=["everything", "nothing"])
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_own_tests_pass(
    framework: str, answers: Answers, render: Render, capfd: pytest.CaptureFixture[str]
) -> None:
    project = render({**answers, "framework": framework})
    run("uv", "sync", cwd=project)
    with capfd.disabled():  # minutes of silence look like a hang
        print(f"\n--- {framework}: {answers or 'everything on'}")
        sys.stdout.flush()
        done = subprocess.run(["uv", "run", "pytest"], cwd=project, check=False)
    assert done.returncode == 0


@pytest.mark.generated
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_database_is_used_and_left_as_it_should_be(
    framework: str, database: str, render: Render
) -> None:
    project = render({"framework": framework, "database": database})
    run("uv", "sync", cwd=project)
    files = "database or health or migrations or notes or postgresql or settings or transactions"
    run("uv", "run", "pytest", "-k", files, cwd=project)


@pytest.mark.generated
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_celery_loses_no_task(framework: str, render: Render) -> None:
    project = render({"framework": framework, "background": "celery"})
    run("uv", "sync", cwd=project)
    run("uv", "run", "pytest", "-k", "celery or health or settings or imports", cwd=project)


@pytest.mark.generated
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_tasks_outlive_every_end_of_the_service(framework: str) -> None:
    soak = REPOSITORY / "tools" / "soak.py"
    run(sys.executable, soak, "--framework", framework, "--repeats", "1", cwd=REPOSITORY)

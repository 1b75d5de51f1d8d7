"""Exactly which files are in a project."""

import pytest
from conftest import EVERYTHING, FRAMEWORKS, NOTHING, Answers, Render, files_of

PROJECTS: list[Answers] = [
    {**options, "framework": framework}
    for framework in FRAMEWORKS
    for options in (EVERYTHING, NOTHING)
]

# A column for each project: with every option on, and with every option off.
TABLE = """\
                                          fastapi  fastapi  flask    flask
                                          all      none     all      none
.github/workflows/ci.yml                  x        -        x        -
.gitignore                                x        x        x        x
.pre-commit-config.yaml                   x        x        x        x
LICENSE                                   x        x        x        x
README.md                                 x        x        x        x
drill/__init__.py                         x        x        x        x
drill/__main__.py                         x        x        x        x
drill/load.py                             x        x        x        x
drill/page.html                           x        x        x        x
drill/page.py                             x        x        x        x
drill/record.py                           x        x        x        x
drill/rolling.py                          x        x        x        x
drill/service.py                          x        x        x        x
drill/terminal.py                         x        x        x        x
drill/timeline.py                         x        x        x        x
drill/verdict.py                          x        x        x        x
gunicorn.conf.py                          x        x        x        x
pyproject.toml                            x        x        x        x
src/my_service/__init__.py                x        x        x        x
src/my_service/__main__.py                x        x        x        x
src/my_service/app.py                     x        x        x        x
src/my_service/devserver.py               -        -        x        x
src/my_service/lifecycle/__init__.py      x        x        x        x
src/my_service/lifecycle/background.py    x        x        x        x
src/my_service/lifecycle/budget.py        x        x        x        x
src/my_service/lifecycle/hooks.py         x        x        x        x
src/my_service/lifecycle/inflight.py      x        x        x        x
src/my_service/lifecycle/moment.py        x        x        x        x
src/my_service/lifecycle/report.py        x        x        x        x
src/my_service/lifecycle/signals.py       x        x        x        x
src/my_service/lifecycle/supervisor.py    x        x        x        x
src/my_service/logs.py                    x        x        x        x
src/my_service/main.py                    x        x        -        -
src/my_service/presence.py                x        -        x        -
src/my_service/py.typed                   x        x        x        x
src/my_service/queue_file.py              x        -        x        -
src/my_service/reload.py                  x        x        x        x
src/my_service/serving.py                 x        x        x        x
src/my_service/settings.py                x        x        x        x
src/my_service/sqlite_queue.py            x        -        x        -
src/my_service/task_thread.py             x        -        x        -
src/my_service/tasks.py                   x        -        x        -
src/my_service/web/__init__.py            x        x        x        x
src/my_service/web/health.py              x        x        x        x
src/my_service/web/lifespan.py            x        x        -        -
src/my_service/web/shutdown.py            x        -        x        -
src/my_service/web/streams.py             x        x        x        x
src/my_service/web/tasks.py               x        -        x        -
src/my_service/web/websocket.py           x        -        -        -
src/my_service/worker.py                  x        x        x        x
tests/__init__.py                         x        x        x        x
tests/bare.py                             -        -        x        x
tests/barrier.py                          x        x        x        x
tests/commands.py                         x        x        x        x
tests/conftest.py                         x        x        x        x
tests/develop.py                          x        x        x        x
tests/faults.py                           x        x        x        x
tests/load.py                             x        x        x        x
tests/observer/sitecustomize.py           x        x        x        x
tests/probe.py                            x        x        x        x
tests/server_thread.py                    x        x        x        x
tests/servers.py                          x        x        x        x
tests/test_background_thread.py           x        x        x        x
tests/test_budget.py                      x        x        x        x
tests/test_chained_signals.py             x        x        x        x
tests/test_connections.py                 x        x        x        x
tests/test_drain.py                       x        x        x        x
tests/test_drill.py                       x        x        x        x
tests/test_faults.py                      x        x        x        x
tests/test_health.py                      x        x        x        x
tests/test_hooks.py                       x        x        x        x
tests/test_imports.py                     x        x        x        x
tests/test_inflight.py                    x        x        x        x
tests/test_leaks.py                       x        x        x        x
tests/test_lifecycle.py                   x        x        x        x
tests/test_lifecycle_properties.py        x        x        x        x
tests/test_load.py                        x        x        x        x
tests/test_moment.py                      x        x        x        x
tests/test_other_apps.py                  -        -        x        x
tests/test_recycling.py                   x        x        -        -
tests/test_reload.py                      x        x        x        x
tests/test_report.py                      x        x        x        x
tests/test_server_process.py              x        x        x        x
tests/test_server_thread.py               x        x        x        x
tests/test_servers.py                     x        x        x        x
tests/test_settings.py                    x        x        x        x
tests/test_shutdown_callers.py            x        -        x        -
tests/test_shutdown_endpoint.py           x        -        x        -
tests/test_signals.py                     x        x        x        x
tests/test_sqlite_queue.py                x        -        x        -
tests/test_startup.py                     x        x        x        x
tests/test_streams.py                     x        x        x        x
tests/test_task_survival.py               x        -        x        -
tests/test_tasks.py                       x        -        x        -
tests/test_websocket.py                   x        -        -        -
tests/test_workers.py                     x        x        x        x
tests/threads.py                          x        x        x        x
tests/traced_tasks.py                     x        -        x        -
tests/variants.py                         x        x        x        x
"""


@pytest.mark.parametrize(
    "column", range(4), ids=["fastapi-all", "fastapi-none", "flask-all", "flask-none"]
)
def test_exact_files(column: int, render: Render) -> None:
    rows = [line.split() for line in TABLE.splitlines()[2:]]
    expected = {path for path, *marks in rows if marks[column] == "x"}
    found = set(files_of(render(PROJECTS[column])))
    assert sorted(found - expected) == [], "not asked for"
    assert sorted(expected - found) == [], "missing"

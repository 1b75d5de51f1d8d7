"""Exactly which files are in a project."""

import pytest
from conftest import EVERYTHING, NOTHING, Answers, Render, files_of

# The columns of the table, from left to right.
PROJECTS: dict[str, Answers] = {
    "fastapi": {**EVERYTHING, "framework": "fastapi"},
    "fastapi, all off": {**NOTHING, "framework": "fastapi"},
    "flask": {**EVERYTHING, "framework": "flask"},
    "flask, all off": {**NOTHING, "framework": "flask"},
    "fastapi, sqlite": {"framework": "fastapi", "database": "sqlite"},
    "flask, postgresql": {"framework": "flask", "database": "postgresql"},
    "fastapi, celery": {"framework": "fastapi", "background": "celery"},
    "flask, celery": {"framework": "flask", "background": "celery"},
}

TABLE = """\
                                                           1  2  3  4  5  6  7  8
.github/workflows/ci.yml                                   x  -  x  -  x  x  x  x
.gitignore                                                 x  x  x  x  x  x  x  x
.pre-commit-config.yaml                                    x  x  x  x  x  x  x  x
LICENSE                                                    x  x  x  x  x  x  x  x
README.md                                                  x  x  x  x  x  x  x  x
drill/__init__.py                                          x  x  x  x  x  x  x  x
drill/__main__.py                                          x  x  x  x  x  x  x  x
drill/load.py                                              x  x  x  x  x  x  x  x
drill/page.html                                            x  x  x  x  x  x  x  x
drill/page.py                                              x  x  x  x  x  x  x  x
drill/record.py                                            x  x  x  x  x  x  x  x
drill/rolling.py                                           x  x  x  x  x  x  x  x
drill/service.py                                           x  x  x  x  x  x  x  x
drill/terminal.py                                          x  x  x  x  x  x  x  x
drill/timeline.py                                          x  x  x  x  x  x  x  x
drill/verdict.py                                           x  x  x  x  x  x  x  x
gunicorn.conf.py                                           x  x  x  x  x  x  x  x
pyproject.toml                                             x  x  x  x  x  x  x  x
src/my_service/__init__.py                                 x  x  x  x  x  x  x  x
src/my_service/__main__.py                                 x  x  x  x  x  x  x  x
src/my_service/app.py                                      x  x  x  x  x  x  x  x
src/my_service/broker_url.py                               -  -  -  -  -  -  x  x
src/my_service/celery_app.py                               -  -  -  -  -  -  x  x
src/my_service/celery_queue.py                             -  -  -  -  -  -  x  x
src/my_service/celery_request.py                           -  -  -  -  -  -  x  x
src/my_service/celery_worker.py                            -  -  -  -  -  -  x  x
src/my_service/database/__init__.py                        -  -  -  -  x  x  -  -
src/my_service/database/connections.py                     -  -  -  -  x  x  -  -
src/my_service/database/drivers.py                         -  -  -  -  x  x  -  -
src/my_service/database/engine.py                          -  -  -  -  x  x  -  -
src/my_service/database/migrations/env.py                  -  -  -  -  x  x  -  -
src/my_service/database/migrations/script.py.mako          -  -  -  -  x  x  -  -
src/my_service/database/migrations/versions/0001_notes.py  -  -  -  -  x  x  -  -
src/my_service/database/models.py                          -  -  -  -  x  x  -  -
src/my_service/database/schema.py                          -  -  -  -  x  x  -  -
src/my_service/database/timeouts.py                        -  -  -  -  x  x  -  -
src/my_service/database/url.py                             -  -  -  -  x  x  -  -
src/my_service/devserver.py                                -  -  x  x  -  x  -  x
src/my_service/lifecycle/__init__.py                       x  x  x  x  x  x  x  x
src/my_service/lifecycle/background.py                     x  x  x  x  x  x  x  x
src/my_service/lifecycle/budget.py                         x  x  x  x  x  x  x  x
src/my_service/lifecycle/hooks.py                          x  x  x  x  x  x  x  x
src/my_service/lifecycle/inflight.py                       x  x  x  x  x  x  x  x
src/my_service/lifecycle/moment.py                         x  x  x  x  x  x  x  x
src/my_service/lifecycle/report.py                         x  x  x  x  x  x  x  x
src/my_service/lifecycle/signals.py                        x  x  x  x  x  x  x  x
src/my_service/lifecycle/supervisor.py                     x  x  x  x  x  x  x  x
src/my_service/logs.py                                     x  x  x  x  x  x  x  x
src/my_service/orphan.py                                   x  x  x  x  x  x  x  x
src/my_service/main.py                                     x  x  -  -  x  -  x  -
src/my_service/presence.py                                 x  -  x  -  x  x  -  -
src/my_service/py.typed                                    x  x  x  x  x  x  x  x
src/my_service/queue_file.py                               x  -  x  -  x  x  -  -
src/my_service/rabbitmq_transport.py                       -  -  -  -  -  -  x  x
src/my_service/redis_transport.py                          -  -  -  -  -  -  x  x
src/my_service/reload.py                                   x  x  x  x  x  x  x  x
src/my_service/serving.py                                  x  x  x  x  x  x  x  x
src/my_service/settings.py                                 x  x  x  x  x  x  x  x
src/my_service/sqlite_queue.py                             x  -  x  -  x  x  -  -
src/my_service/task_records.py                             -  -  -  -  -  -  x  x
src/my_service/task_thread.py                              x  -  x  -  x  x  -  -
src/my_service/tasks.py                                    x  -  x  -  x  x  x  x
src/my_service/web/__init__.py                             x  x  x  x  x  x  x  x
src/my_service/web/database.py                             -  -  -  -  x  x  -  -
src/my_service/web/health.py                               x  x  x  x  x  x  x  x
src/my_service/web/lifespan.py                             x  x  -  -  x  -  x  -
src/my_service/web/notes.py                                -  -  -  -  x  x  -  -
src/my_service/web/shutdown.py                             x  -  x  -  x  x  x  x
src/my_service/web/streams.py                              x  x  x  x  x  x  x  x
src/my_service/web/tasks.py                                x  -  x  -  x  x  x  x
src/my_service/web/validation.py                           x  x  -  -  x  -  x  -
src/my_service/web/websocket.py                            x  -  -  -  x  -  x  -
src/my_service/worker.py                                   x  x  x  x  x  x  x  x
src/my_service/worker_health.py                            -  -  -  -  -  -  x  x
src/my_service/worker_lifespan.py                          x  x  -  -  x  -  x  -
tests/__init__.py                                          x  x  x  x  x  x  x  x
tests/bare.py                                              x  x  x  x  x  x  x  x
tests/barrier.py                                           x  x  x  x  x  x  x  x
tests/brokers.py                                           -  -  -  -  -  -  x  x
tests/celery_worker.py                                     -  -  -  -  -  -  x  x
tests/commands.py                                          x  x  x  x  x  x  x  x
tests/conftest.py                                          x  x  x  x  x  x  x  x
tests/database_probe.py                                    -  -  -  -  x  x  -  -
tests/databases.py                                         -  -  -  -  x  x  -  -
tests/develop.py                                           x  x  x  x  x  x  x  x
tests/faults.py                                            x  x  x  x  x  x  x  x
tests/lingering.py                                         x  x  -  -  x  -  x  -
tests/load.py                                              x  x  x  x  x  x  x  x
tests/migrating.py                                         -  -  -  -  x  x  -  -
tests/missing.py                                           x  x  x  x  x  x  x  x
tests/observer/sitecustomize.py                            x  x  x  x  x  x  x  x
tests/other_apps.py                                        x  x  -  -  x  -  x  -
tests/probe.py                                             x  x  x  x  x  x  x  x
tests/server_thread.py                                     x  x  x  x  x  x  x  x
tests/servers.py                                           x  x  x  x  x  x  x  x
tests/services.py                                          -  -  -  -  -  x  x  x
tests/task_log.py                                          x  -  x  -  x  x  x  x
tests/test_background_thread.py                            x  x  x  x  x  x  x  x
tests/test_budget.py                                       x  x  x  x  x  x  x  x
tests/test_celery.py                                       -  -  -  -  -  -  x  x
tests/test_chained_signals.py                              x  x  x  x  x  x  x  x
tests/test_checks.py                                       x  x  -  -  x  -  x  -
tests/test_connections.py                                  x  x  x  x  x  x  x  x
tests/test_database_url.py                                 -  -  -  -  x  x  -  -
tests/test_drain.py                                        x  x  x  x  x  x  x  x
tests/test_drill.py                                        x  x  x  x  x  x  x  x
tests/test_faults.py                                       x  x  x  x  x  x  x  x
tests/test_flask_run.py                                    -  -  x  x  -  x  -  x
tests/test_health.py                                       x  x  x  x  x  x  x  x
tests/test_heartbeat.py                                    x  x  -  -  x  -  x  -
tests/test_hooks.py                                        x  x  x  x  x  x  x  x
tests/test_idle_connections.py                             -  -  x  x  -  x  -  x
tests/test_imports.py                                      x  x  x  x  x  x  x  x
tests/test_inflight.py                                     x  x  x  x  x  x  x  x
tests/test_leaks.py                                        x  x  x  x  x  x  x  x
tests/test_lifecycle.py                                    x  x  x  x  x  x  x  x
tests/test_lifecycle_properties.py                         x  x  x  x  x  x  x  x
tests/test_lingering.py                                    x  x  -  -  x  -  x  -
tests/test_load.py                                         x  x  x  x  x  x  x  x
tests/test_migrations.py                                   -  -  -  -  x  x  -  -
tests/test_moment.py                                       x  x  x  x  x  x  x  x
tests/test_notes.py                                        -  -  -  -  x  x  -  -
tests/test_other_apps.py                                   x  x  x  x  x  x  x  x
tests/test_postgresql.py                                   -  -  -  -  -  x  -  -
tests/test_recycling.py                                    x  x  x  x  x  x  x  x
tests/test_reload.py                                       x  x  x  x  x  x  x  x
tests/test_report.py                                       x  x  x  x  x  x  x  x
tests/test_server_process.py                               x  x  x  x  x  x  x  x
tests/test_server_thread.py                                x  x  x  x  x  x  x  x
tests/test_servers.py                                      x  x  x  x  x  x  x  x
tests/test_settings.py                                     x  x  x  x  x  x  x  x
tests/test_shutdown_callers.py                             x  -  x  -  x  x  x  x
tests/test_shutdown_endpoint.py                            x  -  x  -  x  x  x  x
tests/test_signals.py                                      x  x  x  x  x  x  x  x
tests/test_sqlite_queue.py                                 x  -  x  -  x  x  -  -
tests/test_startup.py                                      x  x  x  x  x  x  x  x
tests/test_streams.py                                      x  x  x  x  x  x  x  x
tests/test_task_survival.py                                x  -  x  -  x  x  -  -
tests/test_tasks.py                                        x  -  x  -  x  x  -  -
tests/test_transactions.py                                 -  -  -  -  x  x  -  -
tests/test_unread_body.py                                  -  -  x  x  -  x  -  x
tests/test_websocket.py                                    x  -  -  -  x  -  x  -
tests/test_workers.py                                      x  x  x  x  x  x  x  x
tests/threads.py                                           x  x  x  x  x  x  x  x
tests/traced_tasks.py                                      x  -  x  -  x  x  -  -
tests/tries.py                                             x  x  x  x  x  x  x  x
tests/variants.py                                          x  x  x  x  x  x  x  x
tests/wrapped.py                                           -  -  x  x  -  x  -  x
tests/writers.py                                           -  -  -  -  x  x  -  -
"""


@pytest.mark.parametrize("name", PROJECTS)
def test_exact_files(name: str, render: Render) -> None:
    column = list(PROJECTS).index(name)
    rows = [line.split() for line in TABLE.splitlines()[1:]]
    expected = {path for path, *marks in rows if marks[column] == "x"}
    found = set(files_of(render(PROJECTS[name])))
    assert sorted(found - expected) == [], "not asked for"
    assert sorted(expected - found) == [], "missing"

"""Turn the rendered files into the chosen project.

Runs inside the new project, once everything is rendered: lays the files of the chosen framework
and database over the common ones, picks the licence, and removes what no answer asked for.
"""

import json
import shutil
from pathlib import Path
from typing import Any

# JSON never holds three quotation marks in a row, so no answer can end this string.
ANSWERS: dict[str, Any] = json.loads(r"""{{ cookiecutter | tojson }}""")
# {% raw %}

PACKAGE = f"src/{ANSWERS['package_name']}"

# When this holds, these paths are not part of the project.
REMOVED: list[tuple[bool, list[str]]] = [
    (
        ANSWERS["background"] == "none",
        [f"{PACKAGE}/tasks.py", f"{PACKAGE}/web/tasks.py", "tests/task_log.py"],
    ),
    (
        ANSWERS["background"] != "celery" and ANSWERS["database"] != "postgresql",
        ["tests/services.py"],
    ),
    (
        ANSWERS["background"] != "celery",
        [
            f"{PACKAGE}/broker_url.py",
            f"{PACKAGE}/celery_app.py",
            f"{PACKAGE}/celery_queue.py",
            f"{PACKAGE}/celery_request.py",
            f"{PACKAGE}/celery_worker.py",
            f"{PACKAGE}/rabbitmq_transport.py",
            f"{PACKAGE}/redis_transport.py",
            f"{PACKAGE}/task_records.py",
            f"{PACKAGE}/worker_health.py",
            "tests/brokers.py",
            "tests/celery_worker.py",
            "tests/test_celery.py",
        ],
    ),
    (
        ANSWERS["background"] != "thread",
        [
            f"{PACKAGE}/presence.py",
            f"{PACKAGE}/queue_file.py",
            f"{PACKAGE}/sqlite_queue.py",
            f"{PACKAGE}/task_thread.py",
            "tests/test_sqlite_queue.py",
            "tests/test_task_survival.py",
            "tests/test_tasks.py",
            "tests/traced_tasks.py",
        ],
    ),
    (
        ANSWERS["database"] == "none",
        [
            f"{PACKAGE}/database",
            f"{PACKAGE}/web/database.py",
            f"{PACKAGE}/web/notes.py",
            "tests/database_probe.py",
            "tests/migrating.py",
            "tests/test_database_url.py",
            "tests/test_migrations.py",
            "tests/test_notes.py",
            "tests/test_transactions.py",
            "tests/writers.py",
        ],
    ),
    (
        ANSWERS["__websocket"] == "no",
        [
            f"{PACKAGE}/web/websocket.py",
            "tests/test_websocket.py",
        ],
    ),
    (
        not ANSWERS["shutdown_endpoint"],
        [
            f"{PACKAGE}/web/shutdown.py",
            "tests/test_shutdown_callers.py",
            "tests/test_shutdown_endpoint.py",
        ],
    ),
    (
        ANSWERS["ci"] == "none",
        [".github"],
    ),
]

NEXT_STEPS = f"""
{ANSWERS["project_slug"]} is ready. What to do next:
  cd {ANSWERS["project_slug"]} && git init && git add -A
  uv sync            # install it
  uv run pytest      # see it stop, on the real server
  uv run gunicorn    # run it as in production"""


def lay_over(overlay: Path) -> None:
    """Move every file of the overlay, if there is one, to the same place in the project."""
    for file in list(overlay.rglob("*")):
        if file.is_file():
            target = file.relative_to(overlay)
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)


def remove(path: Path) -> None:
    """Remove a file or folder, and the folders that this leaves empty."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    for folder in path.parents:
        if folder == Path() or not folder.is_dir() or any(folder.iterdir()):
            break
        folder.rmdir()


lay_over(Path(ANSWERS["framework"]))
lay_over(Path(ANSWERS["database"]))
Path("licenses", ANSWERS["license"]).replace("LICENSE")

for leftover in ("fastapi", "flask", "licenses", "postgresql", "sqlite"):
    remove(Path(leftover))
for condition, paths in REMOVED:
    if condition:
        for path in paths:
            remove(Path(path))

print(NEXT_STEPS)
# {% endraw %}

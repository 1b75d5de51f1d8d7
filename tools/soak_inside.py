"""The series of ``soak.py``. Runs inside the generated project."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import Any

import httpx

CLIENTS = 8
WORKERS = {"sqlite": 4, "redis": 2, "rabbitmq": 2}  # of gunicorn
BUDGET = {"SHUTDOWN_GRACE_SECONDS": "9", "SHUTDOWN_DRAIN_SECONDS": "0.5"}
DONE_SECONDS = 60.0  # for all that was accepted, after the restart

# The generated project's own helpers; the log of a server process tells which tasks begin and end.
servers: Any = importlib.import_module("tests.servers")
task_log: Any = importlib.import_module("tests.task_log")
tries: Any = importlib.import_module("tests.tries")
Process = Any


@dataclass
class Service:
    """What serves, and what does the tasks: gunicorn with the embedded queue is both."""

    web: Process
    worker: Process

    def traced(self, event: str) -> Counter[str]:
        """How often each task has begun or ended."""
        counts: Counter[str] = task_log.traced(event, *{self.web, self.worker})
        return counts


@dataclass
class Tally:
    """What a series has come to."""

    accepted: int = 0
    lost: int = 0
    twice: int = 0
    exit_codes: Counter[int] = field(default_factory=Counter)


# How a service ends


def kill_one(pids: list[int]) -> None:
    os.kill(random.choice(pids), signal.SIGKILL)  # noqa: S311 - no secret


def kill_all(process: Process, pids: list[int]) -> None:
    for pid in (process.pid, *pids):  # the parent first, for it would start new ones
        os.kill(pid, signal.SIGKILL)


End = Callable[[Service], None]

GUNICORN: dict[str, End] = {
    "TERM of gunicorn": lambda service: service.web.signal(signal.SIGTERM),
    "KILL of a worker": lambda service: kill_one(service.web.worker_pids),
    "KILL of the master": lambda service: service.web.signal(signal.SIGKILL),
    "KILL of gunicorn": lambda service: kill_all(service.web, service.web.worker_pids),
}
CELERY: dict[str, End] = {
    "TERM of Celery": lambda service: service.worker.signal(signal.SIGTERM),
    "KILL of a child": lambda service: kill_one(servers.children_of(service.worker.pid)),
    "KILL of the parent": lambda service: service.worker.signal(signal.SIGKILL),
    "KILL of Celery": lambda s: kill_all(s.worker, servers.children_of(s.worker.pid)),
}


# What is started


@contextmanager
def environment(queue: str) -> Iterator[dict[str, str]]:
    """Start the brokers; give the variables that name them."""
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory())
        env = {
            **BUDGET,
            "TASK_QUEUE_PATH": f"{folder}/tasks",
            "WORKER_HEARTBEAT_FILE": f"{folder}/beat",
        }
        if queue != "sqlite":
            services = importlib.import_module("tests.services")
            env["BROKER_URL"] = stack.enter_context(services.Redis()).url
        if queue == "rabbitmq":
            env["TASK_RECORDS_URL"] = env["BROKER_URL"]
            env["BROKER_URL"] = stack.enter_context(services.RabbitMq()).url
        yield env


@contextmanager
def running(queue: str, env: Mapping[str, str]) -> Iterator[Service]:
    """Start the service, and what does its tasks; stop both."""
    app = ["tests.traced_tasks:app"] if queue == "sqlite" else []
    env = {**env, "WEB_CONCURRENCY": str(WORKERS[queue])}
    with ExitStack() as stack:
        start = stack.enter_context
        web = start(servers.ServerProcess(["gunicorn", *app], env=env, workers=WORKERS[queue]))
        if queue == "sqlite":
            yield Service(web, web)
        else:
            celery_worker = importlib.import_module("tests.celery_worker")
            yield Service(web, start(celery_worker.WorkerProcess(env)))


# What happens


def submit_amid(service: Service, end: End, tasks: int) -> set[str]:
    """Submit tasks, and end the service in the midst of it; return what was accepted."""
    accepted: list[str] = []
    attempts = iter(range(tasks))
    enough = random.randrange(tasks)  # noqa: S311
    reached = threading.Event()

    def submit() -> None:
        with service.web.client() as client:
            for _ in attempts:
                with contextlib.suppress(httpx.TransportError):  # it goes: nothing was accepted
                    response = client.post("/tasks", json={})
                    if response.status_code == 202:
                        accepted.append(response.json()["id"])
                if len(accepted) >= enough:
                    reached.set()
        reached.set()

    with ThreadPoolExecutor(CLIENTS) as clients:
        submitting = [clients.submit(submit) for _ in range(CLIENTS)]
        reached.wait()
        time.sleep(random.uniform(0, 0.01))  # noqa: S311 - an end between two answers
        end(service)
        for each in submitting:
            each.result()
    return set(accepted)


def is_done(client: httpx.Client, task_id: str) -> bool:
    """Whether the service says so, which may be a moment after the log."""
    statuses = (client.get(f"/tasks/{task_id}").json()["status"] for _ in tries.tries(5))
    return "done" in statuses


def end_once(queue: str, env: Mapping[str, str], end: End, tasks: int, tally: Tally) -> None:
    """Submit tasks, end the service, start it again, and see to what was accepted."""
    with running(queue, env) as first:
        accepted = submit_amid(first, end, tasks)
    with running(queue, env) as second:

        def ended() -> set[str]:
            return {*first.traced("ended"), *second.traced("ended")}

        with contextlib.suppress(AssertionError):  # not in time: they are lost
            second.worker.wait_until(lambda: accepted <= ended(), DONE_SECONDS, "all tasks")
        with second.web.client() as client:
            done = {task_id for task_id in accepted if is_done(client, task_id)}
    begun = first.traced("begun") + second.traced("begun")
    tally.accepted += len(accepted)
    tally.lost += len(accepted - (ended() & done))
    tally.twice += sum(times > 1 for times in begun.values())
    tally.exit_codes.update(process.wait() for process in {first.web, first.worker})


def main() -> int:
    """Run the chosen series; return 1 if one of them shows a fault."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--queue", required=True, choices=WORKERS)
    parser.add_argument("--end", required=True)
    parser.add_argument("--repeats", required=True, type=int)
    parser.add_argument("--tasks", required=True, type=int)
    chosen = parser.parse_args()
    known = GUNICORN if chosen.queue == "sqlite" else {**GUNICORN, **CELERY}
    ends = {name: end for name, end in known.items() if chosen.end in name}
    if not ends:
        parser.error(f"--end must be in one of these: {', '.join(known)}")
    faults = False
    with environment(chosen.queue) as env:
        for name, end in ends.items():
            print(f"{name} ", end="", flush=True)
            tally = Tally()
            for _ in range(chosen.repeats):
                end_once(chosen.queue, env, end, chosen.tasks, tally)
                print(".", end="", flush=True)
            codes = ", ".join(f"{n} x {code}" for code, n in tally.exit_codes.items())
            print(f"\n  {tally.accepted} accepted, {tally.lost} lost, ", end="")
            print(f"{tally.twice} begun twice, exit codes {codes}")
            unclean = tally.twice or set(tally.exit_codes) != {0}
            faults |= bool(tally.lost or (name.startswith("TERM") and unclean))
    return int(faults)


if __name__ == "__main__":
    sys.exit(main())

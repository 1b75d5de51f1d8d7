"""Stops, outages and overload with a real PostgreSQL: nobody is told what is not true."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import psycopg
import pytest

from {{ cookiecutter.package_name }}.settings import THREADS

from .barrier import Barrier
from .commands import BARE, SERVERS
from .conftest import InBackground, Serve
from .databases import PostgreSQL
from .migrating import create_tables, keys_in, migrate
from .servers import ServerProcess, children_of
from .tries import tries
from .writers import Writers

pytestmark = pytest.mark.shutdown

PROBE = ("gunicorn", "tests.database_probe:app")

# What PostgreSQL says of clients that went without a word.
CUT_OFF = ("unexpected EOF", "connection to client lost", "Connection reset by peer")


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQL]:
    """A server that tests may break."""
    with PostgreSQL() as server:
        create_tables(server.database_url)
        yield server


@contextmanager
def closing_its_connections(postgresql: PostgreSQL) -> Iterator[None]:
    """See that the service, which stops in the block, leaves no connection and no complaint."""
    log_before = len(postgresql.log)
    yield
    query = "SELECT state, query FROM pg_stat_activity WHERE application_name = %s"
    with psycopg.connect(postgresql.database_url, autocommit=True) as connection:

        def all_closed() -> bool:
            left = connection.execute(query, ["{{ cookiecutter.project_slug }}"]).fetchall()
            return left == []

        wait_for(all_closed, "the last connection of the service to end", seconds=2)
    log = postgresql.log[log_before:]
    assert [complaint for complaint in CUT_OFF if complaint in log] == []


def wait_for(condition: Callable[[], bool], what: str, *, seconds: float = 20) -> None:
    """Look until *condition* holds."""
    for _ in tries(seconds):
        if condition():
            return
    raise AssertionError(f"waited {seconds:g} s for {what}")


def readiness(server: ServerProcess) -> tuple[int, str]:
    """The status and the reason."""
    response = server.get("/readyz")
    return response.status_code, response.json()["status"]


def post(server: ServerProcess, path: str, key: str, port: int = 0) -> int | None:
    """Have *key* kept; return the status of the answer, or None if there was none."""
    try:
        with server.client(timeout=20) as client:
            return client.post(path, params={"key": key, "port": port}).status_code
    except httpx.TransportError:
        return None


def test_amid_transactions_it_stops_when_each_is_committed_or_rolled_back(
    serve: Serve, barrier: Barrier, in_background: InBackground, postgresql: PostgreSQL
) -> None:
    before = keys_in(postgresql.database_url)
    server = serve(
        *PROBE,
        workers=2,
        DATABASE_URL=postgresql.database_url,
        SHUTDOWN_DRAIN_SECONDS="0.5",
    )
    parked: Future[int | None] = in_background(post, server, "/keep/parked", "parked", barrier.port)
    barrier.wait_for_arrivals()
    writers = Writers(server.port)
    with closing_its_connections(postgresql), writers.writing():
        writers.wait_for_kept(100)
        server.signal(signal.SIGTERM)
        writers.wait_until_gone()
        barrier.release()
        assert server.wait() == 0
    assert parked.result() == 201
    assert writers.untold == {}
    assert keys_in(postgresql.database_url) - before == {"parked", *writers.kept}
    assert {status for status, _ in writers.told.values()} == {201, 409}


def test_what_abandoned_requests_have_written_is_rolled_back(
    serve: Serve, barrier: Barrier, in_background: InBackground, postgresql: PostgreSQL
) -> None:
    server = serve(*PROBE, DATABASE_URL=postgresql.database_url, SHUTDOWN_REQUEST_SECONDS="1")
    with closing_its_connections(postgresql):
        stuck: list[Future[int | None]] = [
            in_background(post, server, f"/keep/{place}", place, barrier.port)
            for place in ("stuck", "stuck-in-statement")
        ]
        barrier.wait_for_arrivals(2)
        server.signal(signal.SIGTERM)
        assert server.wait() == 1
    assert 201 not in [each.result() for each in stuck]
    assert not {"stuck", "stuck-in-statement"} & keys_in(postgresql.database_url)


def test_it_recovers_from_an_outage_and_stops_in_one(serve: Serve, postgresql: PostgreSQL) -> None:
    before = keys_in(postgresql.database_url)
    server = serve(
        *PROBE,
        workers=2,
        DATABASE_URL=postgresql.database_url,
        SHUTDOWN_DRAIN_SECONDS="0.5",
    )
    writers = Writers(server.port)
    with writers.writing():
        for _ in range(2):
            writers.wait_for_kept(50)
            postgresql.stop(signal.SIGQUIT)
            wait_for(lambda: readiness(server) == (503, "no answer: database"), "unreadiness")
            postgresql.start()
            wait_for(lambda: readiness(server) == (200, "ready"), "readiness")
        postgresql.stop(signal.SIGQUIT)
        server.signal(signal.SIGTERM)
        asked = time.monotonic()
        exit_code = server.wait()
        took = time.monotonic() - asked
        postgresql.start()
    assert exit_code == 0, "every request was answered"
    assert took < 0.5 + 5 + 2 + 1
    assert len(server.worker_pids) == 2, "a worker did not survive the outage"
    assert writers.untold == {}
    kept = keys_in(postgresql.database_url) - before
    assert writers.kept <= kept
    for key in kept - writers.kept:
        status, body = writers.told[key]
        assert (status, json.loads(body)["detail"]) == (
            503,
            "the database does not answer: look whether the change was made",
        )


def test_a_database_that_hangs_does_not_hold_up_readiness_nor_the_stop(
    serve: Serve, in_background: InBackground, postgresql: PostgreSQL
) -> None:
    server = serve(*PROBE, DATABASE_URL=postgresql.database_url, SHUTDOWN_REQUEST_SECONDS="1")
    assert post(server, "/keep", "before it hangs") == 201
    with frozen(postgresql):
        requests = [in_background(post, server, "/keep", f"hanging {n}") for n in range(4)]
        wait_for(lambda: readiness(server) == (503, "no answer: database"), "unreadiness")
        server.signal(signal.SIGTERM)
        asked = time.monotonic()
        exit_code = server.wait()
        took = time.monotonic() - asked
    assert took < 1 + 2 + 5, "the grace period"
    assert exit_code == 1, "requests were abandoned"
    assert 201 not in [each.result() for each in requests]


def test_a_request_does_not_hang_with_its_database(
    serve: Serve, barrier: Barrier, in_background: InBackground, postgresql: PostgreSQL
) -> None:
    server = serve(*PROBE, DATABASE_URL=postgresql.database_url, SHUTDOWN_REQUEST_SECONDS="1")

    def keep_as_it_hangs() -> httpx.Response:
        with server.client(timeout=20) as client:
            return client.post(
                "/keep/parked", params={"key": "open as it hangs", "port": barrier.port}
            )

    at_commit = in_background(keep_as_it_hangs)
    barrier.wait_for_arrivals()
    assert post(server, "/keep", "closed as it hangs") == 201, "and a connection is idle now"
    with frozen(postgresql):
        asked = time.monotonic()
        barrier.release()
        answer = at_commit.result()
        assert answer.status_code == 503
        assert "look whether the change was made" in answer.text
        assert post(server, "/keep", "while it hangs") == 503
        assert time.monotonic() - asked < 10
    wait_for(lambda: readiness(server) == (200, "ready"), "readiness")
    assert post(server, "/keep", "when it hangs no more") == 201


@contextmanager
def frozen(postgresql: PostgreSQL) -> Iterator[None]:
    """Have none of PostgreSQL's processes do anything during the block."""
    os.kill(postgresql.pid, signal.SIGSTOP)
    pids = [postgresql.pid, *children_of(postgresql.pid)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)


def test_when_all_connections_are_taken_others_are_told_soon(
    serve: Serve, barrier: Barrier, in_background: InBackground, postgresql: PostgreSQL
) -> None:
    server = serve(*PROBE, "--threads", str(2 * THREADS), DATABASE_URL=postgresql.database_url)
    parked = [
        in_background(post, server, "/keep/parked", f"parked {n}", barrier.port)
        for n in range(THREADS)
    ]
    barrier.wait_for_arrivals(THREADS)
    asked = time.monotonic()
    assert post(server, "/keep", "one too many") == 503
    assert time.monotonic() - asked < 5
    assert readiness(server) == (200, "ready"), "busy is not down"
    barrier.release()
    assert {each.result() for each in parked} == {201}
    assert post(server, "/keep", "later") == 201


@pytest.mark.parametrize("name", ["gunicorn", BARE])
def test_without_it_the_service_starts_unready_and_says_what_to_change(
    name: str, serve: Serve
) -> None:
    url = "postgresql://user:s3cr3t@127.0.0.1:1/name"
    server = serve(*SERVERS[name].command, DATABASE_URL=url)
    assert readiness(server) == (503, "no answer: database")
    line = server.wait_for_log("not ready until the database answers")
    assert "DATABASE_URL, 127.0.0.1:1/name: connection failed" in line
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert "Traceback" not in server.log
    assert "s3cr3t" not in server.log


def test_workers_that_are_replaced_in_an_outage_serve_after_it(
    serve: Serve, postgresql: PostgreSQL
) -> None:
    server = serve(*PROBE, workers=2, DATABASE_URL=postgresql.database_url)
    postgresql.stop(signal.SIGQUIT)
    for worker in server.worker_pids:
        server.signal(signal.SIGKILL, worker)
    server.wait_until(lambda: len(server.worker_pids) == 4, 20, "two workers in their place")
    assert readiness(server) == (503, "no answer: database")
    assert post(server, "/keep", "too early") == 503
    postgresql.start()
    wait_for(lambda: readiness(server) == (200, "ready"), "readiness")
    assert post(server, "/keep", "in time") == 201


def test_a_service_that_starts_in_an_outage_waits_for_the_tables_after_it(
    serve: Serve, postgresql: PostgreSQL
) -> None:
    with psycopg.connect(postgresql.database_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE empty")
    url = f"{postgresql.url}/empty"
    postgresql.stop(signal.SIGQUIT)
    server = serve(*PROBE, DATABASE_URL=url)
    postgresql.start()
    assert readiness(server) == (503, "no answer: database")
    assert "uv run alembic upgrade head" in server.wait_for_log("too old")
    migrate(url)
    wait_for(lambda: readiness(server) == (200, "ready"), "readiness")


def test_replicas_migrate_one_after_the_other(empty_database: str) -> None:
    key = "hashtext('alembic')"
    waiting = """
        SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
        WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted
        """
    with (
        psycopg.connect(empty_database, autocommit=True) as other,
        ThreadPoolExecutor(1) as replica,
    ):
        other.execute(f"SELECT pg_advisory_lock({key})")
        migrating = replica.submit(migrate, empty_database)
        wait_for(lambda: other.execute(waiting).fetchone() == (1,), "the replica to wait")
        other.execute(f"SELECT pg_advisory_unlock({key})")
        migrating.result()

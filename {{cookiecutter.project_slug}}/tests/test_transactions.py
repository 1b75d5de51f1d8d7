"""Whoever was told that something is kept can rely on it, and the other way round."""

from __future__ import annotations

import os
import signal

import pytest

from .conftest import Serve
from .migrating import keys_in
from .writers import Writers

pytestmark = pytest.mark.shutdown


def test_what_clients_were_told_is_what_was_committed_before_the_stop(serve: Serve) -> None:
    url = os.environ["DATABASE_URL"]
    before = keys_in(url)
    server = serve("gunicorn", "tests.database_probe:app", workers=2, SHUTDOWN_DRAIN_SECONDS="0.5")
    with server.client() as client:
        uncommitted = client.post("/keep/dangling", params={"key": "dangling"})
    writers = Writers(server.port)
    with writers.writing():
        writers.wait_for_kept(100)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert uncommitted.status_code == 500, "told before the commit, which failed"
    assert writers.untold == {}
    assert keys_in(url) - before == writers.kept
    statuses = {status for status, _ in writers.told.values()}
    assert {201, 409} <= statuses <= {201, 409, 503}, "503: another writer was in the way"

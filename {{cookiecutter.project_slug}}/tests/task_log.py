"""What the log tells of tasks, where the tests' own handlers do them."""

from __future__ import annotations

from collections import Counter

from .servers import ServerProcess


def traced(event: str, *servers: ServerProcess) -> Counter[str]:
    """How often each task has begun or ended."""
    records = [record for server in servers for record in server.records]
    return Counter(record["task"] for record in records if record["event"] == f"task {event}")

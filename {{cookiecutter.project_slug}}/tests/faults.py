"""Hooks, some of which misbehave; ``PROBE_HOOKS`` names those that the probe appends, in order."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import time
from contextlib import ExitStack

from {{ cookiecutter.package_name }}.lifecycle import Hook, Lifecycle

from .barrier import pass_barrier


def do_nothing() -> None:
    """Succeed."""


async def wait_a_moment() -> dict[str, bool]:
    """Succeed, in an event loop."""
    await asyncio.sleep(0)
    return {"awaited": True}


def fail() -> None:
    """Fail."""
    raise RuntimeError("broken on purpose")


def wait_for_test() -> None:
    """Take until the test lets us go on."""
    pass_barrier(int(os.environ["PROBE_BARRIER"]))


def hang() -> None:
    """Take far too long: no hook is waited for until this ends."""
    time.sleep(60)  # simulates a hang; the process is ended long before


def open_sockets() -> None:
    """Fail if anybody writes into what we open: descriptors that the server has just closed."""
    with ExitStack() as stack:
        ends = [stack.enter_context(end) for _ in range(20) for end in socket.socketpair()]
        readable, _, _ = select.select(ends, [], [], 1)
    if readable:
        raise RuntimeError("somebody wrote into a socket that is not theirs")


HOOKS = {
    hook.name: hook
    for hook in (
        Hook("first", stop=do_nothing),
        Hook("async", start=wait_a_moment, stop=wait_a_moment),
        Hook("failing", stop=fail),
        Hook("hanging", stop=hang, timeout=0.3),
        Hook("hanging long", stop=hang, timeout=20),
        Hook("opening sockets", stop=open_sockets),
        Hook("last", stop=do_nothing),
        Hook("not starting", start=fail),
        Hook("starting slowly", start=wait_for_test, stop=do_nothing, timeout=20),
        Hook("stopping slowly", stop=wait_for_test, timeout=20),
    )
}


def append_hooks(lifecycle: Lifecycle) -> None:
    """Append the hooks that the environment asks for."""
    for name in filter(None, os.environ.get("PROBE_HOOKS", "").split(",")):
        lifecycle.append(HOOKS[name])

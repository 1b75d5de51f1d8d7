"""Checks of readiness that do not keep to the rules."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import httpx
import pytest

from {{ cookiecutter.package_name }}.web.health import Check

from .server_thread import App, forget_checks


def raises_at_once() -> Awaitable[None]:
    raise ConnectionError("broken on purpose")


async def is_cancelled() -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize("check", [raises_at_once, is_cancelled])
def test_a_check_that_breaks_the_rules_has_failed(
    check: Check, app: App, client: httpx.Client
) -> None:
    forget_checks(app)
    app.state.checks["mixer"] = check
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (503, {"status": "no answer: mixer"})

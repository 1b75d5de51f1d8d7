"""For tests of what runs beside the service: a database, a broker, a load balancer."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(program: str) -> NoReturn:
    """Skip the test, since *program* is not here; or fail it, if ``REQUIRE_SERVICES`` is 1."""
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(f"REQUIRE_SERVICES=1, but {program} is not installed", pytrace=False)
    pytest.skip(f"{program} is not installed; with REQUIRE_SERVICES=1 this would be a failure")

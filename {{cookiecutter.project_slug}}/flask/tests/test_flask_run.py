"""What ``flask run`` is asked for, it does or refuses: black-box tests."""

from __future__ import annotations

import pytest

from .commands import FLASK
from .servers import ServerProcess

pytestmark = pytest.mark.shutdown


@pytest.mark.parametrize("option", ["--extra-files", "--exclude-patterns"])
def test_options_for_another_reloader_are_refused(option: str) -> None:
    server = ServerProcess((*FLASK, option, "settings.toml"))
    assert server.wait_for_refusal() == 2
    assert f"Error: {option} is not supported" in server.log

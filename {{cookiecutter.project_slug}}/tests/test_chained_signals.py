"""Signal handlers that are chained."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from {{ cookiecutter.package_name }}.lifecycle.signals import (
    PARENT_VARIABLE,
    STOP_SIGNALS,
    ChainedSignals,
    server_pid,
)

from .threads import in_thread


@pytest.fixture
def servers() -> Iterator[list[int]]:
    """What the handlers of a server have heard, which are installed meanwhile."""
    heard: list[int] = []

    def handle(signum: int, frame: FrameType | None) -> None:
        heard.append(signum)

    handlers = {signum: signal.signal(signum, handle) for signum in STOP_SIGNALS}
    yield heard
    for signum, handler in handlers.items():
        signal.signal(signum, handler)


@pytest.fixture
def ours(servers: list[int]) -> list[int]:
    """What we have heard."""
    return []


@pytest.fixture
def signals(ours: list[int]) -> ChainedSignals:
    """Handlers before those of the server."""
    signals = ChainedSignals(ours.append)
    signals.install()
    return signals


@pytest.mark.parametrize("signum", STOP_SIGNALS)
def test_we_hear_a_signal_and_the_server_does_not(
    signum: int, signals: ChainedSignals, ours: list[int], servers: list[int]
) -> None:
    signal.raise_signal(signum)
    assert (ours, servers) == ([signum], [])


def test_a_handler_that_somebody_has_put_in_place_of_ours_stays(
    signals: ChainedSignals, ours: list[int], servers: list[int]
) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signals.restore()
    for signum in STOP_SIGNALS:
        signal.raise_signal(signum)
    assert (ours, servers) == ([], [signal.SIGINT, signal.SIGQUIT])


@pytest.mark.parametrize("signum", STOP_SIGNALS)
def test_the_server_hears_what_we_pass_on_and_nothing_else(
    signum: int, signals: ChainedSignals, ours: list[int], servers: list[int]
) -> None:
    assert signals.pass_on(signum)
    assert (ours, servers) == ([], [signum])
    signal.raise_signal(signal.SIGTERM)
    assert (ours, servers) == ([signal.SIGTERM], [signum])


def test_a_signal_that_overtakes_the_one_passed_on_is_still_heard(
    signals: ChainedSignals, ours: list[int], servers: list[int]
) -> None:
    stop = signal.pthread_kill

    def interrupted(thread: int, signum: int) -> None:
        signal.raise_signal(signal.SIGINT)
        stop(thread, signum)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signal, "pthread_kill", interrupted)
        signals.pass_on(signal.SIGTERM)
    assert (ours, servers) == ([signal.SIGINT], [signal.SIGTERM])


def test_it_passes_on_from_any_thread(signals: ChainedSignals, servers: list[int]) -> None:
    assert in_thread(lambda: signals.pass_on(signal.SIGTERM))
    assert servers == [signal.SIGTERM]


def test_where_the_server_has_no_handler_there_is_nothing_to_pass_on(servers: list[int]) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signals = ChainedSignals(servers.append)
    signals.install()
    assert not signals.pass_on(signal.SIGTERM)
    assert servers == []


def test_it_names_signals_that_other_code_has_taken_over(signals: ChainedSignals) -> None:
    assert signals.overwritten() == []
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert signals.overwritten() == ["SIGINT"]


def test_outside_the_main_thread_it_installs_nothing(servers: list[int]) -> None:
    signals = ChainedSignals(servers.append)
    before = signal.getsignal(signal.SIGTERM)
    in_thread(signals.install)
    assert not signals.installed
    assert signal.getsignal(signal.SIGTERM) is before
    assert signals.overwritten() == []


def test_the_process_to_signal_is_a_parent_only_if_it_has_said_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(PARENT_VARIABLE, raising=False)
    assert server_pid() == os.getpid()
    monkeypatch.setenv(PARENT_VARIABLE, str(os.getppid()))
    assert server_pid() == os.getppid()
    monkeypatch.setenv(PARENT_VARIABLE, "1")  # inherited from further up
    assert server_pid() == (1 if os.getppid() == 1 else os.getpid())

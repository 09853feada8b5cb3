"""Signals are noted while the command runs, and given back."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from minigun_py.cli.exit_status import ExitStatus
from minigun_py.cli.stop_signals import StopSignals


@pytest.fixture(autouse=True)
def own_handlers() -> Iterator[None]:
    """Let a test do with the handlers what it wants; it begins with Python's."""
    earlier = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in earlier.items():
        signal.signal(number, handler)


def test_signals_are_noted_in_order() -> None:
    with StopSignals() as signals:
        assert (signals.asked, signals.first) == (0, None)
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        assert (signals.asked, signals.first) == (2, signal.SIGTERM)


def test_the_third_signal_does_what_it_did_before() -> None:
    with StopSignals() as signals:
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert signals.asked == 2


def test_earlier_handlers_come_back() -> None:
    seen: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: seen.append(number))
    with StopSignals():
        signal.raise_signal(signal.SIGTERM)
        assert seen == []
    signal.raise_signal(signal.SIGTERM)
    assert seen == [signal.SIGTERM]


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with StopSignals() as signals:
        signal.raise_signal(signal.SIGINT)
        assert signals.asked == 0


def test_another_thread_than_the_main_one_leaves_handlers_alone() -> None:
    found: list[Any] = []

    def look() -> None:
        with StopSignals():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join(10)
    assert found == [signal.default_int_handler]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_has_its_exit_status(number: int, status: int) -> None:
    assert ExitStatus.of_signal(number) == status

"""A deadline is a moment, which several waits can share."""

from __future__ import annotations

import time

import pytest

from minigun_py.clock import SYSTEM_CLOCK, Deadline
from minigun_py.testing.clock import VirtualClock


def test_the_system_clock_is_the_monotonic_one() -> None:
    assert time.monotonic() <= SYSTEM_CLOCK.now() <= time.monotonic()


def test_a_deadline_counts_down_to_zero_and_no_further() -> None:
    clock = VirtualClock(start=100.0)
    deadline = Deadline.after(3, clock)
    left = []
    for _ in range(3):
        left.append((deadline.remaining(), deadline.passed))
        clock.advance(2)
    assert left == [(3.0, False), (1.0, False), (0.0, True)]


def test_a_deadline_has_passed_at_its_very_moment() -> None:
    clock = VirtualClock()
    deadline = Deadline.after(1, clock)
    clock.advance(1)
    assert deadline.passed
    assert deadline.remaining() == 0


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_deadline_without_time_has_passed_at_once(seconds: float) -> None:
    deadline = Deadline.after(seconds, VirtualClock())
    assert deadline.passed
    assert deadline.remaining() == 0


def test_a_deadline_of_none_never_comes() -> None:
    clock = VirtualClock()
    deadline = Deadline.after(None, clock)
    clock.advance(1e9)
    assert deadline.remaining() is None
    assert not deadline.passed

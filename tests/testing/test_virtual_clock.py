"""The virtual clock keeps the promises of a monotonic one."""

from __future__ import annotations

import pytest

from minigun_py.testing.clock import VirtualClock


def test_time_stands_still_until_it_is_advanced() -> None:
    clock = VirtualClock(start=5.0)
    assert (clock.now(), clock.now()) == (5.0, 5.0)


def test_time_advances_by_what_the_test_says() -> None:
    clock = VirtualClock()
    clock.advance(1.5)
    clock.advance(0.0)
    assert clock.now() == 1.5


def test_time_never_runs_backwards() -> None:
    with pytest.raises(ValueError, match=r"0 s or more, not by -1 s"):
        VirtualClock().advance(-1.0)

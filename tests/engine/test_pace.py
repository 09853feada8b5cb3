"""At a rate, items go one by one: never faster in the long run, and with no burst after a rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigun_py.engine.pace import CATCH_UP, Pace


def test_the_first_item_may_go_at_once() -> None:
    assert Pace(1.0).allowed(100.0)
    assert Pace(1.0).wait_time(100.0) == 0.0


def test_the_next_waits_for_the_interval() -> None:
    pace = Pace(2.0)
    pace.taken(100.0)
    assert not pace.allowed(101.9)
    assert pace.wait_time(100.5) == pytest.approx(1.5)
    assert pace.allowed(102.0)


def test_it_is_due_when_the_next_may_go_unless_one_may_now() -> None:
    pace = Pace(2.0)
    assert pace.next_due(100.0) is None
    pace.taken(100.0)
    assert pace.next_due(101.0) == 102.0
    assert pace.next_due(102.0) is None


def test_a_rest_is_not_made_good() -> None:
    pace = Pace(1.0)
    pace.taken(100.0)
    pace.taken(500.0)
    assert not pace.allowed(500.9)
    assert pace.allowed(501.0)


def test_a_little_lateness_is_made_good() -> None:
    pace = Pace(1.0)
    pace.taken(100.0)
    pace.taken(101.0 + CATCH_UP / 2)
    assert pace.allowed(102.0)


@given(st.floats(0.001, 10), st.lists(st.floats(0, 30), min_size=1, max_size=50))
def test_items_go_no_faster_than_the_rate(interval: float, rests: list[float]) -> None:
    pace, now, gone = Pace(interval), 100.0, []
    for rest in rests:
        now += rest
        now += pace.wait_time(now)
        if not pace.allowed(now):  # by a rounding
            now += interval / 1e6
        pace.taken(now)
        gone.append(now)
    for first in range(len(gone)):
        for last in range(first + 1, len(gone)):
            assert gone[last] - gone[first] >= (last - first) * interval - CATCH_UP - 1e-6


@given(st.floats(0.001, 10), st.floats(0, 20))
def test_an_item_may_go_when_the_wait_is_over(interval: float, rest: float) -> None:
    pace = Pace(interval)
    pace.taken(100.0)
    now = 100.0 + rest
    assert pace.allowed(now + pace.wait_time(now) + 1e-9)

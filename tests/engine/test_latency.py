"""Quantiles of times are known to within four percent, whatever the times are."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigun_py.engine.latency import SHORTEST, Latency, LatencyHistogram

CLOSE = 0.041


def of(*times: float) -> Latency:
    histogram = LatencyHistogram()
    for seconds in times:
        histogram.add(seconds)
    latency = histogram.latency()
    assert latency is not None
    return latency


def test_of_nothing_there_are_none() -> None:
    assert LatencyHistogram().latency() is None


def test_one_time_is_every_quantile() -> None:
    latency = of(0.25)
    assert (latency.p50, latency.p90, latency.p99) == (pytest.approx(0.25, rel=CLOSE),) * 3


def test_a_few_slow_items_show_in_the_last_quantile_alone() -> None:
    latency = of(*[0.01] * 95, *[2.0] * 5)
    assert (latency.p50, latency.p90) == (pytest.approx(0.01, rel=CLOSE),) * 2
    assert latency.p99 == pytest.approx(2.0, rel=CLOSE)


def test_items_that_travel_together_count_each() -> None:
    histogram = LatencyHistogram()
    histogram.add(0.001, 900)
    histogram.add(1.0, 100)
    latency = histogram.latency()
    assert latency is not None
    assert latency.p90 == pytest.approx(0.001, rel=CLOSE)
    assert latency.p99 == pytest.approx(1.0, rel=CLOSE)


def test_no_time_is_the_shortest() -> None:
    assert of(0.0).p50 == pytest.approx(SHORTEST, rel=CLOSE)


@given(st.lists(st.floats(1e-6, 1e4), min_size=1, max_size=200))
def test_they_are_close_to_those_of_the_sorted_times(times: list[float]) -> None:
    latency, ordered = of(*times), sorted(times)
    for share, told in ((0.5, latency.p50), (0.9, latency.p90), (0.99, latency.p99)):
        assert told == pytest.approx(ordered[math.ceil(share * len(times)) - 1], rel=CLOSE)

"""A rate is a text of a number and a unit, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigun_py.errors import UsageError
from minigun_py.plan.rate import parse_rate


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        ("20/s", 0.05),
        ("4/sec", 0.25),
        ("1/second", 1.0),
        ("100/min", 0.6),
        ("30/minute", 2.0),
        ("5/h", 720.0),
        ("0.5/s", 2.0),
        (" 2 / s ", 0.5),
    ],
)
def test_a_rate_tells_the_seconds_between_two_items(text: str, interval: float) -> None:
    assert parse_rate(text, "stage 'a'").interval == pytest.approx(interval)


def test_a_rate_is_shown_as_it_was_written() -> None:
    assert str(parse_rate("100/min", "stage 'a'")) == "100/min"


@pytest.mark.parametrize(
    "value",
    ["20", "20/", "/s", "20/day", "-1/s", "0/s", "0.0/s", "1e3/s", "20 per s", "", 20, None],
)
def test_another_form_is_refused(value: Any) -> None:
    with pytest.raises(UsageError) as raised:
        parse_rate(value, "stage 'a'")
    assert str(raised.value) == (
        f"stage 'a': rate is a text like '20/s', '100/min' or '5/h', not {value!r}"
    )


@given(st.integers(1, 10**6), st.sampled_from([("s", 1), ("min", 60), ("h", 3600)]))
def test_so_many_items_fit_into_the_unit(number: int, unit: tuple[str, int]) -> None:
    rate = parse_rate(f"{number}/{unit[0]}", "stage 'a'")
    assert rate.interval * number == pytest.approx(unit[1])

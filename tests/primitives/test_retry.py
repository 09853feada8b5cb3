"""A Retry says which failures are worth another attempt, and how long that waits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigun_py.errors import NotPicklable, UsageError
from minigun_py.primitives.retry import Retry

attempts = st.integers(1, 2000)
chances = st.floats(0, 1)


def test_attempts_count_the_first() -> None:
    retry = Retry(3)
    assert [retry.allows(ValueError(), n) for n in (1, 2, 3)] == [True, True, False]


def test_only_the_errors_that_it_is_for_are_tried_again() -> None:
    retry = Retry(3, on=(OSError, KeyError))
    errors = [OSError(), ConnectionError(), KeyError(), ValueError()]
    assert [retry.allows(error, 1) for error in errors] == [True, True, True, False]


@pytest.mark.parametrize("error", [UsageError("wrong"), NotPicklable("a lock")])
def test_what_does_not_get_better_by_itself_is_never_tried_again(error: Exception) -> None:
    assert not Retry(3).allows(error, 1)


def test_the_wait_doubles_up_to_its_bound() -> None:
    retry = Retry(9, backoff=1, max_backoff=5, jitter=False)
    assert [retry.wait(n) for n in (1, 2, 3, 4, 5)] == [1, 2, 4, 5, 5]


@given(attempts, chances, st.floats(0, 100), st.floats(0, 100))
def test_chance_takes_at_most_half_of_a_wait(
    attempt: int, chance: float, backoff: float, most: float
) -> None:
    plain = Retry(2, backoff=backoff, max_backoff=most, jitter=False).wait(attempt)
    shaken = Retry(2, backoff=backoff, max_backoff=most).wait(attempt, lambda: chance)
    assert plain / 2 <= shaken <= plain <= most


WRONG: list[dict[str, Any]] = [
    {"attempts": 0},
    {"attempts": True},
    {"attempts": 1.5},
    {"attempts": 2, "on": "ValueError"},
    {"attempts": 2, "on": (ValueError, KeyboardInterrupt)},
    {"attempts": 2, "backoff": -1},
    {"attempts": 2, "max_backoff": None},
]


@pytest.mark.parametrize("arguments", WRONG, ids=str)
def test_arguments_that_make_no_sense_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"Retry: {[*arguments][-1]} is"):
        Retry(**arguments)

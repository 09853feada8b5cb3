"""An outcome is a value until it is unwrapped."""

from __future__ import annotations

import pytest

from minigun_py.errors import RunCancelled, RunTimedOut
from minigun_py.outcome import Cancelled, Failure, Success, TimedOut, unwrap


@pytest.mark.parametrize("value", ["result", None])
def test_a_success_unwraps_to_its_value(value: object) -> None:
    assert unwrap(Success(value)) is value


def test_a_failure_raises_the_very_error() -> None:
    error = ZeroDivisionError("by zero")
    with pytest.raises(ZeroDivisionError) as raised:
        unwrap(Failure(error))
    assert raised.value is error


def test_a_timeout_raises_the_seconds_it_was_given() -> None:
    with pytest.raises(RunTimedOut, match=r"within 1\.5 s") as raised:
        unwrap(TimedOut(1.5))
    assert raised.value.seconds == 1.5


def test_a_cancelled_outcome_raises_its_reason() -> None:
    with pytest.raises(RunCancelled, match="shutdown") as raised:
        unwrap(Cancelled("shutdown"))
    assert raised.value.reason == "shutdown"


def test_outcomes_are_equal_by_value() -> None:
    assert Success(1) == Success(1) != Success(2)
    assert TimedOut(1) == TimedOut(1)
    assert Cancelled() == Cancelled(None)

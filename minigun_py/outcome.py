"""How a piece of work ended, as a value: `Success`, `Failure`, `TimedOut` or `Cancelled`.

Inside the library a failure of the user's code is passed on, never thrown across threads. At
the door `unwrap` turns it back into a result or an exception.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from minigun_py.errors import RunCancelled, RunTimedOut

__all__ = ["Cancelled", "Failure", "Outcome", "Success", "TimedOut", "unwrap"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Success(Generic[T]):
    """The work returned `value`."""

    value: T


@dataclass(frozen=True, slots=True)
class Failure:
    """The work raised `error`."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The work was given `seconds` and did not end in them."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The work was stopped before it ended, because of `reason`."""

    reason: object = None


Outcome = Success[T] | Failure | TimedOut | Cancelled


def unwrap(outcome: Outcome[T]) -> T:
    """The value of a success; anything else is raised."""
    match outcome:
        case Success(value):
            return value
        case Failure(error):
            raise error
        case TimedOut(seconds):
            raise RunTimedOut(seconds)
        case Cancelled(reason):
            raise RunCancelled(reason)

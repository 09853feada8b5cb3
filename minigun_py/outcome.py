"""How a piece of work ended, as a value: `Success`, `Failure`, `TimedOut` or `Cancelled`.

Inside the library a failure of the user's code is passed on, never thrown across threads. At
the door `unwrap` turns it back into a result or an exception.

Each says when the work began and how long it took, how often it was tried, and what it warned of.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from minigun_py.errors import RunCancelled, RunTimedOut
from minigun_py.record import record
from minigun_py.suggestions import suggestions_for

__all__ = ["Cancelled", "Failure", "Outcome", "Problem", "Success", "TimedOut", "Warned", "unwrap"]

T = TypeVar("T")


@record
class Warned:
    """A warning that the work raised with `warnings.warn`."""

    category: type[Warning]
    message: str
    filename: str
    line: int

    def __str__(self) -> str:
        return f"{self.filename}:{self.line}: {self.category.__name__}: {self.message}"


@record
class Problem:
    """What went wrong, in words, and what may help."""

    error: BaseException

    @property
    def message(self) -> str:
        """What the error says; its type, if it says nothing."""
        return str(self.error) or type(self.error).__name__

    @property
    def suggestions(self) -> tuple[str, ...]:
        """What may help against an error of this type; see `register_suggestion`."""
        return suggestions_for(self.error)


@record
class Success(Generic[T]):
    """The work returned `value`."""

    value: T
    start: float | None = None
    """When the first attempt began, in seconds since the epoch; None if it never did."""
    duration: float = 0.0
    """Seconds that the last attempt took."""
    attempts: int = 1
    """How often it was tried."""
    warnings: tuple[Warned, ...] = ()
    """What the last attempt warned of."""
    peak_memory: int | None = None
    """The most bytes that its process had in memory meanwhile, where that was looked at."""

    ok = True
    errors = ()


@record
class Failure:
    """The work raised `error`."""

    error: BaseException
    start: float | None = None
    duration: float = 0.0
    attempts: int = 1
    warnings: tuple[Warned, ...] = ()
    peak_memory: int | None = None

    ok = False

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What went wrong."""
        return (Problem(self.error),)


@record
class TimedOut:
    """The work was given `seconds` and did not end in them."""

    seconds: float
    start: float | None = None
    duration: float = 0.0
    attempts: int = 1
    warnings: tuple[Warned, ...] = ()

    ok = False

    @property
    def error(self) -> TimeoutError:
        """The same as an exception."""
        return TimeoutError(f"it did not end within {self.seconds:g} s")

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What went wrong."""
        return (Problem(self.error),)


@record
class Cancelled:
    """The work was stopped before it ended, or never began, because of `reason`."""

    reason: object = None
    start: float | None = None
    duration: float = 0.0
    attempts: int = 0
    warnings: tuple[Warned, ...] = ()

    ok = False
    errors = ()


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

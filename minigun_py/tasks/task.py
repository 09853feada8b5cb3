"""A function to be called once, and what it has in common with others about where. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from minigun_py.contexts.portable_errors import pack_error, unpack_error
from minigun_py.outcome import Failure, Success, TimedOut
from minigun_py.plan.signature import is_coroutine
from minigun_py.record import record

__all__ = ["Attempt", "Ended", "Lane", "Task", "Ticket", "lane_for"]


@record
class Lane:
    """Where tasks run. Those that say the same share workers."""

    execution: str | None = None
    timeout: float | None = None
    waits: bool = False
    """Whether its functions are written with ``async def``."""

    @property
    def name(self) -> str:
        """What plans and reports call it; no two lanes the same."""
        awaited = ", awaited" if self.waits and self.execution != "async" else ""
        limit = f", {self.timeout:g} s each" if self.timeout is not None else ""
        return f"jobs in {self.execution or 'processes'}{awaited}{limit}"


@record(eq=False)
class Task:
    """A function, known by its number."""

    name: str
    lane: Lane
    function: Callable[..., Any]


class Ticket(NamedTuple):
    """What crosses to a worker: which function, and what it is called with."""

    number: int
    """Of this call. What comes back has it, too."""
    task: int
    named: dict[str, Any] = {}  # noqa: RUF012 - nobody changes it
    memory: int | None = None
    """Bytes by which its process may grow; 0 if it is only looked at, None if it is not."""

    def __repr__(self) -> str:
        return f"task {self.number}"


Attempt = Success[Any] | Failure | TimedOut
"""How an attempt at a task may end."""


class Ended:
    """How an attempt at a task ended. It can cross from a process whatever the error was."""

    __slots__ = ("number", "outcome")

    def __init__(self, number: int, outcome: Attempt) -> None:
        self.number, self.outcome = number, outcome

    def __reduce__(self) -> tuple[Any, ...]:
        outcome = self.outcome
        if not isinstance(outcome, Failure):
            return Ended, (self.number, outcome)
        assert isinstance(outcome.error, Exception)
        told = (outcome.duration, outcome.warnings, outcome.peak_memory)
        return _failed, (self.number, pack_error(outcome.error), *told)


def _failed(number: int, packed: Any, *rest: Any) -> Ended:
    duration, warnings, peak = rest
    return Ended(number, Failure(unpack_error(packed), None, duration, 1, warnings, peak))


def lane_for(function: Callable[..., Any], execution: str | None, timeout: float | None) -> Lane:
    """The lane of a function for which this is said."""
    waits = is_coroutine(function)
    kind = execution or ("async" if waits else None if timeout else "thread")
    return Lane(kind, timeout, waits)

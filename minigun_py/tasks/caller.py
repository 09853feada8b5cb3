"""What a lane does for a ticket: calls the function, and tells how that went."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minigun_py.clock import SYSTEM_CLOCK
from minigun_py.contexts.portable_errors import pack_error, unpack_error
from minigun_py.outcome import Failure, Success, Warned
from minigun_py.tasks.task import Ended, Ticket
from minigun_py.tasks.warned import warnings_kept

__all__ = ["AwaitingCaller", "Called", "Caller"]


class Called:
    """How a call went. It can cross from a process whatever the error was."""

    __slots__ = ("duration", "error", "number", "peak", "value", "warned")

    def __init__(self, number: int) -> None:
        self.number = number
        self.value: Any = None
        self.error: Exception | None = None
        self.duration = 0.0
        self.warned: tuple[Warned, ...] = ()
        self.peak: int | None = None

    def __getstate__(self) -> tuple[Any, ...]:
        error = None if self.error is None else pack_error(self.error)
        return self.number, self.value, error, self.duration, self.warned, self.peak

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.number, self.value, error, self.duration, self.warned, self.peak = state
        self.error = None if error is None else unpack_error(error)

    def ended(self) -> Ended:
        """The same as an outcome."""
        duration, warned, peak = self.duration, self.warned, self.peak
        if self.error is None:
            outcome = Success(self.value, None, duration, 1, warned, peak)
            return Ended(self.number, outcome)
        return Ended(self.number, Failure(self.error, None, duration, 1, warned, peak))


class Caller:
    """The function of a stage, that calls the functions of all tasks of a lane."""

    def __init__(self, functions: Sequence[Callable[..., Any]]) -> None:
        self.functions = functions

    def __call__(self, ticket: Ticket) -> Called:
        """Call the function of a ticket. What it raises is told, and not raised."""
        function, called = self.functions[ticket.task], Called(ticket.number)
        with warnings_kept() as warned:
            began = SYSTEM_CLOCK.now()
            try:
                if ticket.memory is None:
                    called.value = function(**ticket.named)
                else:
                    _call_watched(function, ticket, called)
            except Exception as error:
                called.error = _from_the_function(error)
            called.duration = SYSTEM_CLOCK.now() - began
        called.warned = tuple(warned)
        return called


class AwaitingCaller(Caller):
    """The same for coroutine functions."""

    async def __call__(self, ticket: Ticket) -> Called:  # type: ignore[override]
        """Await the function of a ticket."""
        function, called = self.functions[ticket.task], Called(ticket.number)
        with warnings_kept() as warned:
            began = SYSTEM_CLOCK.now()
            try:
                called.value = await function(**ticket.named)
            except Exception as error:
                called.error = _from_the_function(error)
            called.duration = SYSTEM_CLOCK.now() - began
        called.warned = tuple(warned)
        return called


def _call_watched(function: Callable[..., Any], ticket: Ticket, called: Called) -> None:
    from minigun_py.tasks.memory import memory_watched  # here: it is for processes

    assert ticket.memory is not None
    watch = None
    try:
        with memory_watched(ticket.memory) as watch:
            called.value = function(**ticket.named)
    finally:
        called.peak = watch.peak if watch is not None else None


def _from_the_function(error: Exception) -> Exception:
    """Its traceback begins there, and not with what called it."""
    return error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)

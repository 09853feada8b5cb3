"""What a lane does for a ticket: calls the function, and tells how that went."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from minigun_py.clock import SYSTEM_CLOCK
from minigun_py.contexts.portable_errors import pack_error, unpack_error
from minigun_py.outcome import Failure, Success, Warned
from minigun_py.tasks.task import Ended, Ticket
from minigun_py.tasks.warned import warnings_kept

__all__ = ["AwaitingCaller", "Called", "Caller"]


class Called:
    """How a call went. It can cross from a process whatever the error was."""

    __slots__ = ("duration", "error", "number", "value", "warned")

    def __init__(self, number: int) -> None:
        self.number = number
        self.value: Any = None
        self.error: Exception | None = None
        self.duration = 0.0
        self.warned: tuple[Warned, ...] = ()

    def __getstate__(self) -> tuple[Any, ...]:
        error = None if self.error is None else pack_error(self.error)
        return self.number, self.value, error, self.duration, self.warned

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.number, self.value, error, self.duration, self.warned = state
        self.error = None if error is None else unpack_error(error)

    def ended(self) -> Ended:
        """The same as an outcome."""
        duration, warned = self.duration, self.warned
        if self.error is None:
            return Ended(self.number, Success(self.value, duration=duration, warnings=warned))
        return Ended(self.number, Failure(self.error, duration=duration, warnings=warned))


class Caller:
    """The function of a stage, that calls the functions of all tasks of a lane."""

    def __init__(self, functions: Sequence[Callable[..., Any]]) -> None:
        self.functions = functions

    def __call__(self, ticket: Ticket) -> Called:
        """Call the function of a ticket. What it raises is told, and not raised."""
        with _told(ticket) as called:
            called.value = self.functions[ticket.number](*ticket.arguments, **ticket.named)
        return called


class AwaitingCaller(Caller):
    """The same for coroutine functions."""

    async def __call__(self, ticket: Ticket) -> Called:  # type: ignore[override]
        """Await the function of a ticket."""
        with _told(ticket) as called:
            called.value = await self.functions[ticket.number](*ticket.arguments, **ticket.named)
        return called


@contextmanager
def _told(ticket: Ticket) -> Iterator[Called]:
    called, began = Called(ticket.number), SYSTEM_CLOCK.now()
    with warnings_kept() as warned:
        try:
            yield called
        except Exception as error:
            called.error = error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
    called.duration, called.warned = SYSTEM_CLOCK.now() - began, tuple(warned)

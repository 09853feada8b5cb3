"""What a lane does for a ticket: calls the function, and tells how that went."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minigun_py.clock import SYSTEM_CLOCK
from minigun_py.engine.stray_errors import as_death, as_failure, is_stray_cancel
from minigun_py.outcome import Failure, Success, Warned
from minigun_py.tasks.task import Ended, Ticket
from minigun_py.tasks.warned import warnings_kept

__all__ = ["AwaitingCaller", "Caller"]


class Caller:
    """The function of a stage, that calls the functions of all tasks of a lane."""

    def __init__(self, functions: Sequence[Callable[..., Any]]) -> None:
        self.functions = functions

    def __call__(self, ticket: Ticket) -> Ended:
        """Call the function of a ticket. What it raises is told, and not raised."""
        with warnings_kept() as warned:
            return Ended(ticket.number, self.outcome(ticket, warned))

    def outcome(self, ticket: Ticket, warned: list[Warned]) -> Success[Any] | Failure:
        """How that went, for somebody who keeps the warnings."""
        if ticket.memory is not None:
            return self._watched(ticket, ticket.memory, warned)
        began = SYSTEM_CLOCK.now()
        try:
            value = self.functions[ticket.task](**ticket.named)
        except BaseException as error:
            return _failure(error, began, warned)
        return Success(value, None, SYSTEM_CLOCK.now() - began, 1, tuple(warned))

    def _watched(self, ticket: Ticket, memory: int, warned: list[Warned]) -> Success[Any] | Failure:
        """The same, with the memory of this process watched."""
        from minigun_py.tasks.memory import Watch, memory_watched  # here: it is for processes

        began, watch = SYSTEM_CLOCK.now(), Watch()
        try:
            with memory_watched(memory, watch):
                value = self.functions[ticket.task](**ticket.named)
        except BaseException as error:
            return _failure(error, began, warned, watch.peak)
        duration = SYSTEM_CLOCK.now() - began
        return Success(value, None, duration, 1, tuple(warned), watch.peak)


class AwaitingCaller(Caller):
    """The same for coroutine functions."""

    async def __call__(self, ticket: Ticket) -> Ended:  # type: ignore[override]
        """Await the function of a ticket."""
        with warnings_kept() as warned:
            return Ended(ticket.number, await self.outcome(ticket, warned))

    async def outcome(  # type: ignore[override]
        self, ticket: Ticket, warned: list[Warned]
    ) -> Success[Any] | Failure:
        """How that went, for somebody who keeps the warnings."""
        began = SYSTEM_CLOCK.now()
        try:
            value = await self.functions[ticket.task](**ticket.named)
        except BaseException as error:
            return _failure(error, began, warned)
        return Success(value, None, SYSTEM_CLOCK.now() - began, 1, tuple(warned))


def _failure(
    error: BaseException, began: float, warned: list[Warned], peak: int | None = None
) -> Failure:
    """What a function raised; raised again, if it is none of its failures, as an interrupt."""
    # the traceback begins in the function, and not with what called it
    error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
    if isinstance(error, SystemExit):
        error = as_death(error)
    elif is_stray_cancel(error):
        error = as_failure(error)
    elif not isinstance(error, Exception):
        raise error
    return Failure(error, None, SYSTEM_CLOCK.now() - began, 1, tuple(warned), peak)

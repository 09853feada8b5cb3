"""Joins a schedule with the lanes: gives out what may begin, and takes in how it ended.

::

    schedule ──task──> tickets() ──> lane ──> ended ───┐
        ^                                              │
        └────────────── ended <── mailbox <────────────┘

`tickets` is the source of the pipeline, and waits in it: for an end, for a moment that the
schedule has named, or for a cancel. The schedule belongs to the thread that does that.

*Threads*: `take`, `observe` and `wake` may be called from any.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Any, Protocol

from minigun_py.clock import earliest
from minigun_py.emission import To
from minigun_py.errors import ItemTimedOut
from minigun_py.events import Event, ItemFailed
from minigun_py.outcome import Failure, TimedOut
from minigun_py.primitives.cancel import CancelToken
from minigun_py.tasks.task import Attempt, Ended, Lane, Ticket

__all__ = ["Feed", "Schedule"]


class Schedule(Protocol):
    """Says what is called next."""

    @property
    def finished(self) -> bool:
        """Whether nothing more will begin or end."""
        ...

    def next(self) -> tuple[Lane, Ticket] | None:
        """Begin a task, if one may begin now."""
        ...

    def ended(self, number: int, outcome: Attempt) -> None:
        """An attempt at a task has ended."""
        ...

    def wait_time(self) -> float | None:
        """Seconds until something may begin without an end before it; None for never."""
        ...


class Feed:
    """The tasks of one schedule on their way."""

    def __init__(self, schedule: Schedule, token: CancelToken) -> None:
        self._schedule, self._token = schedule, token
        self._mailbox: queue.SimpleQueue[Ended | None] = queue.SimpleQueue()

    def tickets(self) -> Iterator[To[Ticket]]:
        """What begins, as soon as it may, until the schedule is finished or cancelled."""
        schedule = self._schedule
        while not (schedule.finished or self._token.cancelled):
            begun = schedule.next()
            if begun is None:
                self._wait()
            else:
                lane, ticket = begun
                yield To(lane.name, ticket)

    def take(self, ended: Ended) -> None:
        """A call has come back."""
        self._mailbox.put(ended)

    def observe(self, event: Event) -> None:
        """A call has not come back, since its worker died or was killed, or it cannot cross."""
        if isinstance(event, ItemFailed) and isinstance(event.item, Ticket):
            error: Any = event.error
            timed_out = isinstance(error, ItemTimedOut)
            outcome = TimedOut(error.seconds) if timed_out else Failure(error)
            self._mailbox.put(Ended(event.item.number, outcome))

    def wake(self) -> None:
        """Have a look at the token."""
        self._mailbox.put(None)

    def _wait(self) -> None:
        try:
            ended = self._mailbox.get(
                timeout=earliest(self._schedule.wait_time(), self._token.remaining())
            )
        except queue.Empty:
            return
        if ended is not None:
            self._schedule.ended(ended.number, ended.outcome)

    def rest(self) -> Iterator[Ended]:
        """What has ended and nobody was told of."""
        while True:
            try:
                ended = self._mailbox.get_nowait()
            except queue.Empty:
                return
            if ended is not None:
                yield ended

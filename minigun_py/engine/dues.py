"""When something is due in a group though nothing comes: a worker, an attempt, an item by the rate.

The group's lock guards what it looks at.
"""

from __future__ import annotations

from minigun_py.clock import Clock, Deadline, earliest
from minigun_py.engine.keeping import Keeping
from minigun_py.engine.pace import Pace
from minigun_py.engine.waiting_room import WaitingRoom

__all__ = ["Dues"]


class Dues:
    """What a group has that becomes due.

    Args:
        keeping: Tells when workers want to be asked for what they keep.
        waiting: Items that wait for another attempt.
        pace: Lets one item go at a time.
        clock: Tells what time it is.
    """

    def __init__(self, keeping: Keeping, waiting: WaitingRoom, pace: Pace, clock: Clock) -> None:
        self._keeping, self._waiting, self._clock = keeping, waiting, clock
        self._pace = pace if pace.limits else None

    def wait_time(self) -> float | None:
        """Seconds until the first is due; None if none will be."""
        due = self._keeping.next_due
        if self._waiting:
            due = earliest(due, self._waiting.next_due())
        if self._pace is not None:
            due = earliest(due, self._pace.next_due(self._clock.now()))
        return None if due is None else max(0.0, due - self._clock.now())

    def wait_time_of(self, worker: int) -> float | None:
        """Seconds until a worker may try an item again; None if none waits for it."""
        due = self._waiting.next_due(worker)
        return None if due is None else max(0.0, due - self._clock.now())

    def deadline(self, worker: int) -> Deadline | None:
        """The moment at which a worker is due, or an item that it may try again."""
        due = self._keeping.due(worker)
        if self._waiting:
            due = earliest(due, self._waiting.next_due(worker))
        return None if due is None else Deadline(due, self._clock)

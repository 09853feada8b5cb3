"""Time as a value that is passed in: the only module that reads the clock.

Whatever waits or measures takes a `Clock`, so that a test can hand it a clock of its own and
never sleep. Seconds everywhere, monotonic: a jump of the wall clock changes nothing.
"""

from __future__ import annotations

import time
from typing import Final, Protocol

from minigun_py.record import record

__all__ = ["SYSTEM_CLOCK", "Clock", "Deadline", "SystemClock", "earliest"]


class Clock(Protocol):
    """Reads monotonic time."""

    def now(self) -> float:
        """Seconds since a moment that never changes."""
        ...


class SystemClock:
    """The machine's monotonic clock."""

    now = staticmethod(time.monotonic)
    """Seconds since a moment that never changes; asked so often that nothing stands between."""


SYSTEM_CLOCK: Final = SystemClock()


@record
class Deadline:
    """A moment that several waits share, so that together they take no longer than one."""

    at: float | None
    clock: Clock = SYSTEM_CLOCK

    @classmethod
    def after(cls, seconds: float | None, clock: Clock = SYSTEM_CLOCK) -> Deadline:
        """The moment `seconds` from now; None never comes."""
        return cls(None if seconds is None else clock.now() + seconds, clock)

    def remaining(self) -> float | None:
        """Seconds left, never negative; None when the deadline never comes."""
        return None if self.at is None else max(0.0, self.at - self.clock.now())

    @property
    def passed(self) -> bool:
        """Whether the moment has come."""
        return self.at is not None and self.clock.now() >= self.at


def earliest(*times: float | None) -> float | None:
    """The first of these; None stands for never."""
    known = [time for time in times if time is not None]
    return min(known) if known else None

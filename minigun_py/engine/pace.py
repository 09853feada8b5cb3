"""When the next items may go, at a rate. Pure."""

from __future__ import annotations

from typing import Final, Self

from minigun_py.plan.rate import Rate

__all__ = ["Pace"]

CATCH_UP: Final = 0.01
"""Seconds of lateness that are made good: so a fast rate is kept although clocks are coarse."""


class Pace:
    """Lets one item go every `interval` seconds, with no burst after a rest; 0 limits nothing."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._next = 0.0

    @classmethod
    def of(cls, rate: Rate | None) -> Self:
        """The pace of a stage."""
        return cls(rate.interval if rate is not None else 0.0)

    @property
    def limits(self) -> bool:
        """Whether items go one by one."""
        return self._interval > 0

    def allowed(self, now: float) -> bool:
        """Whether an item may go now."""
        return now >= self._next

    def taken(self, now: float) -> None:
        """One has gone."""
        late = now - self._next
        self._next = now + self._interval - (late if 0 < late <= CATCH_UP else 0.0)

    def next_due(self, now: float) -> float | None:
        """When the next may go; None if one may now, so that there is nothing to wait for."""
        return None if self.allowed(now) else self._next

    def wait_time(self, now: float) -> float:
        """Seconds until one may go; 0 if one may now."""
        return max(0.0, self._next - now)

"""Time that passes only when a test says so."""

from __future__ import annotations


class VirtualClock:
    """A `minigun_py.clock.Clock` that stands still until it is advanced."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start

    def now(self) -> float:
        """Seconds since the clock's zero."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass. Time never runs backwards, so they cannot be negative."""
        if seconds < 0:
            raise ValueError(f"a clock advances by 0 s or more, not by {seconds:g} s")
        self._now += seconds

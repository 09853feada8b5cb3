"""How long items take in a stage, as quantiles. Pure.

Times are counted in buckets that grow by a constant factor, so that a quantile is known to within
four percent whatever the range, in constant space and time (as by G. Tene's HdrHistogram, 2012).
Items that travel together are counted with their mean.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Final

from minigun_py.record import record

__all__ = ["SHORTEST", "Latency", "LatencyHistogram"]

PER_OCTAVE: Final = 9
"""Buckets from a time to its double: each 8 percent wide, so its middle is 4 percent away."""

SHORTEST: Final = 1e-9


@record
class Latency:
    """Seconds within which half, nine tenths, and 99 percent of the items were dealt with."""

    p50: float
    p90: float
    p99: float


class LatencyHistogram:
    """Counts times."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self._items = 0

    def add(self, seconds: float, items: int = 1) -> None:
        """Count so many items, each with this time."""
        self._buckets[math.floor(math.log2(max(seconds, SHORTEST)) * PER_OCTAVE)] += items
        self._items += items

    def latency(self) -> Latency | None:
        """The quantiles; None while nothing was counted."""
        if not self._items:
            return None
        return Latency(self._quantile(0.5), self._quantile(0.9), self._quantile(0.99))

    def _quantile(self, share: float) -> float:
        left = math.ceil(share * self._items)
        for bucket in sorted(self._buckets):
            left -= self._buckets[bucket]
            if left <= 0:
                return float(2 ** ((bucket + 0.5) / PER_OCTAVE))
        raise AssertionError("no share is above 1")

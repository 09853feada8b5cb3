"""How many items travel together. Pure.

A chunk spreads the cost of a hop over its items, but holds them back from other workers. So a
chunk is sized by time: about `TARGET_SECONDS` of work, found out by measuring, starting from a
single item and growing by steps. And it is never more than a fair share of what waits, so that
workers finish together and an item that comes alone goes alone.
"""

from __future__ import annotations

from typing import Final

__all__ = ["ChunkSizer", "fair_share"]

TARGET_SECONDS: Final = 0.005
LARGEST_CHUNK: Final = 1024
GROWTH: Final = 4
"""A chunk grows at most by this factor: one cheap item does not promise a thousand."""


def fair_share(waiting: int, workers: int, ending: bool = True) -> int:
    """How many of the waiting items one of several workers may take.

    When it is `ending` and no others will come, a worker that is ready first leaves more of them.
    """
    return max(1, waiting // ((2 if ending else 1) * workers))


class ChunkSizer:
    """The largest chunk that still takes about the target time. `fixed` turns it off."""

    def __init__(self, fixed: int | None = None, largest: int = LARGEST_CHUNK) -> None:
        self._fixed, self._largest = fixed, largest
        self._limit = fixed or 1

    @property
    def limit(self) -> int:
        """The most items that should travel together now."""
        return self._limit

    def measured(self, items: int, seconds: float) -> None:
        """Learn from a chunk: `items` took `seconds` of work."""
        if self._fixed is not None or not items:
            return
        each = seconds / items
        cheap = each * self._largest <= TARGET_SECONDS
        wanted = self._largest if cheap else int(TARGET_SECONDS / each)
        self._limit = max(1, min(wanted, self._limit * GROWTH, self._largest))

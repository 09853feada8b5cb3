"""How many items travel together. Pure.

A chunk spreads the cost of a hop over its items, but holds them back from other workers. So a
chunk is sized by time: about `TARGET_SECONDS` of work, found out by measuring, starting from a
single item and growing by steps. And it is never more than a fair share of what waits, so that
workers finish together and an item that comes alone goes alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from minigun_py.primitives.packed import Packed
from minigun_py.primitives.size import estimated_bytes
from minigun_py.primitives.spool import Values

__all__ = ["LARGEST_CHUNK", "LARGEST_IN_PLACE", "ChunkSizer", "bytes_to_copy", "fair_share"]

TARGET_SECONDS: Final = 0.005
TARGET_BYTES: Final = 512 * 1024
LARGEST_CHUNK: Final = 1024
LARGEST_IN_PLACE: Final = 16 * 1024
"""Of items that go nowhere: each has been dealt with before the next one is drawn."""
GROWTH: Final = 4
"""A chunk grows at most by this factor: one cheap item does not promise a thousand."""


def fair_share(waiting: int, workers: int, ending: bool = True) -> int:
    """How many of the waiting items one of several workers may take.

    When it is `ending` and no others will come, a worker that is ready first leaves more of them.
    """
    return max(1, waiting // ((2 if ending else 1) * workers))


def bytes_to_copy(items: Sequence[Any], outputs: Iterable[Values]) -> int:
    """About how many bytes an item is on its way there or back, as the first of each tells."""
    return max(map(_each_bytes, (items, *outputs)))


def _each_bytes(values: Sequence[Any] | Values) -> int:
    if isinstance(values, list):
        return estimated_bytes(values[0]) if values else 0
    return values.each_bytes if isinstance(values, Packed) else 0


class ChunkSizer:
    """The largest chunk that still takes about so many `seconds`. `fixed` turns it off."""

    def __init__(
        self,
        fixed: int | None = None,
        largest: int = LARGEST_CHUNK,
        seconds: float = TARGET_SECONDS,
    ) -> None:
        self._fixed, self._largest, self._seconds = fixed, largest, seconds
        self.limit = fixed or 1
        """The most items that should travel together now."""

    def measured(self, items: int, seconds: float, each_bytes: int = 0) -> None:
        """Learn from a chunk: `items` took `seconds` of work, and `each_bytes` to copy one."""
        if self._fixed is not None or not items:
            return
        each = seconds / items
        cheap = each * self._largest <= self._seconds
        wanted = self._largest if cheap else int(self._seconds / each)
        if each_bytes:
            wanted = min(wanted, TARGET_BYTES // each_bytes)
        self.limit = max(1, min(wanted, self.limit * GROWTH, self._largest))

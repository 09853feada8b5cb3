"""About how many bytes wait in a channel, and how many more items fit. Pure.

To weigh an item takes a moment, which small items are not worth: as long as the number of items is
what bounds the channel, only some are looked at. From the first one on that is larger, every item
is weighed.

*Threads*: `weigh` runs code of the item, and is called without the lock of the channel; all else
under it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from minigun_py.primitives.packed import Packed

__all__ = ["Scale"]

SAMPLED: Final = 16
"""One item in so many is looked at, while they are small."""


class Scale:
    """The weights of what waits.

    Args:
        size_of: The bytes of an item, about.
        bound: The most bytes that may wait; one item always may.
        capacity: The most items that may wait.
    """

    def __init__(self, size_of: Callable[[Any], int], bound: int, capacity: int) -> None:
        self._size_of, self._bound = size_of, bound
        self._small = bound // (2 * capacity)
        self._unseen = 0  # how many may pass before the next is looked at
        self._waiting: deque[int] = deque()  # the weight of each, once that matters
        self.weighs = False
        """Whether it matters: from the first item on that was worth being weighed."""
        self.bytes = 0
        """About how many bytes wait."""

    def weigh(self, items: Sequence[Any], start: int = 0) -> list[int] | None:
        """The weights of as many items as may fit at the best. None: they are not worth it."""
        if start >= len(items):
            return None
        if not self.weighs:
            self._unseen -= len(items) - start
            if self._unseen > 0:
                return None
            self._unseen = SAMPLED
            if isinstance(items, Packed):
                if items.each_bytes <= self._small:
                    return None
            elif max(self._size_of(items[start]), self._size_of(items[-1])) <= self._small:
                return None
        weights: list[int] = []
        total = 0
        for index in range(start, len(items)):
            weights.append(self._weight(items, index))
            total += weights[-1]
            if total > self._bound:
                break
        return weights

    def _weight(self, items: Sequence[Any], index: int) -> int:
        return items.each_bytes if isinstance(items, Packed) else self._size_of(items[index])

    @property
    def unseen(self) -> int:
        """How many items may be put in that nobody looks at."""
        return 0 if self.weighs else self._unseen - 1

    def fitting(self, weights: Sequence[int]) -> int:
        """How many of these fit now, the first ones first; one if nothing waits."""
        total = self.bytes
        for count, weight in enumerate(weights):
            if total and total + weight > self._bound:
                return count
            total += weight
        return len(weights)

    def pass_by(self, count: int) -> None:
        """So many items are to come that nobody looks at."""
        self._unseen -= count

    def put(self, count: int, weights: Sequence[int] | None, before: int) -> None:
        """So many items are put in, behind so many that were there `before`.

        Not before there are weights: none need be told of what is put in before that.
        """
        if not self.weighs:
            self.weighs = True
            self._waiting.extend([0] * before)
        self._waiting.extend(weights[:count] if weights is not None else [0] * count)
        self.bytes += sum(weights[:count]) if weights is not None else 0

    def take(self, count: int) -> None:
        """So many items are taken out of those that were weighed."""
        for _ in range(count):
            self.bytes -= self._waiting.popleft()

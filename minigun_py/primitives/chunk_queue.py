"""A queue whose items come and go many at a time, and stay together on the way.

*Threads*: none of its own: its owner has a lock. Only `count` may be read without.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, Generic, TypeVar

__all__ = ["ChunkQueue"]

T = TypeVar("T")

LAST: Final = 64
"""So long does the last chunk grow, item by item, before there is another."""


class ChunkQueue(Generic[T]):
    """Items in order, first in, first out."""

    __slots__ = ("_chunks", "count")

    def __init__(self) -> None:
        self._chunks: deque[list[T]] = deque()  # none is empty
        self.count = 0
        """How many there are."""

    def append(self, item: T) -> None:
        """Put one item in."""
        chunks = self._chunks
        if chunks and len(chunks[-1]) < LAST:
            chunks[-1].append(item)
        else:
            chunks.append([item])
        self.count += 1

    def extend(self, items: Sequence[T]) -> None:
        """Put items in."""
        if items:
            self._chunks.append([*items])
            self.count += len(items)

    def take(self, most: int) -> list[T]:
        """Take the first items out, so many, or all if there are fewer."""
        chunks = self._chunks
        taken: list[T] = []
        while chunks and (left := most - len(taken)) > 0:
            chunk = chunks[0]
            if len(chunk) > left:
                taken += chunk[:left]
                del chunk[:left]
            elif taken:
                taken += chunks.popleft()
            else:
                taken = chunks.popleft()
        self.count -= len(taken)
        return taken

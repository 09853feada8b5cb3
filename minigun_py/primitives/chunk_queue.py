"""A queue whose items come and go many at a time, and stay together on the way.

What is `Packed` stays so, unless less than a part of it is wanted.

*Threads*: none of its own: its owner has a lock. Only `count` may be read without.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Final, Generic, TypeVar

from minigun_py.primitives.packed import Packed, joined

__all__ = ["ChunkQueue"]

T = TypeVar("T")

LAST: Final = 64
"""So long does the last chunk grow, item by item, before there is another."""


class ChunkQueue(Generic[T]):
    """Items in order, first in, first out."""

    __slots__ = ("_chunks", "count")

    def __init__(self) -> None:
        self._chunks: deque[list[T] | Packed] = deque()  # none is empty
        self.count = 0
        """How many there are."""

    def append(self, item: T) -> None:
        """Put one item in."""
        chunks = self._chunks
        last = chunks[-1] if chunks else None
        if isinstance(last, list) and len(last) < LAST:
            last.append(item)
        else:
            chunks.append([item])
        self.count += 1

    def extend(self, items: Sequence[T]) -> None:
        """Put items in."""
        if isinstance(items, Packed):
            self._chunks.extend(items.parts())
        elif items:
            self._chunks.append([*items])
        self.count += len(items)

    def take(self, most: int) -> list[T]:
        """Take the first items out: so many, or all if there are fewer.

        What is packed and what is not are not taken together.
        """
        chunks = self._chunks
        if len(chunks) == 1 and isinstance(chunks[0], list) and len(chunks[0]) <= most:
            taken: Any = chunks.popleft()
        else:
            packs = self._whole_packs(most)
            taken = joined(packs) if packs else self._lists(most)
        self.count -= len(taken)
        return taken  # type: ignore[no-any-return]

    def _whole_packs(self, most: int) -> list[Packed]:
        chunks = self._chunks
        packs: list[Packed] = []
        while chunks and isinstance(pack := chunks[0], Packed) and len(pack) <= most:
            most -= len(pack)
            packs.append(pack)
            chunks.popleft()
        return packs

    def _lists(self, most: int) -> list[T]:
        chunks = self._chunks
        if chunks and isinstance(pack := chunks[0], Packed):
            chunks[0] = pack.unpacked()
        taken: list[T] = []
        while chunks and (left := most - len(taken)) > 0:
            chunk = chunks[0]
            if isinstance(chunk, Packed):
                break
            if len(chunk) > left:
                taken += chunk[:left]
                del chunk[:left]
                break
            chunks.popleft()
            if taken:
                taken += chunk
            else:
                taken = chunk
        return taken

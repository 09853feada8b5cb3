"""Order kept across workers: results wait until all before them have come. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

__all__ = ["Reorder"]

T = TypeVar("T")


class Reorder(Generic[T]):
    """Takes results by place and releases them in order of place.

    `bound` is how many places may be open at once, which bounds what can wait.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._waiting: dict[int, T] = {}
        self._next = 0

    def admits(self, place: int) -> bool:
        """Whether work for this place may begin."""
        return place < self._next + self._bound

    def add(self, place: int, result: T) -> Iterator[T]:
        """Take one result in. Yields every result whose turn it is."""
        self._waiting[place] = result
        while self._next in self._waiting:
            yield self._waiting.pop(self._next)
            self._next += 1

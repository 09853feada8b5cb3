"""When a batch is full: by number, or by the time its first item has waited. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

__all__ = ["Batcher"]

T = TypeVar("T")


class Batcher(Generic[T]):
    """Gathers items into lists of `size`; with `max_wait` (seconds) also into shorter ones."""

    def __init__(self, size: int, max_wait: float | None = None) -> None:
        self._size, self._max_wait = size, max_wait
        self._items: list[T] = []
        self._began = 0.0

    @property
    def due(self) -> float | None:
        """When the waiting items have to go, full or not; None while nothing presses."""
        return self._began + self._max_wait if self._items and self._max_wait is not None else None

    def add(self, items: Iterable[T], now: float) -> list[list[T]]:
        """Take items in. Returns the batches that are full, or due at `now`."""
        full: list[list[T]] = []
        for item in items:
            if not self._items:
                self._began = now
            self._items.append(item)
            if len(self._items) == self._size:
                full.append(self._take())
        if self.due is not None and now >= self.due:
            full.append(self._take())
        return full

    def flush(self) -> list[list[T]]:
        """What is left when no item will follow: one short batch, or nothing."""
        return [self._take()] if self._items else []

    def _take(self) -> list[T]:
        batch, self._items = self._items, []
        return batch

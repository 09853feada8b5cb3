"""When a batch is full: by number, by size, by the time its first item has waited. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from minigun_py.primitives.size import estimated_bytes
from minigun_py.record import field, record

__all__ = ["Batcher"]

T = TypeVar("T")


@record(frozen=False)
class _Group(Generic[T]):
    began: float
    items: list[T] = field(default_factory=list)
    numbers: list[range] = field(default_factory=list)
    bytes: int = 0


class Batcher(Generic[T]):
    """Gathers items into lists.

    Args:
        size: Items in a full list.
        max_wait: Seconds after which a list goes although it is not full; None waits.
        key: Items of different keys go into different lists.
        max_bytes: A list does not grow beyond this; an item that alone is larger goes alone.
        max_pending: When all lists together hold so many items, all of them go.
        size_of: The bytes of an item.
    """

    def __init__(
        self,
        size: int,
        max_wait: float | None = None,
        key: Callable[[T], Any] | None = None,
        max_bytes: int | None = None,
        max_pending: int | None = None,
        size_of: Callable[[T], int] | None = None,
    ) -> None:
        self._size, self._max_wait, self._key = size, max_wait, key
        self._max_bytes, self._max_pending = max_bytes, max_pending
        self._size_of = size_of or estimated_bytes
        self._groups: dict[Any, _Group[T]] = {}  # the one that began first comes first
        self._pending = 0
        self.let_go: list[range] = []
        """The numbers of the calls of `add` of which nothing is held any more."""

    @property
    def due(self) -> float | None:
        """When the oldest list has to go, full or not; None while nothing presses."""
        if self._max_wait is None or not self._groups:
            return None
        return next(iter(self._groups.values())).began + self._max_wait

    @property
    def pending(self) -> int:
        """Items in all lists."""
        return self._pending

    def add(self, items: Iterable[T], now: float, number: int = 0) -> list[list[T]]:
        """Take items in. Returns the lists that are due at `now`, and those that are full.

        When all of them have gone, their `number` is in `let_go`. Without keys they go in order.
        Where a key cannot be told it raises, and takes nothing in.
        """
        told = [(item, *self._told(item)) for item in items]
        full = self.take_due(now)  # first: the items that come now are no part of these
        left = len(told)
        if not left:
            self.let_go.append(range(number, number + 1))
        for item, key, bytes_ in told:
            left -= 1
            full += self._add(item, key, bytes_, now, None if left else number)
        return full

    @property
    def takes_many(self) -> bool:
        """Whether items differ in nothing that it looks at."""
        return self._key is None and self._max_bytes is None

    def add_many(self, items: list[T], now: float, number: int) -> list[list[T]]:
        """As `add` for each of them, numbered from `number` on, if it `takes_many`."""
        full = self.take_due(now)
        most = min(self._size, self._max_pending or self._size)
        start = 0
        while start < len(items):
            group = self._groups.setdefault(None, _Group(now))
            some = items[start : start + most - len(group.items)]
            _note(group.numbers, range(number + start, number + start + len(some)))
            group.items += some
            start += len(some)
            self._pending += len(some)
            if len(group.items) == most:
                full.append(self._take(None))
        return full

    def take_due(self, now: float) -> list[list[T]]:
        """The lists that have waited long enough."""
        due: list[list[T]] = []
        while self.due is not None and now >= self.due:
            due.append(self._take(next(iter(self._groups))))
        return due

    def flush(self) -> list[list[T]]:
        """What is left when no item will follow, the oldest list first."""
        return [self._take(key) for key in tuple(self._groups)]

    def _told(self, item: T) -> tuple[Any, int]:
        """The key of an item, which can be hashed, and its bytes."""
        key = None if self._key is None else self._key(item)
        hash(key)
        return key, 0 if self._max_bytes is None else self._size_of(item)

    def _add(self, item: T, key: Any, bytes_: int, now: float, number: int | None) -> list[list[T]]:
        full: list[list[T]] = []
        group = self._groups.get(key)
        if group is not None and self._max_bytes and group.bytes + bytes_ > self._max_bytes:
            full.append(self._take(key))
            group = None
        if group is None:
            group = self._groups[key] = _Group(now)
        group.items.append(item)
        if number is not None:
            _note(group.numbers, range(number, number + 1))
        group.bytes += bytes_
        self._pending += 1
        if len(group.items) == self._size or (self._max_bytes and group.bytes >= self._max_bytes):
            full.append(self._take(key))
        if self._pending == self._max_pending:
            full += self.flush()
        return full

    def _take(self, key: Any) -> list[T]:
        group = self._groups.pop(key)
        self._pending -= len(group.items)
        self.let_go += group.numbers
        return group.items


def _note(numbers: list[range], span: range) -> None:
    if numbers and numbers[-1].stop == span.start:
        numbers[-1] = range(numbers[-1].start, span.stop)
    else:
        numbers.append(span)

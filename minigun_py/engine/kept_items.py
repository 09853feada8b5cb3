"""The items that one worker keeps, as its group knows them. Pure.

They are numbered as the worker has answered for them. It speaks of them as `kept` says: from 0 on
in the lease at hand, and below 0 in those before.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from minigun_py.contexts.answer import Lease
from minigun_py.record import record

__all__ = ["Held", "KeptItems"]


@record(eq=False)
class Held:
    """An item that a worker has taken in."""

    item: Any
    lease: Lease
    """The lease that brought it."""
    origin: int | None
    """Where it comes from, if anybody wants to know."""


class KeptItems:
    """The items of one worker."""

    def __init__(self) -> None:
        self._items: dict[int, Held] = {}
        self._start = self._taken = 0

    def __len__(self) -> int:
        return len(self._items)

    def take_in(self, lease: Lease) -> None:
        """The worker answers for a lease; it keeps all of it until it says otherwise."""
        origins = lease.origins or itertools.repeat(None, len(lease.items))
        self._start, self._taken = self._taken, self._taken + len(lease.items)
        for number, (item, origin) in enumerate(
            zip(lease.items, origins, strict=True), self._start
        ):
            self._items[number] = Held(item, lease, origin)

    def find(self, index: int) -> Held | None:
        """An item, if the worker keeps it."""
        return self._items.get(self._start + index)

    def let_go(self, finished: Iterable[range]) -> list[Held]:
        """The worker has finished with some. Returns those of them that it has kept till now."""
        numbers = (self._start + index for span in finished for index in span)
        gone = (self._items.pop(number, None) for number in numbers)
        return [held for held in gone if held is not None]

    def all(self) -> list[Held]:
        """All that it keeps, the oldest first."""
        return list(self._items.values())

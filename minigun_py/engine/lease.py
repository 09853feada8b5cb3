"""What a context holds, and what becomes of it after a death. Pure.

Every item that left the inbox is in exactly one lease until it is answered for. A lease that comes
back is lent again, with its place, before anything new is.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from minigun_py.contexts.context import Lease

__all__ = ["LeaseBook"]


class LeaseBook:
    """The leases of one worker group."""

    def __init__(self) -> None:
        self._out: set[Lease] = set()
        self._again: deque[Lease] = deque()
        self._next_place = 0

    @property
    def outstanding(self) -> int:
        """Leases lent and not answered, or waiting to be lent again."""
        return len(self._out) + len(self._again)

    @property
    def next_place(self) -> int:
        """The place of the next new lease."""
        return self._next_place

    @property
    def items(self) -> int:
        """Items in all of these."""
        return sum(len(lease.items) for lease in (*self._out, *self._again))

    def lend(self, items: list[Any], last: bool = False) -> Lease:
        """A new lease, with the next place."""
        lease = Lease(self._next_place, items, last)
        self._next_place += 1
        self._out.add(lease)
        return lease

    def lend_again(self) -> Lease | None:
        """A lease that came back, if there is one."""
        if not self._again:
            return None
        lease = self._again.popleft()
        self._out.add(lease)
        return lease

    def done(self, lease: Lease) -> None:
        """The lease was answered for: nothing of it is left."""
        self._out.remove(lease)

    def returned(self, lease: Lease) -> None:
        """The lease came back whole. It is lent again."""
        self._out.remove(lease)
        self._again.append(lease)

    def died(self, lease: Lease, index: int) -> Any:
        """Take the item to blame out of a lease that came back. Returns that item."""
        blamed = lease.items[index]
        lease.items = lease.items[:index] + lease.items[index + 1 :]
        self.returned(lease)
        return blamed

"""What a context holds, and what becomes of it after a death. Pure.

Every item that left the inbox is in exactly one lease until it is answered for. A lease that comes
back is lent again, with its place, before anything new is; where items belong to workers, to the
same worker. Items that a stage *keeps* stay in the book after their lease was answered, until the
worker says that the stage has finished with them; when it vanishes they come back as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from minigun_py.contexts.answer import Lease

__all__ = ["LeaseBook"]


class LeaseBook:
    """The leases of one worker group.

    Args:
        bound: Whether a lease is for one worker, and for that worker again if it comes back.
    """

    def __init__(self, bound: bool = False) -> None:
        self._bound = bound
        self._out: set[Lease] = set()
        self._again: list[Lease] = []
        self._kept: dict[int, _Kept] = {}  # by worker
        self._next_place = 0

    def outstanding(self, worker: int | None = None) -> int:
        """Leases lent and not answered, or waiting to be lent again; to one worker, or to all."""
        leases = (*self._out, *self._again)
        mine = worker is not None and self._bound
        return sum(lease.worker == worker for lease in leases) if mine else len(leases)

    @property
    def next_place(self) -> int:
        """The place of the next new lease."""
        return self._next_place

    @property
    def items(self) -> int:
        """Items in all of these."""
        lent = sum(len(lease.items) for lease in (*self._out, *self._again))
        return lent + sum(len(kept.items) for kept in self._kept.values())

    def lend(
        self,
        items: list[Any],
        last: bool = False,
        worker: int = 1,
        place: int | None = None,
        attempt: int = 1,
    ) -> Lease:
        """A new lease, with the next place unless it has one."""
        if place is None:
            place = self._next_place
            self._next_place += 1
        lease = Lease(place, items, last, worker, attempt=attempt)
        self._out.add(lease)
        return lease

    def lend_again(self, worker: int = 1) -> Lease | None:
        """A lease that came back, if there is one for this worker."""
        mine = [lease for lease in self._again if not self._bound or lease.worker == worker]
        if not mine:
            return None
        lease = min(mine, key=lambda lease: lease.place) if self._bound else mine[0]
        self._again.remove(lease)
        lease.worker = worker
        self._out.add(lease)
        return lease

    def done(self, lease: Lease) -> None:
        """The lease was answered for: nothing of it is left."""
        self._out.remove(lease)

    def hold(self, lease: Lease, finished: Iterable[range]) -> int:
        """The lease was answered for, yet its worker keeps the items that are not `finished`.

        The items of the lease are numbered from 0; those kept of earlier ones are below. Returns
        by how many more the worker keeps now, or fewer if negative.
        """
        self._out.remove(lease)
        kept = self._kept.setdefault(lease.worker, _Kept())
        before, start = len(kept.items), kept.taken
        kept.taken += len(lease.items)
        for number, item in enumerate(lease.items, start):
            kept.items[number] = lease, item
        for span in finished:
            for number in span:
                kept.items.pop(start + number, None)
        return len(kept.items) - before

    def returned(self, lease: Lease) -> None:
        """The lease came back whole. It is lent again."""
        self._out.remove(lease)
        self._again.append(lease)

    def drop(self, lease: Lease) -> None:
        """A lease that came back is not lent again."""
        self._again.remove(lease)

    def vanished(self, worker: int) -> None:
        """What a worker kept is lost: the items that it kept are lent again."""
        again: dict[Lease, list[Any]] = {}
        for lease, item in self._kept.pop(worker, _Kept()).items.values():
            again.setdefault(lease, []).append(item)
        for lease, lease.items in again.items():
            self._again.append(lease)

    def died(self, lease: Lease, index: int) -> Any:
        """Take the item to blame out of a lease that came back. Returns that item."""
        blamed = lease.items[index]
        lease.items = lease.items[:index] + lease.items[index + 1 :]
        self.returned(lease)
        return blamed


@dataclass(slots=True)
class _Kept:
    """What one worker keeps of the leases that it has answered for."""

    taken: int = 0
    """How many items it has answered for; they are numbered by that."""
    items: dict[int, tuple[Lease, Any]] = field(default_factory=dict)

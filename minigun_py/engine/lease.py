"""What a context holds, and what becomes of it after a death. Pure.

Every item that left the inbox is in exactly one lease until it is answered for. A lease that comes
back is lent again, with its place, before anything new is; where items belong to workers, to the
same worker. Items that a stage keeps stay *held* after their lease was answered, until the stage
has emitted something; when their worker vanishes they come back as well.
"""

from __future__ import annotations

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
        self._held: list[Lease] = []
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
        return sum(len(lease.items) for lease in (*self._out, *self._again, *self._held))

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

    def hold(self, lease: Lease, pending: int) -> int:
        """The lease was answered for, and so many items are kept that came last to the worker.

        Returns how many items of earlier leases are answered for by now.
        """
        self._out.remove(lease)
        mine = min(pending, len(lease.items))
        settled = 0
        if pending <= len(lease.items):
            settled = self._settle(lease.worker)
        if mine:
            lease.items = lease.items[len(lease.items) - mine :]
            self._held.append(lease)
        return settled

    def returned(self, lease: Lease) -> None:
        """The lease came back whole. It is lent again."""
        self._out.remove(lease)
        self._again.append(lease)

    def drop(self, lease: Lease) -> None:
        """A lease that came back is not lent again."""
        self._again.remove(lease)

    def vanished(self, worker: int) -> None:
        """What a worker kept is lost: the items that it kept are lent again."""
        self._again += [lease for lease in self._held if lease.worker == worker]
        self._held = [lease for lease in self._held if lease.worker != worker]

    def died(self, lease: Lease, index: int) -> Any:
        """Take the item to blame out of a lease that came back. Returns that item."""
        blamed = lease.items[index]
        lease.items = lease.items[:index] + lease.items[index + 1 :]
        self.returned(lease)
        return blamed

    def _settle(self, worker: int) -> int:
        mine = [lease for lease in self._held if lease.worker == worker]
        self._held = [lease for lease in self._held if lease.worker != worker]
        return sum(len(lease.items) for lease in mine)

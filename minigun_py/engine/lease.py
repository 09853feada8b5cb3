"""What a context holds, and what becomes of it after a death. Pure.

Every item that left the inbox is in exactly one lease until it is answered for. A lease that comes
back is lent again, with its place, before anything new is; where items belong to workers, to the
same worker. Items that a stage *keeps* stay in the book after their lease was answered, until the
worker says that the stage has finished with them; when it vanishes they come back as well.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from minigun_py.contexts.answer import Harvest, Lease
from minigun_py.engine.kept_items import Held, KeptItems
from minigun_py.engine.provenance import Provenance, item_of, provenance_of

__all__ = ["LeaseBook"]


class LeaseBook:
    """The leases of one worker group.

    Args:
        bound: Whether a lease is for one worker, and for that worker again if it comes back.
        keeper: The stage whose items stay in the book until it has finished with them.
        tracked: Whether items are `Tracked`, until they are lent and when they have come back.
    """

    def __init__(
        self, bound: bool = False, keeper: str | None = None, tracked: bool = False
    ) -> None:
        self._bound, self._keeper, self._tracked = bound, keeper, tracked
        self._out: set[Lease] = set()
        self._again: list[Lease] = []
        self._kept: dict[int, KeptItems] = {}  # by worker
        self._next_place = 0

    def outstanding(self, worker: int | None = None) -> int:
        """Leases lent and not answered, or waiting to be lent again; to one worker, or to all."""
        if worker is None or not self._bound:
            return len(self._out) + len(self._again)
        return sum(lease.worker == worker for lease in (*self._out, *self._again))

    @property
    def next_place(self) -> int:
        """The place of the next new lease."""
        return self._next_place

    @property
    def items(self) -> int:
        """Items in all of these."""
        lent = sum(len(lease.items) for lease in (*self._out, *self._again))
        return lent + sum(map(len, self._kept.values()))

    def lend(
        self,
        items: list[Any],
        last: bool = False,
        worker: int = 1,
        place: int | None = None,
        attempt: int = 1,
        flush: bool = False,
    ) -> Lease:
        """A new lease, with the next place unless it has one."""
        if place is None:
            place = self._next_place
            self._next_place += 1
        lease = Lease(place, items, last, worker, flush, attempt)
        if self._tracked:
            lease.items = [tracked.value for tracked in items]
            lease.origins = [tracked.origin for tracked in items]
        self._out.add(lease)
        return lease

    def lend_again(self, worker: int = 1) -> Lease | None:
        """A lease that came back, if there is one for this worker."""
        if not self._again:
            return None
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

        Returns by how many more the worker keeps now, or fewer if negative.
        """
        self._out.remove(lease)
        kept = self._kept.setdefault(lease.worker, KeptItems())
        before = len(kept)
        kept.take_in(lease)
        kept.let_go(finished)
        return len(kept) - before

    def answered(
        self, lease: Lease, harvest: Harvest, again: Collection[int] = ()
    ) -> tuple[int, Provenance | None]:
        """The lease was answered for. What its worker keeps stays in the book.

        Returns by how many items more it keeps now, and where items are tracked what came of
        which; of those `again`, by index, nothing has come yet.
        """
        if not self._tracked:
            if self._keeper is not None:
                return self.hold(lease, harvest.finished), None
            self.done(lease)
            return 0, None
        self._out.remove(lease)
        kept = KeptItems()
        if self._keeper is not None:
            kept = self._kept.setdefault(lease.worker, kept)
        before = len(kept)
        told = provenance_of(lease, harvest, kept, again, self._keeper)
        return 0 if self._keeper is None else len(kept) - before, told

    def returned(self, lease: Lease) -> None:
        """The lease came back whole. It is lent again."""
        self._out.remove(lease)
        self._again.append(lease)

    def drop(self, lease: Lease) -> None:
        """A lease that came back is not lent again."""
        self._again.remove(lease)

    def vanished(self, worker: int) -> None:
        """What a worker kept is lost: the items that it kept are lent again."""
        again: dict[Lease, list[Held]] = {}
        for held in self._kept.pop(worker, KeptItems()).all():
            again.setdefault(held.lease, []).append(held)
        for lease, items in again.items():
            lease.items = [held.item for held in items]
            if self._tracked:
                lease.origins = [held.origin or 0 for held in items]
            self._again.append(lease)

    def died(self, lease: Lease, index: int) -> Any:
        """Take the item to blame out of a lease that came back. Returns that item."""
        blamed = item_of(lease, index)
        lease.items = _without(lease.items, index)
        if lease.origins is not None:
            lease.origins = _without(lease.origins, index)
        self.returned(lease)
        return blamed


def _without(values: Sequence[Any], index: int) -> list[Any]:
    return [*values[:index], *values[index + 1 :]]

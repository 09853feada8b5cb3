"""Which items the outputs of a lease come from: words, and the reading of an answer. Pure.

Where the run has to know what came of its source items, an item travels with the number of its
node in the `lineage`. A worker does not see that: it says what came of which items of its lease.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from minigun_py.contexts.answer import Harvest, Lease
from minigun_py.engine.kept_items import Held, KeptItems
from minigun_py.primitives.size import estimated_bytes
from minigun_py.record import field, record

__all__ = [
    "Latest",
    "Provenance",
    "TracedShare",
    "Tracked",
    "bytes_of",
    "item_of",
    "origin_of",
    "provenance_of",
    "value_of",
]


@record
class Tracked:
    """An item between stages, and its node."""

    value: Any
    origin: int


def item_of(lease: Lease, index: int) -> Any:
    """An item of a lease, as it was before it was lent."""
    if lease.origins is None:
        return lease.items[index]
    return Tracked(lease.items[index], lease.origins[index])


def value_of(item: Any) -> Any:
    """What a stage sees of an item, tracked or not."""
    return item.value if type(item) is Tracked else item


def bytes_of(item: Any) -> int:
    """About how many bytes an item holds, tracked or not."""
    return estimated_bytes(value_of(item))


def origin_of(item: Any) -> int | None:
    """The node of an item, if it is tracked."""
    return item.origin if type(item) is Tracked else None


@record
class TracedShare:
    """What came of some items, by their nodes."""

    finished: list[int]
    """Of the items that are finished with by it."""
    part: int | None
    """Of one more item that has a part in it."""
    lengths: tuple[int, ...]
    """How long each exit was when it had been put out."""


@record(frozen=False)
class Latest:
    """The node of what a stage emitted last, for which there may come more. It has one piece.

    Only where a stage is asked for its outputs one by one.
    """

    node: int | None = None
    over: bool = False
    """Whether nothing more will come."""

    def replace(self, node: int | None) -> list[int]:
        """Another one is the latest. Returns the nodes of which a piece has ended."""
        before, self.node = self.node, node
        return [] if before is None else [before]


@record(frozen=False)
class Provenance:
    """What came of the items that a lease brought, and of those that the worker had kept.

    Attributes:
        shares: In the order of the outputs.
        failures: The node of the item that each failure of the harvest comes from; None if that
            is not known, and all that came of the lease is in doubt.
        not_run: The nodes of items of which nothing was said: the last that failed, and those that
            were left when that ended the work.
        latest: What the outputs of a share belong to that has no items of its own.
    """

    shares: list[TracedShare] = field(default_factory=list)
    failures: list[int | None] = field(default_factory=list)
    not_run: list[int] = field(default_factory=list)
    latest: Latest | None = None


def provenance_of(
    lease: Lease, harvest: Harvest, kept: KeptItems, again: Collection[int], head: str | None
) -> Provenance:
    """Read an answer. `kept` is what the worker keeps: before it, and then after it.

    Items `again`, by index, are taken out of it first. `head` is the stage that keeps items; a
    worker without one comes with nothing kept, and keeps nothing.
    """
    kept.take_in(lease)
    kept.let_go([range(index, index + 1) for index in again])
    told = Provenance()
    for failure in harvest.failures:
        known = head is None or failure.stage == head  # behind it the index tells nothing
        told.failures.append(_origin(kept.find(failure.index)) if known else None)
    for finished, running, lengths in harvest.shares:
        part = None if running is None else kept.find(running)
        items = kept.let_go(finished)
        more = None if part in items else _origin(part)
        told.shares.append(TracedShare(_origins(items), more, lengths))
    if head is None:
        told.not_run = _origins(kept.all())
    return told


def _origin(held: Held | None) -> int | None:
    return None if held is None else held.origin


def _origins(items: list[Held]) -> list[int]:
    return [held.origin for held in items if held.origin is not None]

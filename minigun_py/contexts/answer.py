"""Leases and what is said of them: the words that cross between a worker group and a context."""

from __future__ import annotations

from typing import Any, Final

from minigun_py.errors import ItemTimedOut, WorkerDied
from minigun_py.primitives.spool import Values
from minigun_py.record import field, record

__all__ = [
    "WINDOW",
    "Answer",
    "Broken",
    "Died",
    "Done",
    "Emitted",
    "Harvest",
    "ItemFailure",
    "Lease",
    "Returned",
    "Share",
    "StageCounts",
    "Vanished",
]


@record(frozen=False)
class StageCounts:
    """What became of the items that one stage received; see `engine.ledger` for the books."""

    received: int = 0
    completed: int = 0
    filtered: int = 0
    failed: int = 0
    cancelled: int = 0
    emitted: int = 0
    usual: int = field(default=0, compare=False)
    """Of the emitted, those that were not sent to anybody by name."""

    def add(self, other: StageCounts) -> None:
        """Add the counts of another chunk."""
        self.received += other.received
        self.completed += other.completed
        self.filtered += other.filtered
        self.failed += other.failed
        self.cancelled += other.cancelled
        self.emitted += other.emitted
        self.usual += other.usual


@record
class ItemFailure:
    """A stage failed on an item. `index` is the place in its lease of the item it came from."""

    stage: str
    index: int
    item: Any
    error: Exception
    attempt: int = 1


Share = tuple[list[range], int | None, tuple[int, ...]]
"""What came of some items: those that are finished with by it, as indexes in the lease; one more
that has a part in it, if it was running; and how long each exit was when it had been put out."""


@record(frozen=False)
class Harvest:
    """What a kernel made of a chunk: outputs by exit, counts by stage, and the failures."""

    outputs: list[Values]
    counts: list[StageCounts]
    failures: list[ItemFailure] = field(default_factory=list)
    seconds: float = 0.0
    held: int = 0
    """How many items the first stage keeps, if it keeps items. They count as completed; whether
    they are is for the group to say."""
    finished: list[range] = field(default_factory=list)
    """Which items such a stage has finished with since the last harvest, as indexes in this
    lease; those of earlier leases are below 0."""
    due: float | None = None
    """When, in monotonic seconds, the worker wants a lease even without items."""
    shares: list[Share] = field(default_factory=list)
    """What came of which items, in order, where that was asked for. Nothing is said of items that
    were not run, as one before them has ended the work, nor of that."""


WINDOW: Final = 2
"""Leases at one worker: the one that runs and the next. A busy parent can be 5 ms late. As many
chunks may a source have on their way."""


@record(frozen=False, eq=False)
class Lease:
    """Items lent to a context until it answers for them. `place` orders leases of a group.

    A lease without items is a tick: the kernel looks at the clock. After its `last` one a worker
    emits what it holds.
    """

    place: int
    items: list[Any]
    last: bool = False
    worker: int = 1
    """The worker that it is for, where that is laid down."""
    flush: bool = False
    """The worker emits what it holds, and goes on."""
    attempt: int = 1
    """How often these items have been run by then."""
    origins: list[int] | None = None
    """For each item, where it comes from, if its group wants to know."""


@record
class Done:
    """The kernel has run over the whole lease."""

    lease: Lease
    harvest: Harvest


@record
class Emitted:
    """A worker has put out something of a lease that it goes on with. Only if it `streams`."""

    lease: Lease
    way_out: int
    values: list[Any]


@record
class Died:
    """The worker died while it ran item `index` of the lease. No other result arrived.

    `error` is what the item fails with; `ItemTimedOut` if the worker was killed for that.
    """

    lease: Lease
    index: int
    error: WorkerDied | ItemTimedOut


@record
class Returned:
    """The lease was not started, or its results were lost after all its items had ended.

    `death` tells what the worker died of, if it did.
    """

    lease: Lease
    death: WorkerDied | None = None


@record
class Vanished:
    """A worker died, and what its kernel held with it. Told after all else about the worker."""

    worker: int


@record
class Broken:
    """A worker cannot go on: a setup or teardown raised. The others go on until they are cut."""

    error: Exception


Answer = Done | Emitted | Died | Returned | Vanished | Broken

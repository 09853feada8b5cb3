"""The one seam between what shall run and where it runs, and the words spoken across it.

A worker group (floor 3) opens a context with a kernel and lets it `serve` a stream of leases.
Every lease is answered exactly once (and a worker that cannot go on is told of, as `Broken`)::

    worker group                      context                        worker
        │  leases.receive()  <──────────  serve()
        │  ───── Lease(items) ─────────────> │ ──── items ───────────> kernel.run
        │                                    │ <─── harvest ───────────    │
        │ <─ Done | Died | Returned ──────── │  answer(...)

How each kind fits, which is why the seam is shaped so:

- *inline*: `serve` is the loop itself, in the calling thread.
- *threads*: N such loops, the calling thread being one of them.
- *coroutines*: one loop; `on_ready` wakes it, N tasks await between `receive_nowait` calls.
- *forks, interpreters, fresh processes*: one poll loop over private pipes; it takes leases with
  `receive_nowait`, is woken through `on_ready`, and never blocks, since `answer` does not.
- *a cluster*: one loop over references; a lease is submitted and its reference waited for.

Back-pressure needs no word of its own: the group hands out no lease while the results of
earlier ones wait to be admitted downstream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from minigun_py.clock import Deadline
from minigun_py.errors import ContextError, WorkerDied
from minigun_py.placement import ContextSpec
from minigun_py.primitives.cancel import CancelToken

__all__ = [
    "Answer",
    "BoundCoroutines",
    "BoundKernel",
    "Broken",
    "Control",
    "Died",
    "Done",
    "ExecutionContext",
    "Functions",
    "Harvest",
    "ItemFailure",
    "Kernel",
    "Lease",
    "LeaseReceiver",
    "Post",
    "Returned",
    "StageCounts",
    "Traits",
    "not_open",
]


Functions = Sequence[Callable[..., Any]]
"""What the user wrote for some stages."""


def _nobody_listens() -> None:
    """There is no run that could drain."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What a kind of context can do. The plan reads this and asks for no type."""

    shares_memory: bool
    """The workers see the caller's objects; nothing is pickled."""

    survives_crash: bool
    """A worker that dies takes nothing with it but the item it was running."""

    killable: bool
    """A running item can be stopped by force."""

    inherits_code: bool = True
    """A worker has the stages as they are; else they are sent to it, pickled by value."""

    runs_coroutines: bool = False
    """Stages are coroutine functions, and a worker is a task on a shared event loop."""

    one_lease_each: bool = False
    """A worker runs one lease and ends."""

    recycles: bool = True
    """A worker can be replaced by a fresh one after a number of items."""

    pool: Literal["threads", "processes"] | None = None
    """Among which workers they count where a pipeline sets `max_threads` or `max_processes`."""

    worker: str = "thread"
    """What a worker is, in one or two words."""


@dataclass(slots=True)
class StageCounts:
    """What became of the items that one stage received; see `engine.ledger` for the books."""

    received: int = 0
    completed: int = 0
    filtered: int = 0
    failed: int = 0
    cancelled: int = 0
    emitted: int = 0

    def add(self, other: StageCounts) -> None:
        """Add the counts of another chunk."""
        self.received += other.received
        self.completed += other.completed
        self.filtered += other.filtered
        self.failed += other.failed
        self.cancelled += other.cancelled
        self.emitted += other.emitted


@dataclass(frozen=True, slots=True)
class ItemFailure:
    """A stage failed on an item. `index` is the place in its lease of the item it came from."""

    stage: str
    index: int
    item: Any
    error: Exception


@dataclass(slots=True)
class Harvest:
    """What a kernel made of a chunk: outputs by exit, counts by stage, and the failures."""

    outputs: list[list[Any]]
    counts: list[StageCounts]
    failures: list[ItemFailure] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Control:
    """A worker's line to its run, for `current()`."""

    cancel: CancelToken = field(default_factory=CancelToken)
    drain: Callable[[], None] = _nobody_listens


@dataclass(frozen=True, slots=True)
class Post:
    """Where a worker stands: its number in its context, from 1 on, and its line to the run."""

    worker: int = 1
    control: Control = field(default_factory=Control)


class BoundKernel(Protocol):
    """A kernel with exits of its own. Belongs to one worker and is not shared."""

    def open(self) -> None:
        """Make ready: run what the stages want to have set up. Raises what that raises."""
        ...

    def close(self) -> None:
        """Tear down what `open` has set up, in the reverse order. Can be called twice."""
        ...

    def run(self, items: Iterable[Any], where: Callable[[], int] | None = None) -> None:
        """Run every item through the stages; what they emit goes to the exits.

        `where` tells the index of the running item, where `items` is no list.
        """
        ...

    def finish(self) -> None:
        """Emit what is still held: no item will follow."""
        ...

    def harvest(self, received: int) -> Harvest:
        """Take what came since the last harvest of `received` items, and start anew."""
        ...


class BoundCoroutines(Protocol):
    """As `BoundKernel`, for a task on an event loop. Tasks of a loop share what is set up."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def twin(self, post: Post) -> BoundCoroutines:
        """Another worker on the same loop, with what this one has set up."""
        ...

    async def run(self, items: Sequence[Any]) -> None: ...

    def harvest(self, received: int) -> Harvest: ...


class Kernel(Protocol):
    """The stages of one segment as one function over a chunk."""

    @property
    def control(self) -> Control:
        """The line to the run, in the process of the run."""
        ...

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages, the one that receives the items first."""
        ...

    @property
    def functions(self) -> tuple[Callable[..., Any], ...]:
        """What the user wrote for them."""
        ...

    @property
    def exit_stages(self) -> tuple[int, ...]:
        """For every exit, the index in `stages` of the stage that feeds it."""
        ...

    @property
    def holds(self) -> bool:
        """Whether it keeps items between leases, and so has one worker and needs a last lease."""
        ...

    @property
    def due(self) -> float | None:
        """When, in monotonic seconds, it wants a lease even without items."""
        ...

    def bind(self, exits: Sequence[Any] | None = None, post: Post | None = None) -> BoundKernel:
        """A copy for one worker. An exit is anything with `append` and `extend`."""
        ...

    def bind_coroutines(self, post: Post) -> BoundCoroutines:
        """A copy for the first task of an event loop."""
        ...


@dataclass(slots=True, eq=False)
class Lease:
    """Items lent to a context until it answers for them. `place` orders leases of a group.

    A lease without items is a tick: the kernel looks at the clock. After the `last` one the
    kernel emits what it holds.
    """

    place: int
    items: list[Any]
    last: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """The kernel has run over the whole lease."""

    lease: Lease
    harvest: Harvest


@dataclass(frozen=True, slots=True)
class Died:
    """The worker died while it ran item `index` of the lease. No other result arrived.

    `error` is what the item fails with.
    """

    lease: Lease
    index: int
    error: WorkerDied


@dataclass(frozen=True, slots=True)
class Returned:
    """The lease was not started, or its results were lost after all its items had ended.

    `death` tells what the worker died of, if it did.
    """

    lease: Lease
    death: WorkerDied | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """A worker cannot go on: a setup or teardown raised. The others go on until they are cut."""

    error: Exception


Answer = Done | Died | Returned | Broken


class LeaseReceiver(Protocol):
    """The end of the lease stream that a context holds. It speaks as a channel's receiver."""

    def receive(self, most: int | None = None) -> Lease:
        """Wait for a lease, of at most so many new items.

        Raises `EndOfChannel` at the end, `ChannelAborted` if cut.
        """
        ...

    def receive_nowait(self, most: int | None = None) -> Lease:
        """A lease if there is one now. Raises `WouldBlock` otherwise, and as `receive`."""
        ...

    def on_ready(self, wake: Callable[[], None]) -> None:
        """Have `wake` called, from any thread, when `receive_nowait` may no longer block."""
        ...

    def raise_if_cut(self) -> None:
        """Raises `ChannelAborted` if the stream is cut. For a loop whose workers are all busy."""
        ...


def not_open() -> ContextError:
    """What `serve` raises before `open` and after `close`."""
    return ContextError("the context is not open: it is used in the order open, serve, close")


class ExecutionContext(Protocol):
    """N workers and one kernel. Used in the order open, serve, close; `kill` at any time."""

    traits: Traits

    @staticmethod
    def obstacle(functions: Functions = ()) -> str | None:
        """Why this kind cannot run these functions here and now, in words; None if it can."""
        ...

    def open(self, kernel: Kernel, spec: ContextSpec) -> None:
        """Make ready to serve. A kind that forks does it here, before any thread of a run."""
        ...

    def serve(self, leases: LeaseReceiver, answer: Callable[[Answer], None]) -> None:
        """Run leases until they have ended and each is answered. `answer` never blocks.

        Raises `ContextError` if it is not open.
        """
        ...

    def kill(self, why: str) -> None:
        """End every worker by force, if the kind can. From any thread."""
        ...

    def close(self, deadline: Deadline) -> None:
        """Release everything; workers still alive at the deadline are killed, if they can be."""
        ...

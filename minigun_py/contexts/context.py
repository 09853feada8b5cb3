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
- *forks, interpreters, fresh processes*: one loop over private sockets; it takes leases with
  `receive_nowait`, is woken through `on_ready`, and never blocks, since `answer` does not. So
  one thread can see to all loops of a run, at a `Switchboard`.
- *a cluster*: one loop over references; a lease is submitted and its reference waited for.

Back-pressure needs no word of its own: the group hands out no lease while the results of
earlier ones wait to be admitted downstream.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Protocol

from minigun_py.clock import Deadline
from minigun_py.contexts.answer import Answer, Lease
from minigun_py.contexts.kernel import Functions, Kernel
from minigun_py.errors import ContextError
from minigun_py.placement import ContextSpec
from minigun_py.record import record

if TYPE_CHECKING:
    from minigun_py.contexts.switchboard import Switchboard

__all__ = ["ExecutionContext", "LeaseReceiver", "Traits", "not_open"]


@record
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

    forks: bool = False
    """A worker begins as a copy of the caller's process."""

    polled: bool = False
    """Its workers are behind sockets, and one poll can be for several contexts."""

    pool: Literal["threads", "processes"] | None = None
    """Among which workers they count where a pipeline sets `max_threads` or `max_processes`."""

    worker: str = "thread"
    """What a worker is, in one or two words."""


class LeaseReceiver(Protocol):
    """The end of the lease stream that a context holds. It speaks as a channel's receiver."""

    def receive(self, worker: int, most: int | None = None) -> Lease:
        """Wait for a lease for this worker, of at most so many new items.

        Raises `EndOfChannel` when there will be none for it, `ChannelAborted` if cut.
        """
        ...

    def receive_nowait(self, worker: int, most: int | None = None) -> Lease:
        """A lease if there is one now. Raises `WouldBlock` otherwise, and as `receive`."""
        ...

    @property
    def bound(self) -> bool:
        """Whether a lease is for one worker: the end comes for each of them by itself."""
        ...

    def wait_time(self) -> float | None:
        """Seconds until `receive_nowait` may give something though nothing else happens."""
        ...

    def on_ready(self, wake: Callable[[], None]) -> None:
        """Have `wake` called, from any thread, when `receive_nowait` may no longer block."""
        ...

    @property
    def has_room(self) -> bool:
        """Whether there is room for what workers put out; `on_ready` tells of it."""
        ...

    def wait_for_room(self) -> None:
        """Wait for it. Raises `ChannelAborted` if cut."""
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

    def serve(
        self,
        leases: LeaseReceiver,
        answer: Callable[[Answer], None],
        board: Switchboard | None = None,
    ) -> None:
        """Run leases until they have ended and each is answered. `answer` never blocks.

        A kind that is `polled` does so at the board of its run, if there is one. Another is given
        it if it is to be the visitor there; see `switchboard`.

        Raises `ContextError` if it is not open.
        """
        ...

    def kill(self, why: str) -> None:
        """End every worker by force, if the kind can. From any thread."""
        ...

    def close(self, deadline: Deadline) -> None:
        """Release everything; workers still alive at the deadline are killed, if they can be."""
        ...

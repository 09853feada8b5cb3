"""A worker group between two channels, with a context that does what a test's script says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from engine.growing import chain
from minigun_py.clock import Clock, Deadline
from minigun_py.contexts.answer import Answer, Done, Lease, Vanished
from minigun_py.contexts.context import LeaseReceiver, Traits
from minigun_py.contexts.kernel import Control, Kernel, Post
from minigun_py.engine.bound_segment import BoundSegment
from minigun_py.engine.dispatch import Broadcast
from minigun_py.engine.failure import Policy
from minigun_py.engine.kernel import SegmentKernel, kernel_for
from minigun_py.engine.ledger import Ledger, StageBook
from minigun_py.engine.outbox import Exitway, Outbox
from minigun_py.engine.verdict import Verdict
from minigun_py.engine.worker_group import WorkerGroup
from minigun_py.errors import EndOfChannel, WouldBlock
from minigun_py.events import Observers
from minigun_py.placement import ContextKind, ContextSpec
from minigun_py.plan.segment import Segment
from minigun_py.primitives.cancel import CancelToken
from minigun_py.primitives.channel import Receiver, Sender, open_channel
from minigun_py.testing.clock import VirtualClock

__all__ = ["Scripted", "Stand", "run_lease"]

Script = Callable[["Scripted", LeaseReceiver, Callable[[Answer], None]], None]


class Scripted:
    """A context that serves by a script, and remembers what was asked of it."""

    traits: ClassVar = Traits(shares_memory=True, survives_crash=True, killable=True)

    def __init__(self, script: Script, kernel: SegmentKernel) -> None:
        self._script, self.kernel = script, kernel
        self._workers: dict[int, BoundSegment] = {}
        self.killed: list[str] = []
        self.closed = 0
        self.patience: float | None = None

    def open(self, kernel: Kernel, spec: ContextSpec) -> None:
        """Nothing: the kernel is known."""

    def serve(
        self, leases: LeaseReceiver, answer: Callable[[Answer], None], board: object = None
    ) -> None:
        """What the script says."""
        self._script(self, leases, answer)

    def run(self, lease: Lease) -> Done:
        """The answer of a worker to which nothing happens; the same one if it keeps items."""
        if not self.kernel.holds:
            return run_lease(self.kernel, lease)
        if lease.worker not in self._workers:
            self._workers[lease.worker] = worker = self.kernel.bind(post=Post(lease.worker))
            worker.open()
        return _answer(self._workers[lease.worker], lease)

    def keeps(self, worker: int) -> bool:
        """Whether there is a worker of this number that may keep items."""
        return worker in self._workers

    def lose(self, worker: int) -> Vanished:
        """Forget a worker and all that it keeps; the answer that tells so."""
        self._workers.pop(worker).close()
        return Vanished(worker)

    def kill(self, why: str) -> None:
        """Remember why."""
        self.killed.append(why)

    def close(self, deadline: Deadline) -> None:
        """Remember how long it may take."""
        self.closed += 1
        self.patience = deadline.remaining()
        for worker in self._workers.values():
            worker.close()


def run_lease(kernel: SegmentKernel, lease: Lease) -> Done:
    """Run a lease with a fresh worker."""
    worker = kernel.bind()
    worker.open()
    try:
        return _answer(worker, lease)
    finally:
        worker.close()


class Watched:
    """A receiver with which something happens when items have been taken from it."""

    def __init__(self, receiver: Receiver[Any], when_taken: Callable[[], None]) -> None:
        self._receiver, self._when_taken = receiver, when_taken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._receiver, name)

    def receive_many(self, limit: int, *, deadline: Deadline | None = None) -> list[Any]:
        """As the receiver."""
        items = self._receiver.receive_many(limit, deadline=deadline)
        self._when_taken()
        return items


def _answer(worker: BoundSegment, lease: Lease) -> Done:
    worker.run(lease.items)
    if lease.last or lease.flush:
        worker.finish()
    return Done(lease, worker.harvest(len(lease.items)))


class Stand:
    """A group of one stage, ``a``, with all that it speaks to. The test holds the far ends."""

    def __init__(
        self,
        script: Script,
        function: Callable[[Any], Any] = lambda item: item,
        *,
        segment: Segment | None = None,
        items: Sequence[Any] = (),
        policy: str = "fail",
        workers: int = 1,
        room: int = 1000,
        clock: Clock | None = None,
        when_taken: Callable[[], None] | None = None,
        **options: Any,
    ) -> None:
        spec = ContextSpec(ContextKind.THREAD, workers)
        found = segment or chain({"a": function}, **options)
        found = Segment(found.stages, found.children, found.exits, spec)
        self.clock: Any = clock or VirtualClock()
        self.token = CancelToken(self.clock)
        self.ledger = Ledger(found.stages)
        policies = dict.fromkeys(found.names, Policy(policy))
        self.verdict = Verdict(self.token, self.ledger, policies, Observers(), self.clock)
        self.sender, inbox = _opened(1000, self.clock)
        outbox, self.receiver = _opened(room, self.clock)
        kernel = kernel_for(found, True, self.verdict, Control(self.token))
        self.context = Scripted(script, kernel)
        self.group = WorkerGroup(
            found,
            kernel,
            self.context,
            inbox if when_taken is None else Watched(inbox, when_taken),
            Outbox([Exitway(Broadcast(1), [outbox])]),
            self.ledger,
            self.verdict,
        )

        def cut() -> None:
            inbox.abort(self.token.reason)
            self.receiver.abort(self.token.reason)
            self.group.cut(self.token.reason)

        self.token.on_cancel(cut)
        self.sender.send_many(list(items))

    def run(self) -> list[Any]:
        """Close the inbox, run the group to its end; what came out."""
        self.sender.close()
        self.group.run()
        return self.taken()

    def taken(self) -> list[Any]:
        """What waits behind the group."""
        try:
            return self.receiver.receive_many_nowait(1000)
        except (EndOfChannel, WouldBlock):
            return []

    @property
    def page(self) -> StageBook:
        """The stage's page in the books."""
        return self.ledger.snapshot()["a"]


def _opened(capacity: int, clock: Clock) -> tuple[Sender[Any], Receiver[Any]]:
    return open_channel(capacity, clock=clock)

"""Joins the decisions for one segment: takes chunks, leases them, sends results on.

::

    inbox ──chunk──> lease ──> context.serve ──> answer ──> ledger, verdict
                       ^                            │
                       └── died, returned ──────────┴─────> reorder ──> outbox ──> next inboxes

It decides nothing itself. To its context it is the receiver of leases; see `contexts.context`.

*Threads*: `run` is called by one thread, which owns the context. `receive` and `answer` are called
by the context's workers. *Lock order*: the group's lock guards the lease book, the sizer and the
reorder buffer, and the outbox is fed under it so that order is kept; it is taken before any
channel's. Callbacks and waits happen without it, but for the wait on its own condition. Where
order is kept a worker takes the turn before it, and holds it until the items that it waited for
have their place: whoever waits for the turn wants the same, and a cut ends that wait.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from minigun_py.clock import Clock, Deadline
from minigun_py.contexts.context import (
    Answer,
    Broken,
    Died,
    Done,
    ExecutionContext,
    Harvest,
    ItemFailure,
    Kernel,
    Lease,
    Returned,
)
from minigun_py.engine.chunking import ChunkSizer, fair_share
from minigun_py.engine.lease import LeaseBook
from minigun_py.engine.ledger import Ledger
from minigun_py.engine.outbox import Outbox
from minigun_py.engine.reorder import Reorder
from minigun_py.engine.verdict import Verdict
from minigun_py.errors import ChannelAborted, ContextError, EndOfChannel, WouldBlock
from minigun_py.plan.segment import Segment
from minigun_py.primitives.channel import Receiver

__all__ = ["WorkerGroup"]

OPEN_PLACES = 4
"""Leases per worker that may be begun while an earlier one is not answered, to keep order."""

EXIT_SECONDS = 5.0
"""How long idle workers may take to end by themselves when their leases have ended."""


class WorkerGroup:
    """The workers of one segment, with their inbox and their outbox."""

    def __init__(
        self,
        segment: Segment,
        kernel: Kernel,
        context: ExecutionContext,
        inbox: Receiver[Any],
        outbox: Outbox,
        ledger: Ledger,
        verdict: Verdict,
    ) -> None:
        self.name = segment.head.name
        self._kernel, self._context = kernel, context
        self._inbox, self._outbox = inbox, outbox
        self._ledger, self._verdict = ledger, verdict
        self._clock: Clock = verdict.clock
        self._changed = threading.Condition()
        self._turn = threading.Lock() if segment.head.options.ordered else nullcontext()
        self._book = LeaseBook()
        options = segment.head.options
        self._workers = segment.spec.workers
        chunk = options.chunk or (1 if context.traits.one_lease_each else None)
        self._sizer = ChunkSizer(chunk, largest=options.queue_size)
        self._reorder: Reorder[list[list[Any]]] | None = None
        if options.ordered:
            self._reorder = Reorder(OPEN_PLACES * self._workers)
        self._closing = False
        self._cut: ChannelAborted | None = None
        self._wakes: list[Callable[[], None]] = []
        self._blocked_since: float | None = None

    def run(self) -> None:
        """Serve until the inbox ends or is cut, then release everything."""
        patience = 0.0
        try:
            self._context.serve(self, self.answer)
            self._outbox.deliver()
            patience = EXIT_SECONDS
        except ChannelAborted:
            pass  # the verdict knows why
        except ContextError as error:
            if self._cut is None:
                self._verdict.lane_failed(self.name, error)  # else killed, and it knows why
        except BaseException as error:
            self._verdict.lane_failed(self.name, error)
        finally:
            self._end(patience)

    def drain(self) -> None:
        """Nothing: it ends when those before it have ended."""

    def kill(self, why: str) -> None:
        """End the workers by force, where the context can."""
        self._context.kill(why)

    def receive(self, most: int | None = None) -> Lease:
        """For a worker thread: wait for room downstream, for its turn, and for items."""
        self._outbox.deliver()
        self._note_unblocked()
        with self._turn:
            return self._take(most)

    def receive_nowait(self, most: int | None = None) -> Lease:
        """For a poll loop: a lease if downstream has room and there is one."""
        if not self._outbox.flush():
            raise WouldBlock("downstream is full")
        self._note_unblocked()
        with self._changed:
            again = None if self._closing else self._book.lend_again()  # a cut lends nothing
            if again is not None:
                return again
            if not self._admits():
                raise WouldBlock("earlier leases have to be answered first")
            outstanding = self._book.outstanding
        try:
            items = self._inbox.receive_many_nowait(self._share(most))
        except EndOfChannel:
            if outstanding:
                raise WouldBlock("leases may come back") from None
            raise
        return self._lend(items)

    def on_ready(self, wake: Callable[[], None]) -> None:
        """Have `wake` called when `receive_nowait` may give something."""
        with self._changed:
            self._wakes.append(wake)
        self._inbox.on_ready(wake)
        self._outbox.on_ready(wake)

    def raise_if_cut(self) -> None:
        """Raises `ChannelAborted` once the run is cut."""
        if self._cut is not None:
            raise self._cut

    def cut(self, reason: object) -> None:
        """End every wait of the workers; the channels are aborted by now."""
        with self._changed:
            self._closing, self._cut = True, ChannelAborted(reason)
            self._changed.notify_all()
            wakes = tuple(self._wakes)
        for wake in wakes:
            wake()

    def answer(self, answer: Answer) -> None:
        """Take an answer. Never blocks."""
        match answer:
            case Done(lease, harvest):
                self._done(lease, harvest)
            case Died(lease, index, error):
                with self._changed:
                    item = self._book.died(lease, index)
                self._ledger.failed(self.name)
                self._verdict.items_failed([ItemFailure(self.name, index, item, error)])
                self._verdict.worker_died(self.name, error)
            case Returned(lease, death):
                with self._changed:
                    self._book.returned(lease)
                if death is not None:
                    self._verdict.worker_died(self.name, death)
            case Broken(error):
                self._verdict.lane_failed(self.name, error)

    def _done(self, lease: Lease, harvest: Harvest) -> None:
        self._ledger.harvested(self._kernel.stages, harvest)
        if harvest.failures:
            self._verdict.items_failed(harvest.failures)
        with self._changed:
            self._book.done(lease)
            self._sizer.measured(len(lease.items), harvest.seconds)
            if self._reorder is None:
                self._outbox.put(harvest.outputs)
            else:
                for outputs in self._reorder.add(lease.place, harvest.outputs):
                    self._outbox.put(outputs)
                self._changed.notify_all()
            if self._outbox and self._blocked_since is None:
                self._blocked_since = self._clock.now()

    def _take(self, most: int | None) -> Lease:
        with self._changed:
            while not self._admits():
                self._changed.wait()  # ended by an answer, or by `cut`
        due = self._kernel.due
        try:
            deadline = None if due is None else Deadline(due, self._clock)
            items = self._inbox.receive_many(self._share(most), deadline=deadline)
        except WouldBlock:
            return self._lend([])
        except EndOfChannel:
            return self._last_lease()
        return self._lend(items)

    def _admits(self) -> bool:
        return self._closing or self._reorder is None or self._reorder.admits(self._book.next_place)

    def _share(self, most: int | None) -> int:
        fair = min(self._sizer.limit, fair_share(self._inbox.waiting, self._workers))
        return fair if most is None else min(fair, most)

    def _lend(self, items: list[Any], last: bool = False) -> Lease:
        with self._changed:
            return self._book.lend(items, last)

    def _last_lease(self) -> Lease:
        """At the end of the stream: once more for a kernel that holds items, then the end."""
        with self._changed:
            if self._kernel.holds and not self._closing:
                self._closing = True
                return self._book.lend([], last=True)
        raise EndOfChannel("every lease was given")

    def _note_unblocked(self) -> None:
        with self._changed:
            since, self._blocked_since = self._blocked_since, None
        if since is not None:
            self._ledger.waited(self.name, blocked=self._clock.now() - since)

    def _end(self, patience: float) -> None:
        try:
            self._context.close(Deadline.after(patience, self._clock))
        finally:
            with self._changed:
                lost = self._book.items
            if lost:
                self._ledger.cancelled(self.name, lost)
            self._inbox.close()
            self._outbox.close()
            self._ledger.inbox_closed(self.name, self._inbox.statistics())
            self._verdict.stages_ended(self._kernel.stages)

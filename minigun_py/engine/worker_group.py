"""Joins the decisions for one segment: leases go out, answers come in, results are sent on.

::

    inbox ──> lending ──lease──> context.serve ──> answer ──> ledger, verdict
                 ^                                    │
                 └── died, returned, tried again ─────┴─────> order ──> outbox ──> next inboxes

It decides nothing itself: `Lending` says which lease is next, `Retry` whether an item is tried
again, the verdict what a failure means.

*Threads*: `run` is called by one thread, which owns the context; `answer` by the context's workers.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from minigun_py.clock import Deadline
from minigun_py.contexts.answer import (
    Answer,
    Broken,
    Died,
    Done,
    Emitted,
    Harvest,
    ItemFailure,
    Lease,
    Returned,
    Vanished,
)
from minigun_py.contexts.context import ExecutionContext, LeaseReceiver
from minigun_py.contexts.kernel import Kernel
from minigun_py.engine.dead_letters import LetterBoxes
from minigun_py.engine.delivery import Delivery
from minigun_py.engine.emitted import with_note
from minigun_py.engine.inlet import Inlet
from minigun_py.engine.ledger import Ledger
from minigun_py.engine.lending import Lending
from minigun_py.engine.loop import Loop
from minigun_py.engine.outbox import Outbox
from minigun_py.engine.permits import Permits, PermittedLeases
from minigun_py.engine.provenance import item_of, origin_of, value_of
from minigun_py.engine.sabotage import hold_for
from minigun_py.engine.verdict import Verdict
from minigun_py.errors import ChannelAborted, ContextError, ItemTimedOut, WorkerDied
from minigun_py.plan.segment import Segment
from minigun_py.primitives.spool import Values
from minigun_py.record import replace

if TYPE_CHECKING:
    from minigun_py.contexts.switchboard import Switchboard
    from minigun_py.engine.tracking import Tracking

__all__ = ["OPEN_PLACES", "WorkerGroup"]

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
        inbox: Inlet,
        outbox: Outbox,
        ledger: Ledger,
        verdict: Verdict,
        loop: Loop | None = None,
        permits: Permits | None = None,
        tracking: Tracking | None = None,
        board: Switchboard | None = None,
    ) -> None:
        self.name = segment.head.name
        self._retry = segment.head.options.retry
        self._kernel, self._context = kernel, context
        self._inbox, self._outbox = inbox, outbox
        self._ledger, self._verdict = ledger, verdict
        self._letter_boxes, self._tracking = LetterBoxes(segment), tracking
        self._left: dict[Lease, int] = {}  # of leases at work: how many outputs have left
        in_order = segment.head.options.ordered and not kernel.holds
        self._board = board
        self._permits, self._hold = permits, hold_for(self.name)
        self._delivery = Delivery(
            outbox,
            OPEN_PLACES * segment.spec.workers if in_order else None,
            verdict.clock,
            lambda seconds: ledger.waited(self.name, blocked=seconds),
        )
        self._lending = Lending(
            segment,
            kernel,
            context.traits,
            inbox,
            self._delivery,
            loop,
            verdict.clock,
            self._refuse,
            tracking is not None,
        )

    def run(self) -> None:
        """Serve until the inbox ends or is cut, then release everything."""
        patience = 0.0
        try:
            leases: LeaseReceiver = self._lending
            if self._permits is not None:
                leases = PermittedLeases(self._lending, self._permits)
            if self._hold is not None:
                self._lending.wait_for(self._hold)
            self._context.serve(leases, self.answer, self._board)
            self._outbox.deliver()
            patience = EXIT_SECONDS
        except ChannelAborted:
            pass  # the verdict knows why
        except ContextError as error:
            if not self._lending.is_cut:
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

    def cut(self, reason: object) -> None:
        """End every wait of the workers; the channels are aborted by now."""
        self._lending.cut(reason)
        if self._permits is not None:
            self._permits.wake()

    @property
    def load(self) -> int:
        """How many items wait here, or are being worked on."""
        return self._lending.load

    def answer(self, answer: Answer) -> None:
        """Take an answer. Never blocks."""
        if self._permits is not None and isinstance(answer, Done | Died | Returned):
            self._permits.give_back()
        match answer:
            case Done(lease, harvest):
                self._done(lease, harvest)
            case Emitted(lease, way_out, values):
                self._put_out(lease, way_out, values)
            case Died(lease, index, error):
                self._died(lease, index, error)
            case Returned(lease, death) if lease in self._left:
                self._died(lease, 0, death or WorkerDied("the worker ended before it had answered"))
            case Returned(lease, death):
                self._lending.returned(lease)
                if death is not None:
                    self._verdict.worker_died(self.name, death)
            case Vanished(worker):
                self._lending.vanished(worker)
            case Broken(error):
                self._verdict.lane_failed(self.name, error)

    def _put_out(self, lease: Lease, way_out: int, values: list[Any]) -> None:
        """Outputs leave before their item has ended; the lease has no other item."""
        self._left[lease] = self._left.get(lease, 0) + len(values)
        if self._tracking is not None and lease.origins is not None:
            copies = self._outbox.copies[way_out]
            values = self._tracking.taken_along(values, lease.origins[0], copies)
        ways = len(self._outbox.copies)
        self._delivery.put_aside([values if n == way_out else [] for n in range(ways)])

    def _done(self, lease: Lease, harvest: Harvest) -> None:
        items = len(lease.items)
        left = self._left.pop(lease, 0)
        again: list[ItemFailure] = []
        if harvest.failures:
            harvest.failures = [with_note(failure, left) for failure in harvest.failures]
            again = self._take_out_what_is_tried_again(lease, harvest, left)
        outputs = self._taken_in(lease, harvest, {failure.index for failure in again})
        for failure in again:
            self._try_again(lease, item_of(lease, failure.index), failure.error)
        if not (again and self._delivery.keeps_order):  # then its place is still taken
            self._delivery.put(lease.place, outputs)
        self._lending.delivered(lease, items - len(again), harvest)

    def _taken_in(self, lease: Lease, harvest: Harvest, again: Collection[int]) -> list[Values]:
        """Enter an answer in all books. Returns what is sent on, dead letters last."""
        told = self._lending.done(lease, harvest, again)
        self._ledger.harvested(self._kernel.stages, harvest)
        decided = self._verdict.items_failed(harvest.failures) if harvest.failures else []
        if self._tracking is None or told is None:
            return [*harvest.outputs, *self._letter_boxes.sort(decided)]
        actions = self._letter_boxes.copies(decided)
        copies = self._outbox.copies[: len(harvest.outputs)]
        outputs, blamed = self._tracking.trace(told, harvest, copies, actions)
        return [*outputs, *self._letter_boxes.sort(decided, blamed)]

    def _take_out_what_is_tried_again(
        self, lease: Lease, harvest: Harvest, left: int
    ) -> list[ItemFailure]:
        """The failures that are none yet; they are no part of the harvest any more."""
        mine = [] if left else [f for f in harvest.failures if f.stage == self.name]
        again = [failure for failure in mine if self._is_tried_again(failure.error, lease)]
        if again:
            harvest.failures = [f for f in harvest.failures if f not in again]
            harvest.counts[0].received -= len(again)
            harvest.counts[0].failed -= len(again)
        if lease.attempt > 1:
            harvest.failures = [self._counted(f, lease.attempt) for f in harvest.failures]
        return again

    def _counted(self, failure: ItemFailure, attempt: int) -> ItemFailure:
        return replace(failure, attempt=attempt) if failure.stage == self.name else failure

    def _died(self, lease: Lease, index: int, death: WorkerDied | ItemTimedOut) -> None:
        left = self._left.pop(lease, 0)
        again = not left and self._is_tried_again(death, lease)
        item = self._lending.died(lease, index, again)
        if again:
            self._try_again(lease, item, death)
        else:
            failure = ItemFailure(self.name, index, value_of(item), death, lease.attempt)
            self._ledger.emitted(self.name, left)
            self._has_failed(with_note(failure, left), origin_of(item))
        if isinstance(death, WorkerDied):
            self._verdict.worker_died(self.name, death)

    def _is_tried_again(self, error: Exception, lease: Lease) -> bool:
        retries = self._retry is not None and not self._lending.is_cut
        return retries and self._retry.allows(error, lease.attempt)  # type: ignore[union-attr]

    def _try_again(self, lease: Lease, item: Any, error: Exception) -> None:
        assert self._retry is not None
        wait = self._retry.wait(lease.attempt)
        self._ledger.retried(self.name)
        self._verdict.item_retried(self.name, value_of(item), error, lease.attempt, wait)
        self._lending.try_again(lease, item, wait)

    def _refuse(self, item: Any, error: Exception) -> None:
        """The key of an item cannot be told, which fails the item."""
        self._has_failed(ItemFailure(self.name, 0, value_of(item), error), origin_of(item))

    def _has_failed(self, failure: ItemFailure, origin: int | None) -> None:
        """An item has ended without an answer of a worker."""
        self._ledger.failed(self.name)
        decided = self._verdict.items_failed([failure])
        letters = self._letter_boxes.sort(decided, [origin])
        if self._tracking is not None and origin is not None:
            for action, copies in self._letter_boxes.copies(decided):
                self._tracking.failed(origin, action, copies)
        if any(letters):
            self._delivery.put_aside([*([] for _ in self._kernel.exit_stages), *letters])
        self._lending.ended()

    def _end(self, patience: float) -> None:
        try:
            self._context.close(Deadline.after(patience, self._verdict.clock))
        finally:
            lost = self._lending.close()
            if lost:
                self._ledger.cancelled(self.name, lost)
            self._outbox.close()
            self._ledger.inbox_closed(self.name, self._inbox.statistics())
            self._verdict.stages_ended(self._kernel.stages)

"""Which lease a worker gets next: the stream of leases of one group.

To a context it is the receiver of leases; see `contexts.context`. What comes first: a lease that
came back after a death, an item that is due for another attempt, a lease without items for a
worker that is due, new items as far as order, the rate and the waiting room admit, and at the end
a last lease for each worker that may keep items.

*Threads*: everything may be called from any thread. *Lock order*: the lock guards the book and
what is kept beside it. It is taken before any channel's; callbacks, and waits for a channel, happen
without it. Where order is kept a worker takes the turn before it, and holds it until the items
that it waited for have their place: whoever waits for the turn wants the same, and a cut ends that
wait.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from typing import Any

from minigun_py.clock import Clock
from minigun_py.contexts.answer import Harvest, Lease
from minigun_py.contexts.context import Traits
from minigun_py.contexts.kernel import Kernel
from minigun_py.engine.chunking import ChunkSizer, bytes_to_copy, fair_share
from minigun_py.engine.delivery import Delivery
from minigun_py.engine.dues import Dues
from minigun_py.engine.inlet import Inlet
from minigun_py.engine.intake import Inbox, Intake, shelves_by
from minigun_py.engine.keeping import Keeping
from minigun_py.engine.lease import LeaseBook
from minigun_py.engine.loop import Loop, Stalled
from minigun_py.engine.pace import Pace
from minigun_py.engine.provenance import Provenance
from minigun_py.engine.sabotage import Hold
from minigun_py.engine.waiting_room import WaitingRoom
from minigun_py.errors import ChannelAborted, EndOfChannel, WouldBlock
from minigun_py.plan.segment import Segment

__all__ = ["Lending"]


class Lending:
    """The leases of one group.

    Args:
        segment: The stages, with their workers.
        kernel: The same as code.
        traits: What the context can do.
        inbox: Where items come from.
        delivery: Where results go: while some wait there, nothing is lent.
        loop: The loop that the segment is within.
        clock: Tells what is due.
        refuse: Is told of an item whose key cannot be told, and why.
        tracked: Whether it has to be known what came of which items.
    """

    def __init__(
        self,
        segment: Segment,
        kernel: Kernel,
        traits: Traits,
        inbox: Inlet,
        delivery: Delivery,
        loop: Loop | None,
        clock: Clock,
        refuse: Callable[[Any, Exception], None],
        tracked: bool = False,
    ) -> None:
        options, self._workers = segment.head.options, segment.spec.workers
        self._kernel, self._inbox, self._delivery, self._clock = kernel, inbox, delivery, clock
        key = segment.head.worker_key if self._workers > 1 else None
        self._intake: Intake = Inbox(inbox, self._workers)
        if key is not None:
            self._intake = shelves_by(key, inbox, self._workers, options.queue_size, refuse)
        self.bound = bound = kernel.holds or key is not None
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._turn = threading.Lock() if options.ordered else None
        remembers = kernel.holds and (tracked or traits.survives_crash)
        self._book = LeaseBook(bound, kernel.stages[0] if remembers else None, tracked)
        self._together, self._copied = traits.runs_coroutines, not traits.shares_memory
        self._keeping = Keeping(kernel.holds and not traits.one_lease_each, self._together, loop)
        self._waiting = WaitingRoom(options.queue_size, bound)
        self._retries = options.retry is not None
        self._pace = Pace.of(options.rate)
        self._is_paced = self._pace.limits
        self._dues = Dues(self._keeping, self._waiting, self._pace, clock)
        self.wait_time: Callable[[], float | None] = self._dues.wait_time
        """Seconds until something is due though nothing comes; None for never."""
        one_by_one = kernel.streams or traits.one_lease_each or (options.ordered and self._retries)
        self._sizer = ChunkSizer(1 if one_by_one else options.chunk, largest=options.queue_size)
        self._closing, self._wakes = False, list[Callable[[], None]]()
        self._cut: ChannelAborted | None = None

    # ------------------------------------------------------------- for the context

    def receive(self, worker: int, most: int | None = None) -> Lease:
        """For a worker thread: wait for room downstream, for its turn, and for items."""
        self._delivery.wait()
        if self._turn is None:
            return self._receive(worker, most)
        with self._turn:
            return self._receive(worker, most)

    def receive_nowait(self, worker: int, most: int | None = None) -> Lease:
        """For a loop that polls: a lease if downstream has room and there is one."""
        self.raise_if_cut()
        if not self._delivery.flush():
            raise WouldBlock("downstream is full")
        now = self._clock.now()
        allowed = not self._is_paced or self._pace.allowed(now)
        with self._lock:
            lease = self._lend_again(worker, now) if allowed else None
            if lease is not None:
                self._pace.taken(now)
                return lease
            if not self._admits():
                raise WouldBlock("earlier leases have to be answered first")
            outstanding = self._book.outstanding(None if self._together else worker)
        if self._keeping.is_due(worker, now):
            return self._lend([], worker)
        if not allowed:
            raise WouldBlock("the rate allows no item yet")
        try:
            items = self._intake.take_nowait(worker, self._share(worker, most))
        except Stalled:
            if not self._keeping.holds(worker) or outstanding or self._waiting:
                raise
            return self._lend([], worker, flush=True)
        except EndOfChannel:
            if outstanding or self._waiting.waits_for(worker):
                raise WouldBlock("leases may come back") from None
            return self._last_lease(worker)
        if self._is_paced:
            self._pace.taken(now)
        return self._lend(items, worker)

    def on_ready(self, wake: Callable[[], None]) -> None:
        """Have `wake` called when `receive_nowait` may give something."""
        self._wakes.append(wake)
        self._intake.on_ready(wake)
        self._delivery.on_ready(wake)

    @property
    def has_room(self) -> bool:
        """Whether there is room for what workers put out."""
        return self._delivery.flush()

    def wait_for_room(self) -> None:
        """Wait for it, or until the run is cut."""
        self._delivery.wait()

    def raise_if_cut(self) -> None:
        """Raises `ChannelAborted` once the run is cut."""
        if self._cut is not None:
            raise self._cut

    # ------------------------------------------------------------- for the group

    @property
    def is_cut(self) -> bool:
        """Whether the run is cut."""
        return self._cut is not None

    @property
    def load(self) -> int:
        """How many items wait here, or are being worked on."""
        return self._inbox.waiting + self._book.items + len(self._waiting)

    def cut(self, reason: object) -> None:
        """End every wait of the workers; the channels are aborted by now."""
        with self._lock:
            self._closing, self._cut = True, ChannelAborted(reason)
        self.wake_all()

    def wake_all(self) -> None:
        """Have every worker look again."""
        with self._lock:
            self._changed.notify_all()
        for wake in tuple(self._wakes):
            wake()

    def done(
        self, lease: Lease, harvest: Harvest, again: Collection[int] = ()
    ) -> Provenance | None:
        """A lease was answered for: close the book on it, but for items that its worker keeps.

        Returns what came of which items, if that has to be known; of those `again` nothing has.
        """
        each_bytes = bytes_to_copy(lease.items, harvest.outputs) if self._copied else 0
        with self._lock:
            self._sizer.measured(len(lease.items), harvest.seconds, each_bytes)
            more, told = self._book.answered(lease, harvest, again)
        harvest.counts[0].received -= more
        harvest.counts[0].completed -= more
        return told

    def delivered(self, lease: Lease, items: int, harvest: Harvest) -> None:
        """What came of so many items of a lease is on its way."""
        if not (self._keeping.is_kept or self._delivery.keeps_order or harvest.due is not None):
            return
        with self._lock:
            emptied = lease.flush or lease.last
            self._keeping.answered(lease.worker, items, harvest, emptied)
            if self._delivery.keeps_order:
                self._changed.notify_all()

    def try_again(self, lease: Lease, item: Any, wait: float) -> None:
        """Let an item of a lease, as it came, wait for another attempt."""
        at = self._clock.now() + wait
        with self._lock:
            self._waiting.add(item, lease.attempt + 1, at, lease.worker, lease.place)
        self.wake_all()

    def died(self, lease: Lease, index: int, tried_again: bool) -> Any:
        """A worker died on an item of a lease; the others will be lent again. Gives the item."""
        with self._lock:
            item = self._book.died(lease, index)
            if tried_again and self._delivery.keeps_order:  # its place is still taken
                self._book.drop(lease)
            return item

    def returned(self, lease: Lease) -> None:
        """A lease came back; it will be lent again."""
        with self._lock:
            self._book.returned(lease)

    def vanished(self, worker: int) -> None:
        """What a worker kept is lost; its items will be lent again."""
        with self._lock:
            self._book.vanished(worker)
            self._keeping.vanished(worker)
        self.wake_all()

    def ended(self) -> None:
        """An item has ended without an answer."""
        self._keeping.ended()

    def wait_for(self, hold: Hold) -> None:
        """Wait until the workers may begin, or a cut."""
        hold.on_release(self.wake_all)
        with self._lock:
            while hold.held and not self._closing:
                self._changed.wait()  # ended by `wake_all`

    def close(self) -> int:
        """Take and lend nothing more. Returns how many items were on their way here."""
        with self._lock:
            lost = self._book.items + self._waiting.clear()
        return lost + self._intake.close()

    # ------------------------------------------------------------- inside

    def _receive(self, worker: int, most: int | None) -> Lease:
        while (lease := self._wait_for_lease(worker, most)) is None:
            pass
        if lease.items and self._is_paced:
            self._wait_for_pace()
        return lease

    def _wait_for_lease(self, worker: int, most: int | None) -> Lease | None:
        """Wait for a lease; None if the wait was for nothing and has to be begun again."""
        self.raise_if_cut()
        with self._lock:
            lease = self._lend_again(worker, self._clock.now())
            if lease is not None:
                return lease
            if not self._admits():
                self._changed.wait(self._dues.wait_time_of(worker))  # or until an answer, or a cut
                return None
            share = self._share(worker, most)
        try:
            items = self._intake.take(worker, share, self._dues.deadline(worker))
        except WouldBlock as error:
            return self._lend_without_items(worker, stalled=isinstance(error, Stalled))
        except EndOfChannel:
            with self._lock:
                if self._waiting.waits_for(worker):
                    self._changed.wait(self._dues.wait_time_of(worker))
                    return None
            return self._last_lease(worker)
        return self._lend(items, worker)

    def _lend_without_items(self, worker: int, stalled: bool) -> Lease | None:
        """After a wait for items that has ended without any."""
        if stalled and not self._keeping.holds(worker):  # another worker's flush will help
            self._inbox.wait_while_stalled()  # type: ignore[attr-defined]
            return None
        if stalled or self._keeping.is_due(worker, self._clock.now()):
            return self._lend([], worker, flush=stalled)
        return None

    def _lend_again(self, worker: int, now: float) -> Lease | None:
        """A lease that came back, or an item that is due for another attempt."""
        if self._closing:  # a cut lends nothing
            return None
        lease = self._book.lend_again(worker)
        if lease is not None or not self._retries:
            return lease
        again = self._waiting.take(now, worker)
        if again is None:
            return None
        place = again.place if self._delivery.keeps_order else None
        return self._book.lend([again.item], worker=worker, place=place, attempt=again.attempt)

    def _admits(self) -> bool:
        """Whether new items may be taken in."""
        if self._closing:
            return True
        if self._retries and self._waiting.full:
            return False
        return not self._delivery.keeps_order or self._delivery.admits(self._book.next_place)

    def _share(self, worker: int, most: int | None) -> int:
        """How many items a worker may take now; one by one where there is a rate."""
        intake, share = self._intake, 1 if self._is_paced else self._sizer.limit
        if share > 1 and intake.takers > 1:
            share = min(share, fair_share(intake.waiting(worker), intake.takers, intake.ending))
        return share if most is None else min(share, most)

    def _wait_for_pace(self) -> None:
        """Wait until the rate allows the item that was taken."""
        with self._lock:
            while not self._pace.allowed(self._clock.now()):
                self._changed.wait(self._pace.wait_time(self._clock.now()))  # or until a cut
                self.raise_if_cut()
            self._pace.taken(self._clock.now())

    def _lend(self, items: list[Any], worker: int, flush: bool = False) -> Lease:
        with self._lock:
            self._keeping.lent(worker)
            return self._book.lend(items, worker=worker, flush=flush)

    def _last_lease(self, worker: int) -> Lease:
        """At the end: once more for each worker whose kernel may hold items, then the end."""
        with self._lock:
            if self._closing:
                raise EndOfChannel("the run is cut")
            if self._kernel.holds and self._together and self._book.outstanding():
                raise WouldBlock("others are at work on what will be emitted")
            if self._keeping.finish(worker):
                return self._book.lend([], last=True, worker=worker)
        raise EndOfChannel("every lease was given")

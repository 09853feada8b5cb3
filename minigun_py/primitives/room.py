"""The inside of a channel: the room where items wait, and the two sides around it.

Why: the ends in `channel` say what may be done; what they share is kept here, where the books
and the waiting are easy to check. Nothing else imports this module.

How: an end takes `Room.lock`, looks, perhaps waits on its own `Side`, puts items in or takes
them out (which notifies the other side's blocked threads), lets go of the lock, wakes whom it has
put items in for, and calls the other side's wake callbacks. Who is woken wants the lock at once.

*Invariants*, *Lock order*, *Threads*: see `channel`. All methods but `Side.call_wakes` and `sleep`
need the lock; `Room.items.count` and `Side.wakes` may be read without it, and `channel` tells what
a thread does without that was granted some room.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import get_ident
from typing import Generic, TypeVar

from minigun_py.clock import Clock
from minigun_py.primitives.chunk_queue import ChunkQueue
from minigun_py.primitives.scale import Scale
from minigun_py.record import record

__all__ = ["ChannelStatistics", "Room", "Side", "Sleepers", "wake"]

T = TypeVar("T")


@record
class ChannelStatistics:
    """The books of a channel at one moment: ``sent == received + discarded + waiting``.

    Attributes:
        waiting: Items in the channel.
        capacity: The most items that may wait.
        senders: Open sending ends.
        receivers: Open receiving ends.
        sent: Items admitted so far.
        received: Items taken out so far.
        discarded: Items dropped by an abort, or when the last receiver closed.
        peak: The most items that ever waited.
        blocked_seconds: Time senders waited for room, added up over threads.
        starved_seconds: Time receivers waited for items, added up over threads.
    """

    waiting: int
    capacity: int
    senders: int
    receivers: int
    sent: int
    received: int
    discarded: int
    peak: int
    blocked_seconds: float
    starved_seconds: float


Sleepers = Sequence[threading.Lock]
"""Threads that sleep, each on a lock that is released to wake it."""


def wake(sleepers: Iterable[threading.Lock]) -> None:
    """Wake them, but for who has been woken meanwhile."""
    for sleeper in sleepers:
        try:
            sleeper.release()
        except RuntimeError:
            continue


class Room(Generic[T]):
    """The state that all ends of a channel share; `lock` guards all of it, both sides included."""

    __slots__ = (
        "aborted",
        "awaited",
        "capacity",
        "discarded",
        "granted",
        "grantee",
        "incoming",
        "items",
        "lock",
        "peak",
        "reason",
        "received",
        "receivers",
        "scale",
        "senders",
        "sent",
    )

    def __init__(self, capacity: int, clock: Clock, scale: Scale | None = None) -> None:
        self.scale = scale
        self.lock = threading.Lock()
        self.capacity = capacity
        self.items: ChunkQueue[T] = ChunkQueue()
        self.incoming: list[T] = []
        """Behind them: what was put in without the lock, and is not counted yet."""
        self.awaited = True
        """Whether somebody is to be told of an item at once. Set before anybody waits."""
        self.granted = self.grantee = 0
        """How many items a thread, by its number, may put in without the lock."""
        self.senders = Side(self.lock, clock)
        self.receivers = Side(self.lock, clock)
        self.aborted = False
        self.reason: object = None
        self.sent = self.received = self.discarded = self.peak = 0

    def put(self, item: T, weights: list[int] | None = None) -> Sleepers:
        """Put one item in; the caller has seen that there is room, and so taken over.

        Returns who is to be woken, which is best done without the lock: who wakes up wants it.
        """
        if self.scale is not None and (weights is not None or self.scale.weighs):
            self.scale.put(1, weights, self.items.count)
        self.items.append(item)
        self.sent += 1
        if self.items.count > self.peak:  # by one at most
            self.peak += 1
        return self._awaiting_items(1)

    def put_many(self, items: list[T], weights: list[int] | None = None) -> Sleepers:
        """Put items in; the caller has seen that there is room for all. Returns as `put`."""
        self._enter(items, weights)
        return self._awaiting_items(len(items))

    def _enter(self, items: list[T], weights: list[int] | None = None) -> None:
        if self.scale is not None and (weights is not None or self.scale.weighs):
            self.scale.put(len(items), weights, self.items.count)
        self.items.extend(items)
        self.sent += len(items)
        self.peak = max(self.peak, self.items.count)

    def free(self) -> int:
        """How many items the calling thread may put in. What was granted to it, it gives back."""
        if self.grantee == get_ident():
            self.granted = 0
        granted = self.granted  # first: what is put in meanwhile counts twice, and never not at all
        waiting = self.take_over() if self.incoming else self.items.count
        return max(0, self.capacity - granted - waiting)

    def grant(self, most: int) -> None:
        """Let the calling thread put up to so many in without the lock, behind the one it has put.

        So when all have been taken there is room for at least one of another thread.
        """
        if self.awaited or self.granted:  # to another thread, that is
            return
        if self.scale is not None:
            most = min(most, self.scale.unseen)
        room = self.capacity - self.items.count - len(self.incoming)  # to which nobody adds now
        granted = min(most, room)
        if self.scale is not None:
            self.scale.pass_by(granted)
        self.grantee = get_ident()
        self.granted = granted  # only now: whoever else sees it sees that it is not theirs

    def take_over(self) -> int:
        """Count what was put in without the lock, to which more may come. How many items wait."""
        if self.incoming:
            wake(self.put_many(self._arrived()))
        return self.items.count

    def _arrived(self) -> list[T]:
        """What was put in without the lock so far, to be counted by the caller."""
        count = len(self.incoming)
        items = self.incoming[:count]
        del self.incoming[:count]
        return items

    def take(self) -> T:
        """Take the first item out; the caller has seen that there is one."""
        self.received += 1
        self._tell_of_room(1)
        return self.items.take(1)[0]

    def take_many(self, limit: int) -> list[T]:
        """Take the first `limit` items out, or all if there are fewer."""
        taken = self.items.take(limit)
        self.received += len(taken)
        self._tell_of_room(len(taken))
        return taken

    def _awaiting_items(self, count: int) -> Sleepers:
        """As many of the blocked receivers as there are items for."""
        blocked = self.receivers.blocked
        self.awaited = bool(blocked or self.receivers.wakes)
        return self.receivers.notified(count) if blocked else ()

    def _tell_of_room(self, taken: int) -> None:
        """Notify senders: as many as items have gone, or all where it depends on their weights."""
        weighed = self.scale is not None and self.scale.weighs
        if weighed:
            self.scale.take(taken)  # type: ignore[union-attr]
        if self.senders.blocked:
            wake(self.senders.notified(self.senders.blocked if weighed else taken))

    def discard(self) -> ChunkQueue[T]:
        """Empty the room; the caller drops the items once it has let go of the lock."""
        self.awaited = True  # first: whoever puts an item in later sees it, and comes here, too
        self._enter(self._arrived())
        dropped, self.items = self.items, ChunkQueue()
        self.discarded += dropped.count
        if self.scale is not None and self.scale.weighs:
            self.scale.take(dropped.count)
        return dropped

    def statistics(self) -> ChannelStatistics:
        """The books now."""
        self.take_over()
        return ChannelStatistics(
            waiting=self.items.count,
            capacity=self.capacity,
            senders=self.senders.open,
            receivers=self.receivers.open,
            sent=self.sent,
            received=self.received,
            discarded=self.discarded,
            peak=self.peak,
            blocked_seconds=self.senders.waited(),
            starved_seconds=self.receivers.waited(),
        )


class Side:
    """The senders or the receivers: how many are open, who of them waits, and whom to wake."""

    __slots__ = ("_lock", "_sleepers", "_told", "blocked", "clock", "open", "seconds", "wakes")

    def __init__(self, lock: threading.Lock, clock: Clock) -> None:
        self._lock = lock
        self._sleepers: deque[threading.Lock] = deque()  # of blocked threads, who is not notified
        self._told: set[threading.Lock] = set()  # and who is
        self.clock = clock
        self.open = 1
        self.blocked = 0  # threads in `wait`
        self.seconds = 0.0  # the ends of all waits minus their beginnings
        self.wakes: Mapping[object, Callable[[], None]] = {}  # replaced, never changed

    def wait(self, timeout: float | None) -> None:
        """Wait for a notification, or `timeout` seconds. The caller then looks again.

        It lets go of the lock meanwhile. A thread sleeps on a lock that it has taken itself, as in
        `threading.Condition`, which does not tell whom it would wake.
        """
        sleeper = threading.Lock()
        sleeper.acquire()
        self._sleepers.append(sleeper)
        self.blocked += 1
        self.seconds -= self.clock.now()
        self._lock.release()
        try:
            self.sleep(sleeper, timeout)
        except BaseException:
            self._lock.acquire()
            self._forget(sleeper)
            wake(self.notified(1))  # it may have been this thread that was notified: pass it on
            raise
        else:
            self._lock.acquire()
            self._forget(sleeper)
        finally:
            self.seconds += self.clock.now()
            self.blocked -= 1

    def sleep(self, sleeper: threading.Lock, timeout: float | None) -> None:
        """Sleep until somebody wakes the sleeper, or for so many seconds. Without the lock."""
        if timeout is None:
            sleeper.acquire()
        else:
            sleeper.acquire(timeout=min(timeout, threading.TIMEOUT_MAX))

    def _forget(self, sleeper: threading.Lock) -> None:
        if sleeper in self._told:
            self._told.remove(sleeper)
        else:
            self._sleepers.remove(sleeper)

    def notified(self, most: int) -> Sleepers:
        """Some who sleep, and have been told by that; the caller wakes them."""
        sleepers = self._sleepers
        told = [sleepers.popleft() for _ in range(min(most, len(sleepers)))]
        self._told.update(told)
        return told

    def wake_all(self) -> None:
        """Have all look again, with those whom somebody has told and was kept from waking."""
        self.notified(len(self._sleepers))
        wake(tuple(self._told))

    def waited(self) -> float:
        """Seconds waited so far, added up over threads, with the waits that still last."""
        running = self.blocked * self.clock.now() if self.blocked else 0.0
        return max(0.0, self.seconds + running)

    def set_wake(self, end: object, wake: Callable[[], None] | None) -> None:
        """Register the callback of `end`, or remove it."""
        others = {other: call for other, call in self.wakes.items() if other is not end}
        self.wakes = others if wake is None else {**others, end: wake}

    def call_wakes(self) -> None:
        """Call them all, without the lock: who registers later has looked for itself."""
        for wake in self.wakes.values():
            wake()

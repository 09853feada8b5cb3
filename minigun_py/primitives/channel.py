"""A bounded channel: what one side sends, the other receives, in order and exactly once.

Why: every stream of the library stands on it. A full channel holds its senders back
(backpressure), and each way a stream can end has a name of its own, so nobody counts sentinels.

How: `open_channel` gives the two ends, each of which can be cloned and must be closed::

    sender, receiver = open_channel(100)

    with sender:                      # in one thread        with receiver:   # in another
        sender.send(1)                                           for item in receiver:
        sender.send_many([2, 3])                                     print(item)

    =====================  ===================================  ============================
    what happens           a sender gets                        a receiver gets
    =====================  ===================================  ============================
    last sender closes                                          the rest, then EndOfChannel
    last receiver closes   BrokenChannel; the rest is dropped
    either end aborts      ChannelAborted; the rest is dropped  ChannelAborted
    it closed itself       ChannelError                         ChannelError
    =====================  ===================================  ============================

Items travel best in chunks: `send_many` and `receive_many` pay for the lock once per chunk.

*Invariants*: ``sent == received + discarded + waiting``; ``waiting <= capacity``. A side that
has no open end never gets one again, so BrokenChannel and EndOfChannel are final. While items
wait, at least ``min(items, blocked receivers)`` of the blocked receivers have been notified,
and likewise for room and senders: whoever is notified either moves an item, finds none left,
or passes the notification on.

*Lock order*: one lock, a leaf: nothing foreign runs while it is held, neither a wake callback
nor the destructor of a discarded item.

*Threads*: every method may be called from any thread, but not from a signal handler, which
could interrupt its own thread while that holds the lock. A wait lasts until the end is ready,
its deadline passes, or any thread closes or aborts; there is no queue among those who wait.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Generic, Self, TypeVar

from minigun_py.clock import SYSTEM_CLOCK, Clock, Deadline
from minigun_py.errors import (
    BrokenChannel,
    ChannelAborted,
    ChannelError,
    EndOfChannel,
    WouldBlock,
)
from minigun_py.primitives.room import ChannelStatistics, Room, Side
from minigun_py.primitives.scale import Scale

__all__ = ["ChannelStatistics", "Receiver", "Sender", "open_channel"]

T = TypeVar("T")


def open_channel(
    capacity: int,
    *,
    clock: Clock = SYSTEM_CLOCK,
    capacity_bytes: int | None = None,
    size_of: Callable[[Any], int] = sys.getsizeof,
) -> tuple[Sender[T], Receiver[T]]:
    """Open a channel in which at most `capacity` items wait, and return its two ends.

    With `capacity_bytes` no more bytes wait than that, as `size_of` tells them, but for an item
    that alone is larger, which waits alone. While items are small only some are looked at.

    Raises:
        ValueError: `capacity` is below 1.
    """
    if capacity < 1:
        raise ValueError(f"a channel needs a capacity of at least 1 item, not {capacity!r}")
    scale = None if capacity_bytes is None else Scale(size_of, capacity_bytes, capacity)
    room: Room[T] = Room(capacity, clock, scale)
    senders, receivers = room.senders, room.receivers
    return Sender(room, senders, receivers), Receiver(room, receivers, senders)


class _End(ABC, Generic[T]):
    """What a sender and a receiver have in common."""

    __slots__ = ("_closed", "_own", "_peer", "_room")

    def __init__(self, room: Room[T], own: Side, peer: Side) -> None:
        self._room = room
        self._own = own
        self._peer = peer
        self._closed = False

    def clone(self) -> Self:
        """Another end of the same side, to be closed on its own. Raises on a closed end."""
        with self._room.lock:
            self._check_usable()
            self._own.open += 1
            return type(self)(self._room, self._own, self._peer)

    def close(self) -> None:
        """Give this end up. The last of its side to close ends the stream. Idempotent."""
        room = self._room
        with room.lock:
            if self._closed:
                return
            self._closed = True
            self._own.open -= 1
            self._own.set_wake(self, None)
            self._own.condition.notify_all()  # a thread may be blocked on this very end
            last = not self._own.open
            if last:
                self._peer.condition.notify_all()
            dropped = None if room.receivers.open else room.discard()
        del dropped  # without the lock: a destructor may use the channel
        if last:
            self._peer.call_wakes()

    def abort(self, reason: object = None) -> None:
        """Cut the stream: drop what waits; every blocked and later call raises ChannelAborted.

        Idempotent, the first reason wins. Allowed on a closed end too.
        """
        room = self._room
        with room.lock:
            if room.aborted:
                return
            room.aborted, room.reason = True, reason
            dropped = room.discard()
            self._own.condition.notify_all()
            self._peer.condition.notify_all()
        del dropped  # without the lock: a destructor may use the channel
        self._own.call_wakes()
        self._peer.call_wakes()

    def on_ready(self, wake: Callable[[], None] | None) -> None:
        """Have `wake` called whenever this end may have become ready, so any loop can wait for it.

        Ready is an end whose `..._nowait` call would not say "not now". `wake` is called at once
        if the end is ready already, and later from whichever thread made it so. After a call go
        on until nothing can be moved, then wait for the next: none is ever missed, though some
        come in vain, and one may still come after `wake` was replaced. It must be quick and must
        not raise; no lock is held. There is one per end, until `close`; None removes it.
        """
        with self._room.lock:
            if wake is not None:
                self._check_usable()
            self._own.set_wake(self, wake)
            ready = self._is_ready()
        if wake is not None and ready:
            wake()

    @property
    def waiting(self) -> int:
        """How many items wait, read without the lock: already history when it is returned."""
        return self._room.items.count

    def statistics(self) -> ChannelStatistics:
        """The channel's books, consistent with each other. Allowed on a closed end."""
        with self._room.lock:
            return self._room.statistics()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def _available(self) -> int:
        """How many items this end could move now; raises when it will never move another."""

    def _is_ready(self) -> bool:
        try:
            return self._available() > 0
        except (ChannelError, ChannelAborted):
            return True

    def _wait_until_ready(self, deadline: Deadline | None = None) -> int:
        """Wait until an item can be moved, and return how many can."""
        while not (available := self._available()):
            remaining = None if deadline is None else deadline.remaining()
            if remaining == 0:
                raise WouldBlock("the deadline has passed")
            self._own.wait(remaining)
        return available

    def _check_usable(self) -> None:
        if self._room.aborted:
            raise ChannelAborted(self._room.reason)
        if self._closed:
            raise ChannelError(
                "this end of the channel is closed: use it before close(), or clone it before that"
            )


class Sender(_End[T]):
    """The end that items go into."""

    __slots__ = ()

    def send(self, item: T) -> None:
        """Send one item, waiting while the channel is full.

        Raises:
            BrokenChannel: Every receiver has closed, be it during the wait.
            ChannelAborted: The stream was cut, be it during the wait.
            ChannelError: This end is closed.
        """
        room = self._room
        weights = None if room.scale is None else room.scale.weigh_one(item)
        with room.lock:
            usable = self._peer.open and not (self._closed or room.aborted)
            if weights is not None:
                self._wait_until_some_fit(weights)
            elif not usable or room.items.count >= room.capacity:
                self._wait_until_ready()
            room.put(item, weights)
        if self._peer.wakes:
            self._peer.call_wakes()

    def send_nowait(self, item: T) -> None:
        """Send one item, or raise WouldBlock when the channel is full. Otherwise like `send`."""
        if not self._admit([item], 0, wait=False):
            raise WouldBlock(f"the channel is full: {self.waiting} items wait")

    def send_many(self, items: Sequence[T]) -> None:
        """Send all, in order, each as soon as there is room for it. Raises like `send`.

        Other senders' items may come between. When it raises, the first few may have been sent.
        """
        batch = items if isinstance(items, list) else list(items)
        start = 0
        while start < len(batch):
            start += self._admit(batch, start, wait=True)

    def send_many_nowait(self, items: list[T], start: int = 0) -> int:
        """Send ``items[start:]`` as far as there is room; return how many were: 0 when full."""
        return self._admit(items, start, wait=False)

    def _admit(self, items: list[T], start: int, *, wait: bool) -> int:
        room = self._room
        weights = None if room.scale is None else room.scale.weigh(items, start)
        with room.lock:
            if weights is not None:
                free = self._wait_until_some_fit(weights) if wait else self._fitting(weights)
            else:
                free = self._wait_until_ready() if wait else self._available()
            part = items[start : start + free] if start or len(items) > free else items
            room.put_many(part, weights)
        if part and self._peer.wakes:
            self._peer.call_wakes()
        return len(part)

    def _wait_until_some_fit(self, weights: list[int]) -> int:
        """Wait until an item of such a weight can be sent, and return how many can."""
        while not (fitting := self._fitting(weights)):
            self._own.wait(None)
        return fitting

    def _fitting(self, weights: list[int]) -> int:
        assert self._room.scale is not None
        return min(self._available(), self._room.scale.fitting(weights))

    def _available(self) -> int:
        if self._closed or self._room.aborted:
            self._check_usable()
        if not self._peer.open:
            raise BrokenChannel("every receiver has closed: nobody would receive the item")
        return self._room.capacity - self._room.items.count


class Receiver(_End[T]):
    """The end that items come out of; iterating over it receives until the end of the stream."""

    __slots__ = ()

    def receive(self) -> T:
        """Receive one item, waiting while there is none.

        Raises:
            EndOfChannel: Every sender has closed and nothing is left.
            ChannelAborted: The stream was cut, be it during the wait.
            ChannelError: This end is closed.
        """
        with self._room.lock:
            self._wait_until_ready()
            item = self._room.take()
        if self._peer.wakes:
            self._peer.call_wakes()
        return item

    def receive_nowait(self) -> T:
        """Receive one item, or raise WouldBlock when there is none. Otherwise like `receive`."""
        return self.receive_many_nowait(1)[0]

    def receive_many(self, limit: int, *, deadline: Deadline | None = None) -> list[T]:
        """Receive 1 to `limit` items in order, waiting only for the first. Raises like `receive`.

        Raises:
            WouldBlock: `deadline` passed and no item came.
            ValueError: `limit` is below 1.
        """
        _check_limit(limit)
        with self._room.lock:
            self._wait_until_ready(deadline)
            taken = self._room.take_many(limit)
        if self._peer.wakes:
            self._peer.call_wakes()
        return taken

    def receive_many_nowait(self, limit: int) -> list[T]:
        """Receive 1 to `limit` items in order, or raise WouldBlock when there is none."""
        _check_limit(limit)
        with self._room.lock:
            if not self._available():
                raise WouldBlock("the channel is empty")
            taken = self._room.take_many(limit)
        if self._peer.wakes:
            self._peer.call_wakes()
        return taken

    @property
    def ending(self) -> bool:
        """Whether no sender is left, read without the lock."""
        return not self._peer.open

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        try:
            return self.receive()
        except EndOfChannel:
            raise StopIteration from None

    def _available(self) -> int:
        if self._closed or self._room.aborted:
            self._check_usable()
        waiting = self._room.items.count
        if not waiting and not self._peer.open:
            raise EndOfChannel("every sender has closed and every item was received")
        return waiting


def _check_limit(limit: int) -> None:
    if limit < 1:
        raise ValueError(f"ask for at least 1 item, not {limit!r}")

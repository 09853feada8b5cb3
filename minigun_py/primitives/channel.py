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

Items travel best in chunks: `send_many` and `receive_many` pay for the lock once per chunk. Where
Python has a global lock, `send_alone` pays for it once in `AT_ONCE` items: its thread is granted
room for a few, which it puts in without, as long as nobody waits for an item, and whoever next has
the lock takes them over. It appends first and then looks whether somebody waits; a receiver says
that it waits and then looks once more for items. So one of them sees the other. What is granted to
a thread is no room for others, and only that thread writes how much of it is left.

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
from collections.abc import Callable, Sequence
from threading import get_ident
from typing import Any, Final, Self, TypeVar

from minigun_py.clock import SYSTEM_CLOCK, Clock, Deadline
from minigun_py.errors import (
    BrokenChannel,
    EndOfChannel,
    WouldBlock,
)
from minigun_py.primitives.channel_end import ChannelEnd
from minigun_py.primitives.packed import Packed
from minigun_py.primitives.room import ChannelStatistics, Room, Sleepers, wake
from minigun_py.primitives.scale import Scale

__all__ = ["ChannelStatistics", "Receiver", "Sender", "open_channel"]

T = TypeVar("T")

AT_ONCE: Final = 16
"""A lone sender takes the lock for one item in so many."""
_HAS_GLOBAL_LOCK: Final[bool] = getattr(sys, "_is_gil_enabled", lambda: True)()


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


class Sender(ChannelEnd[T]):
    """The end that items go into."""

    __slots__ = ()

    def send(self, item: T) -> None:
        """Send one item, waiting while the channel is full.

        Raises:
            BrokenChannel: Every receiver has closed, be it during the wait.
            ChannelAborted: The stream was cut, be it during the wait.
            ChannelError: This end is closed.
        """
        weights = None if self._room.scale is None else self._room.scale.weigh((item,))
        with self._room.lock:
            sleepers = self._put(item, weights)
        wake(sleepers)
        if self._peer.wakes:
            self._peer.call_wakes()

    def send_alone(self, item: T) -> None:
        """Like `send`, for a thread that alone sends, and cheaper.

        Other threads that send meanwhile may have to wait for a receiver before the channel is
        full.
        """
        room = self._room
        if room.granted and room.grantee == get_ident() and not (room.awaited or self._closed):
            room.incoming.append(item)
            room.granted -= 1  # after that: meanwhile the item counts twice, and never not at all
            if self._room.awaited:  # only now: whoever waits has looked before, or sees the item
                self._tell()
            return
        weights = None if room.scale is None else room.scale.weigh((item,))
        with room.lock:
            sleepers = self._put(item, weights)
            if _HAS_GLOBAL_LOCK and self._own.open == 1:
                room.grant(AT_ONCE - 1)
        wake(sleepers)
        if self._peer.wakes:
            self._peer.call_wakes()

    def _put(self, item: T, weights: list[int] | None) -> Sleepers:
        if weights is None:
            self._wait_until_ready()
        else:
            self._wait_until_some_fit(weights)
        return self._room.put(item, weights)

    def _tell(self) -> None:
        """Somebody waits for what was put in without the lock, or nobody will ever take it."""
        room, dropped = self._room, None
        try:
            with room.lock:
                if room.aborted or not self._peer.open:
                    dropped = room.discard()
                self._available()  # takes over what has come; raises if nobody will take it
        finally:
            del dropped  # without the lock: a destructor may use the channel
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
        """Send ``items[start:]`` as far as there is room; return how many were: 0 when full.

        Of what is `Packed`, whole parts are sent if they can ever be.
        """
        return self._admit(items, start, wait=False)

    def _admit(self, items: list[T], start: int, *, wait: bool) -> int:
        room = self._room
        weights = None if room.scale is None else room.scale.weigh(items, start)
        with room.lock:
            if weights is not None:
                free = self._wait_until_some_fit(weights) if wait else self._fitting(weights)
            else:
                free = self._wait_until_ready() if wait else self._available()
            if free < len(items) and isinstance(items, Packed):
                free = items.within(free) or (0 if room.items.count else free)
            part = items[start : start + free] if start or len(items) > free else items
            sleepers = room.put_many(part, weights)
        wake(sleepers)
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
        return self._room.free()


class Receiver(ChannelEnd[T]):
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
        if limit < 1:
            raise _too_few(limit)
        with self._room.lock:
            self._wait_until_ready(deadline)
            taken = self._room.take_many(limit)
        if self._peer.wakes:
            self._peer.call_wakes()
        return taken

    def receive_many_nowait(self, limit: int) -> list[T]:
        """Receive 1 to `limit` items in order, or raise WouldBlock when there is none."""
        if limit < 1:
            raise _too_few(limit)
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
        room = self._room
        waiting = room.take_over()
        if not waiting:
            room.awaited = True
            waiting = room.take_over()  # what came before that could be seen
        if not waiting and not self._peer.open:
            raise EndOfChannel("every sender has closed and every item was received")
        return waiting


def _too_few(limit: int) -> ValueError:
    return ValueError(f"ask for at least 1 item, not {limit!r}")

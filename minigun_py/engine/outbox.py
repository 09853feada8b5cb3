"""Results on their way downstream: admitted as far as there is room, kept in order.

`put` never blocks, so a loop that polls can call it; the group hands out no lease while something
waits here, which is how a full channel stops its senders' workers. A worker thread waits in
`deliver`.

*Invariants*: parcels leave in the order in which they came. *Lock order*: the lock guards who
moves parcels on and may be held while waiting for room; whoever waits for it wants the same.
An abort of the channels ends every wait.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from minigun_py.engine.dispatch import Dispatch
from minigun_py.engine.loop import BacklogSender, Loop
from minigun_py.primitives.channel import Sender
from minigun_py.primitives.packed import Packed
from minigun_py.primitives.spool import Spool, Values
from minigun_py.record import record

__all__ = ["Exitway", "Outbox"]


class _Parcel:
    """Items, from `start` on, and where they are sent."""

    __slots__ = ("items", "sender", "start")

    def __init__(self, sender: Sender[Any] | BacklogSender, items: list[Any]) -> None:
        self.sender, self.items, self.start = sender, items, 0

    def leave_out(self, sent: int) -> None:
        """So many more have been sent. They are forgotten soon, and not each time anew."""
        self.start += sent
        if self.start * 2 > len(self.items) or isinstance(self.items, Packed):
            self.items, self.start = self.items[self.start :], 0


class Exitway:
    """One exit of a segment: a dispatch and the senders it deals to.

    Args:
        dispatch: Says which target gets an item.
        senders: One for each target.
        loops: For each target, the loop that it is within.
        feeds: Loops that this exit feeds from outside.
    """

    def __init__(
        self,
        dispatch: Dispatch,
        senders: Sequence[Sender[Any] | BacklogSender],
        loops: Sequence[Loop | None] = (),
        feeds: Sequence[Loop] = (),
    ) -> None:
        self._dispatch, self.senders = dispatch, tuple(senders)
        self.copies = dispatch.copies
        """How many stages get each item."""
        self._loops = tuple(loops) if any(loops) else ()
        self._feeds = tuple(feeds)
        for loop in self._feeds:
            loop.fed_from_outside()
        sender = self.senders[0]
        self.only: Sender[Any] | None = None
        """Who gets all that leaves here, if that is one."""
        if len(self.senders) == 1 and not self._loops and isinstance(sender, Sender):
            self.only = sender
            # what a source does for every item, without a step between
            self.append = sender.send_alone  # type: ignore[method-assign]
            self.extend = sender.send_many  # type: ignore[method-assign]

    def deal(self, items: list[Any]) -> Sequence[tuple[int, list[Any]]]:
        """What each target gets, which is counted in its loop from now on."""
        shares = self._dispatch.deal(items)
        if self._loops:
            for target, share in shares:
                loop = self._loops[target]
                if loop is not None:
                    loop.enter(len(share))
        return shares

    @property
    def is_counted(self) -> bool:
        """Whether all that leaves at once has to be counted at once, since a loop is fed."""
        return bool(self._loops)

    def parcels(self, items: list[Any]) -> list[_Parcel]:
        """What is to be sent to whom."""
        return [_Parcel(self.senders[target], share) for target, share in self.deal(items)]

    def append(self, item: Any) -> None:
        """Send one item, waiting for room: how a source puts its items out one by one."""
        self.extend([item])

    def close(self) -> None:
        """Nothing more will be sent."""
        for sender in self.senders:
            sender.close()
        for loop in self._feeds:
            loop.feeder_ended()
        self._feeds = ()

    def blocked(self) -> float:
        """Seconds that senders have waited so far for room in its targets."""
        return sum(sender.waited() for sender in self.senders if isinstance(sender, Sender))

    def capacity(self) -> int:
        """The most items that may wait for the one of its targets that takes fewest."""
        senders = [sender for sender in self.senders if isinstance(sender, Sender)]
        return min((s.statistics().capacity for s in senders), default=1)

    def extend(self, items: list[Any]) -> None:
        """Send items, waiting for room."""
        for target, share in self.deal(items):
            self.senders[target].send_many(share)


class Outbox:
    """What a worker group has to send, to all of its exits."""

    def __init__(self, exits: Sequence[Exitway]) -> None:
        self._exits = exits
        self.copies = [way_out.copies for way_out in exits]
        """For each exit, how many stages get each item."""
        self._lock = threading.Lock()
        self._parcels: deque[_Parcel | _Large] = deque()

    def __bool__(self) -> bool:
        return bool(self._parcels)

    def put(self, outputs: Sequence[Values]) -> bool:
        """Add what came out at each exit, and send what goes. True when nothing is left."""
        for way_out, items in zip(self._exits, outputs, strict=True):
            if isinstance(items, Spool) and not way_out.is_counted:
                self._parcels.append(_Large(way_out, items.chunks()))
            elif items:
                chunk: Any = items if isinstance(items, Packed) else [*items]
                if self._parcels or way_out.only is None:
                    self._parcels.extend(way_out.parcels(chunk))
                else:  # nothing is before it
                    sent = way_out.only.send_many_nowait(chunk)
                    if sent < len(chunk):
                        rest = _Parcel(way_out.only, chunk)
                        rest.leave_out(sent)
                        self._parcels.append(rest)
        return not self._parcels or self.flush()

    def flush(self) -> bool:
        """Send what goes without waiting. True when nothing is left."""
        if self._parcels and self._lock.acquire(blocking=False):
            try:
                self._move(wait=False)
            finally:
                self._lock.release()
        return not self._parcels

    def deliver(self) -> None:
        """Send everything, waiting for room."""
        while self._parcels:
            with self._lock:
                self._move(wait=True)

    def on_ready(self, wake: Callable[[], None]) -> None:
        """Have `wake` called when there may be room again for something that waits here."""

        def wake_if_something_waits() -> None:
            if self._parcels:  # it was there before it found no room
                wake()

        for way_out in self._exits:
            for sender in way_out.senders:
                sender.on_ready(wake_if_something_waits)

    def close(self) -> None:
        """Nothing more will be sent."""
        self._parcels.clear()
        for way_out in self._exits:
            way_out.close()

    def _move(self, wait: bool) -> None:
        while self._parcels:
            parcel = self._parcels[0]
            if isinstance(parcel, _Large):
                self._deal_some(parcel)
                continue
            if wait:
                parcel.sender.send_many(parcel.items[parcel.start :])
            else:
                parcel.leave_out(parcel.sender.send_many_nowait(parcel.items, parcel.start))
                if parcel.start < len(parcel.items):
                    return
            self._parcels.popleft()

    def _deal_some(self, large: _Large) -> None:
        """Put some of what is too large to be dealt out at once in front of the rest of it."""
        some = next(large.chunks, None)
        if some is None:
            self._parcels.popleft()
        else:
            self._parcels.extendleft(reversed(large.way_out.parcels(some)))


@record
class _Large:
    """What is dealt out some at a time, when it is its turn."""

    way_out: Exitway
    chunks: Iterator[list[Any]]

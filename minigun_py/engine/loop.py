"""Loops in a pipeline: when one is over, and when it has stalled.

Stages that feed each other in a circle cannot end as others do, when those before them have ended.
A `Loop` counts the items that are within: each is counted before it is sent there, and taken off
when all that came of it has been counted. It is *over* when nothing comes from outside any more
and nothing is within. It has *stalled* when all that is within is held by stages that wait for
more, as a batch does; these are flushed then.

What is sent back waits in a `Backlog`, outside of the bounded inbox, so that a loop cannot block
itself. `LoopInbox` gives both to the stage, and ends when the loop is over.

*Lock order*: the lock of a loop guards its numbers and is a leaf. Callbacks are called without it,
but maybe under the lock of a group: so what they take, the condition of a `LoopInbox`, is a leaf
beside the locks of channel and backlog.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from minigun_py.clock import Deadline
from minigun_py.errors import ChannelAborted, EndOfChannel, WouldBlock
from minigun_py.primitives.backlog import Backlog
from minigun_py.primitives.channel import ChannelStatistics, Receiver
from minigun_py.record import replace

__all__ = ["BacklogSender", "Loop", "LoopInbox", "Stalled"]


class Stalled(WouldBlock):
    """Nothing will come unless what is held in the loop is emitted."""


class Loop:
    """The items within one loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the numbers
        self._within = self._held = self._feeders = 0
        self._wakes: list[Callable[[], None]] = []

    @property
    def over(self) -> bool:
        """Whether nothing is within, and nothing can come."""
        with self._lock:
            return self._is_over()

    @property
    def stalled(self) -> bool:
        """Whether all that is within is held by stages that wait for more."""
        with self._lock:
            return self._has_stalled()

    def on_change(self, wake: Callable[[], None]) -> None:
        """Have `wake` called when the loop is over or has stalled, and when a stall is over."""
        self._wakes.append(wake)

    def fed_from_outside(self) -> None:
        """There is one more way in."""
        with self._lock:
            self._feeders += 1

    def feeder_ended(self) -> None:
        """Nothing more comes by one of the ways in."""
        with self._lock:
            self._feeders -= 1
            news = self._is_over() or self._has_stalled()
        if news:
            self._tell()

    def enter(self, items: int) -> None:
        """Items are about to be sent to a stage within."""
        with self._lock:
            news = self._has_stalled()
            self._within += items
        if news:
            self._tell()

    def leave(self, items: int, held: int = 0) -> None:
        """Items within have ended, and all that came of them is counted.

        `held` is by how many more (or fewer, if negative) are held.
        """
        with self._lock:
            news = self._has_stalled()
            self._within -= items
            self._held += held
            news = news or self._is_over() or self._has_stalled()
        if news:
            self._tell()

    def _is_over(self) -> bool:
        return not (self._feeders or self._within)

    def _has_stalled(self) -> bool:
        return not self._feeders and self._within == self._held > 0

    def _tell(self) -> None:
        for wake in tuple(self._wakes):
            wake()


class BacklogSender:
    """The end of a backlog that stages within the loop hold. It has room at any time."""

    def __init__(self, backlog: Backlog, tell: Callable[[], None]) -> None:
        self._backlog, self._tell = backlog, tell

    def clone(self) -> BacklogSender:
        """Another for the same backlog."""
        return self

    def send_many(self, items: list[Any]) -> None:
        """Put items there."""
        self._backlog.put(items)
        self._tell()

    def send_many_nowait(self, items: list[Any], start: int = 0) -> int:
        """Put items there; all of them."""
        self.send_many(items[start:])
        return len(items) - start

    def on_ready(self, wake: Callable[[], None]) -> None:
        """It is ready at any time."""

    def close(self) -> None:
        """The loop tells when there will be no more."""


class LoopInbox:
    """The inbox of a stage within a loop. It speaks as a `Receiver`."""

    def __init__(self, receiver: Receiver[Any], backlog: Backlog, loop: Loop) -> None:
        self._receiver, self._backlog, self._loop = receiver, backlog, loop
        self._changed = threading.Condition()  # nothing is guarded; it is waited for
        self._wake: Callable[[], None] | None = None
        self._returned = self._discarded = 0
        self._ended = False
        self._aborted: ChannelAborted | None = None
        receiver.on_ready(self.tell)
        loop.on_change(self.tell)

    @property
    def waiting(self) -> int:
        """Items that are there."""
        return self._receiver.waiting + len(self._backlog)

    ending = True
    """Whether others come back, nobody knows."""

    def receive_many(self, limit: int, *, deadline: Deadline | None = None) -> list[Any]:
        """Wait for items. Raises `WouldBlock` at the deadline, and as `receive_many_nowait`."""
        with self._changed:
            while True:
                try:
                    return self.receive_many_nowait(limit)
                except Stalled:
                    raise
                except WouldBlock:
                    if deadline is not None and deadline.passed:
                        raise
                    remaining = None if deadline is None else deadline.remaining()
                    self._changed.wait(remaining)  # ended by `tell`

    def receive_many_nowait(self, limit: int) -> list[Any]:
        """Items that are there, those that came back first.

        Raises:
            WouldBlock: There is none now.
            Stalled: There is none, and there will be none before something is flushed.
            EndOfChannel: The loop is over.
            ChannelAborted: It was cut.
        """
        if self._aborted is not None:
            raise self._aborted
        over = self._loop.over  # looked at first: what came before the end is taken after it
        returned = self._backlog.take(limit)
        if returned:
            self._returned += len(returned)
            return returned
        try:
            if not self._ended:
                return self._receiver.receive_many_nowait(limit)
        except WouldBlock:
            pass
        except EndOfChannel:
            self._ended = True
        if self._ended and over:
            raise EndOfChannel("the loop is over")
        if self._loop.stalled:
            raise Stalled("what is held in the loop has to be flushed")
        raise WouldBlock("nothing has come back yet")

    def wait_while_stalled(self) -> None:
        """Wait until something moves again in the loop, or it is cut."""
        with self._changed:
            while self._loop.stalled and self._aborted is None:
                self._changed.wait()  # ended by `tell`

    def on_ready(self, wake: Callable[[], None]) -> None:
        """Have `wake` called when there may be items, or the end, or a stall."""
        self._wake = wake

    def tell(self) -> None:
        """Something has changed."""
        with self._changed:
            self._changed.notify_all()
        if self._wake is not None:
            self._wake()

    def abort(self, reason: object = None) -> None:
        """Cut it. What came back and waits is not given any more."""
        self._aborted = self._aborted or ChannelAborted(reason)
        self._receiver.abort(reason)
        self.tell()

    def close(self) -> None:
        """Receive no more; what is left counts as discarded."""
        self._receiver.close()
        self._discarded += self._backlog.clear()

    def statistics(self) -> ChannelStatistics:
        """As of a channel, with what came back."""
        counted = self._receiver.statistics()
        return replace(
            counted,
            sent=counted.sent + self._returned + self._discarded,
            discarded=counted.discarded + self._discarded,
        )

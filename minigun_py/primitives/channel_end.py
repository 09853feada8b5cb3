"""What both ends of a channel have in common; see `channel` for what it does as a whole."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, Self, TypeVar

from minigun_py.clock import Deadline
from minigun_py.errors import ChannelAborted, ChannelError, WouldBlock
from minigun_py.primitives.room import ChannelStatistics, Room, Side

__all__ = ["ChannelEnd"]

T = TypeVar("T")


class ChannelEnd(ABC, Generic[T]):
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
            self._own.wake_all()  # a thread may be blocked on this very end
            last = not self._own.open
            if last:
                self._peer.wake_all()
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
            self._own.wake_all()
            self._peer.wake_all()
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
            self._room.awaited = True
            ready = self._is_ready()
        if wake is not None and ready:
            wake()

    @property
    def waiting(self) -> int:
        """How many items wait, read without the lock: already history when it is returned."""
        return self._room.items.count + len(self._room.incoming)

    def waited(self) -> float:
        """Seconds that threads have been blocked on this side so far, added up."""
        with self._room.lock:
            return self._own.waited()

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

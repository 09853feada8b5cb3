"""Where the outputs of a run with lanes are taken, by one taker.

Where they come from workers behind sockets, the taker does not sleep while there are none: he sees
to the switchboard (`contexts/switchboard.py`), and so brings them about himself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from minigun_py.clock import Deadline
from minigun_py.errors import ChannelAborted, EndOfChannel, WouldBlock
from minigun_py.primitives.channel import Receiver

if TYPE_CHECKING:
    from minigun_py.contexts.visitor import Visitor

__all__ = ["Outlet"]


class Outlet:
    """The outputs that nobody has taken yet.

    Args:
        receiver: What they wait in.
        at_once: How many are to be taken at once, as long as somebody is at them.
        visitor: With whom he waits at the board of the run; None if he sleeps.
    """

    def __init__(
        self, receiver: Receiver[Any], at_once: int, visitor: Visitor | None = None
    ) -> None:
        self._receiver, self._at_once, self._visitor = receiver, at_once, visitor

    def on_ready(self, wake: Callable[[], None]) -> None:
        """Have `wake` called when there may be outputs, or none will come."""
        with suppress(ChannelAborted):  # cut already: there is only the end to wait for
            self._receiver.on_ready(wake)

    def take_all(self) -> Iterator[list[Any]]:
        """What is there, without waiting for more."""
        with suppress(WouldBlock, EndOfChannel, ChannelAborted):
            while True:
                yield self._receiver.receive_many_nowait(self._receiver.waiting or 1)

    def take(
        self, next_look: Callable[[], Deadline], look: Callable[[], None]
    ) -> Iterator[list[Any]]:
        """Outputs until they end or are cut, waiting for them.

        Args:
            next_look: Tells when `look` has to be called, though none come.
            look: Sees to what is due.
        """
        visitor = self._visitor
        received = self._receive if visitor is None else self._visiting(visitor)
        try:
            while True:
                try:
                    outputs = received(next_look())
                except WouldBlock:
                    look()
                else:
                    yield outputs
        except (EndOfChannel, ChannelAborted):
            pass
        finally:
            if visitor is not None:
                visitor.leave()  # there may be something else to be seen to

    def _receive(self, deadline: Deadline) -> list[Any]:
        return self._receiver.receive_many(self._at_once, deadline=deadline)

    def _visiting(self, visitor: Visitor) -> Callable[[Deadline], list[Any]]:
        """As `_receive`, but the taker sees to the board for as long as it waits."""
        from minigun_py.engine.held_signals import HeldSignals  # here: few outputs come so

        signals = HeldSignals(visitor.call_from_handler)
        self.on_ready(visitor.call)

        def receive(deadline: Deadline) -> list[Any]:
            while True:
                visitor.clear()
                try:
                    return self._receiver.receive_many_nowait(self._at_once)
                except WouldBlock:
                    if deadline.passed:
                        raise
                with signals:  # a loop must not be torn
                    visitor.wait(deadline)

        return receive

"""Results on their way downstream: admitted as far as there is room, kept in order.

`put` never blocks, so a poll loop can call it; the group hands out no lease while something waits
here, which is how a full channel stops its senders' workers. A worker thread waits in `deliver`.

*Invariants*: parcels leave in the order in which they came. *Lock order*: the lock guards who
moves parcels on and may be held while waiting for room; whoever waits for it wants the same.
An abort of the channels ends every wait.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from minigun_py.engine.dispatch import Dispatch
from minigun_py.primitives.channel import Sender

__all__ = ["Exitway", "Outbox"]


class Exitway:
    """One exit of a segment: a dispatch and the senders it deals to."""

    def __init__(self, dispatch: Dispatch, senders: Sequence[Sender[Any]]) -> None:
        self.dispatch, self.senders = dispatch, tuple(senders)
        if len(self.senders) == 1:  # what a source does for every item, without a step between
            self.append = self.senders[0].send  # type: ignore[method-assign]
            self.extend = self.senders[0].send_many  # type: ignore[method-assign]

    def append(self, item: Any) -> None:
        """Send one item, waiting for room: how a source puts its items out one by one."""
        for target, items in self.dispatch.deal([item]):
            self.senders[target].send(items[0])

    def blocked(self) -> float:
        """Seconds that senders have waited so far for room in its targets."""
        return sum(sender.statistics().blocked_seconds for sender in self.senders)

    def extend(self, items: list[Any]) -> None:
        """Send items, waiting for room."""
        for target, share in self.dispatch.deal(items):
            self.senders[target].send_many(share)


class Outbox:
    """What a worker group has to send, to all of its exits."""

    def __init__(self, exits: Sequence[Exitway]) -> None:
        self._exits = exits
        self._lock = threading.Lock()
        self._parcels: deque[tuple[Sender[Any], list[Any]]] = deque()

    def __bool__(self) -> bool:
        return bool(self._parcels)

    def put(self, outputs: Sequence[list[Any]]) -> None:
        """Add what came out at each exit, and send what goes without waiting."""
        for way_out, items in zip(self._exits, outputs, strict=True):
            if items:
                for target, share in way_out.dispatch.deal(items):
                    self._parcels.append((way_out.senders[target], share))
        self.flush()

    def flush(self) -> bool:
        """Send what goes without waiting. True when nothing is left."""
        if self._parcels and self._lock.acquire(blocking=False):
            try:
                self._move(lambda sender, items: sender.send_many_nowait(items))
            finally:
                self._lock.release()
        return not self._parcels

    def deliver(self) -> None:
        """Send everything, waiting for room."""
        while self._parcels:
            with self._lock:
                self._move(_send_all)

    def on_ready(self, wake: Callable[[], None]) -> None:
        """Have `wake` called when there may be room again."""
        for way_out in self._exits:
            for sender in way_out.senders:
                sender.on_ready(wake)

    def close(self) -> None:
        """Nothing more will be sent."""
        for way_out in self._exits:
            for sender in way_out.senders:
                sender.close()

    def _move(self, send: Callable[[Sender[Any], list[Any]], int]) -> None:
        while self._parcels:
            sender, items = self._parcels[0]
            sent = send(sender, items)
            if sent < len(items):
                self._parcels[0] = (sender, items[sent:])
                return
            self._parcels.popleft()


def _send_all(sender: Sender[Any], items: list[Any]) -> int:
    sender.send_many(items)
    return len(items)

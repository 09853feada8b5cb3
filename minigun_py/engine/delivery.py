"""Results of a group on their way out: in order if that is wanted, and only as there is room.

*Lock order*: the lock keeps results of several workers in order; it is taken before the channels'.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from minigun_py.clock import Clock
from minigun_py.engine.outbox import Outbox
from minigun_py.engine.reorder import Reorder
from minigun_py.primitives.spool import Values

__all__ = ["Delivery"]


class Delivery:
    """The way of results to the outbox.

    Args:
        outbox: Where they go.
        open_places: How many places may be open at once where order is kept; None keeps none.
        clock: Tells how long there was no room.
        unblocked: Is told for how many seconds there was none.
    """

    def __init__(
        self,
        outbox: Outbox,
        open_places: int | None,
        clock: Clock,
        unblocked: Callable[[float], None],
    ) -> None:
        self._outbox, self._clock, self._unblocked = outbox, clock, unblocked
        self._reorder: Reorder[Sequence[Values]] | None = None
        if open_places is not None:
            self._reorder = Reorder(open_places)
        self.keeps_order = open_places is not None
        """Whether results leave in the order of their places."""
        self._lock = threading.Lock()  # guards the order, and the moment below
        self._blocked_since: float | None = None

    def admits(self, place: int) -> bool:
        """Whether work for this place may begin."""
        return self._reorder is None or self._reorder.admits(place)

    def put(self, place: int, outputs: Sequence[Values]) -> None:
        """Put out what came of the items at this place, when it is its turn. Never blocks."""
        with self._lock:
            if self._reorder is None:
                is_empty = self._outbox.put(outputs)
            else:
                for following in self._reorder.add(place, outputs):
                    self._outbox.put(following)
                is_empty = not self._outbox
            if not is_empty and self._blocked_since is None:
                self._blocked_since = self._clock.now()

    def put_aside(self, outputs: Sequence[Values]) -> None:
        """Put out what has no place in the order. Never blocks."""
        with self._lock:
            self._outbox.put(outputs)

    def flush(self) -> bool:
        """Send what goes without waiting. True when nothing is left."""
        if not self._outbox.flush():
            return False
        if self._blocked_since is not None:
            self._note_unblocked()
        return True

    def wait(self) -> None:
        """Send everything, waiting for room."""
        self._outbox.deliver()
        if self._blocked_since is not None:
            self._note_unblocked()

    def on_ready(self, wake: Callable[[], None]) -> None:
        """Have `wake` called when there may be room again."""
        self._outbox.on_ready(wake)

    def _note_unblocked(self) -> None:
        with self._lock:
            since, self._blocked_since = self._blocked_since, None
        if since is not None:
            self._unblocked(self._clock.now() - since)

"""What the workers of a group keep between leases, and when they want to be asked for it.

A worker is asked with a lease that brings no items: when it is *due*, when the loop that it is
within has *stalled*, and once more, its last, when no item will follow. The group's lock guards it.
"""

from __future__ import annotations

import math

from minigun_py.contexts.answer import Harvest
from minigun_py.engine.loop import Loop

__all__ = ["Keeping"]


class Keeping:
    """The books of a group about what its workers keep.

    Args:
        holds: Whether they may keep items at all.
        together: Whether what they keep is kept by all of them together.
        loop: The loop that the group is within.
    """

    def __init__(self, holds: bool, together: bool, loop: Loop | None) -> None:
        self._holds, self._together, self._loop = holds, together, loop
        self._due: dict[int, float] = {}
        self.is_kept = holds or loop is not None
        """Whether there are books to keep, but for when a worker is due."""
        self._held: dict[int, int] = {}
        self._finished: set[int] = set()

    @property
    def next_due(self) -> float | None:
        """When the first worker is due, in monotonic seconds; None if none will be."""
        return min(tuple(self._due.values()), default=None) if self._due else None

    def due(self, worker: int) -> float | None:
        """When a worker is due."""
        return self._due.get(worker)

    def is_due(self, worker: int, now: float) -> bool:
        """Whether a worker is due."""
        return now >= self._due.get(worker, math.inf)

    def holds(self, worker: int) -> bool:
        """Whether a worker keeps items."""
        return bool(self._held.get(self._whose(worker)))

    def lent(self, worker: int) -> None:
        """A worker got a lease; in its answer it says anew when it is due."""
        self._due.pop(worker, None)

    def answered(self, worker: int, items: int, harvest: Harvest, emptied: bool = False) -> None:
        """A worker has answered for so many items, and what came of them is on its way.

        Unless it was `emptied` by a flush it may hold one of them, whatever it has emitted.
        """
        if harvest.due is not None:
            self._due[worker] = harvest.due
        if not self.is_kept:
            return
        whose = self._whose(worker)
        before = self._held.get(whose, 0)
        held = 0
        if self._holds:
            may_hold = not emptied and (items > 0 or before > 0)
            held = max(harvest.held, int(may_hold))
        more = held - before
        self._held[whose] = held
        if self._loop is not None:
            self._loop.leave(items - more, more)

    def ended(self, items: int = 1) -> None:
        """So many items have ended without an answer of a worker."""
        if self._loop is not None:
            self._loop.leave(items)

    def vanished(self, worker: int) -> None:
        """What a worker kept is lost; its items will be run again."""
        self._due.pop(worker, None)
        held = self._held.pop(self._whose(worker), 0)
        if self._loop is not None:
            self._loop.leave(0, -held)

    def finish(self, worker: int) -> bool:
        """Whether a worker still has to be asked for the last time; it is, by that."""
        whose = self._whose(worker)
        if not self._holds or whose in self._finished:
            return False
        self._finished.add(whose)
        return True

    def _whose(self, worker: int) -> int:
        return 0 if self._together else worker

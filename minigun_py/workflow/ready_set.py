"""What might begin now, the most critical first of those for which there is enough. Pure."""

from __future__ import annotations

import heapq
from itertools import count
from typing import Generic, TypeVar

from minigun_py.workflow.admission import Admission, Needs

__all__ = ["ReadySet"]

T = TypeVar("T")


class ReadySet(Generic[T]):
    """Pieces of work, by what they need. There are few ways to need something, and many pieces.

    What does not fit is passed over by what is less critical and does. Of two that are as critical
    as each other the one that came first begins.
    """

    def __init__(self) -> None:
        self._waiting: dict[Needs, list[tuple[float, int, T]]] = {}
        self._count = count()

    def add(self, piece: T, needs: Needs, priority: float) -> None:
        """From now on it may begin."""
        heapq.heappush(self._waiting.setdefault(needs, []), (-priority, next(self._count), piece))

    def take(self, admission: Admission) -> T | None:
        """What begins now, for which everything is taken; None if nothing can."""
        best: list[tuple[float, int, T]] | None = None
        found: Needs = ()
        for needs, pieces in self._waiting.items():
            if pieces and (best is None or pieces[0] < best[0]) and admission.fits(needs):
                best, found = pieces, needs
        if best is None:
            return None
        admission.take(found)
        return heapq.heappop(best)[2]

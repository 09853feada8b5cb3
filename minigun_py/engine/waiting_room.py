"""Items of one stage that wait for another attempt. Pure.

They occupy no worker. There are never many more than the bound: while it is reached the stage
takes nothing new in.
"""

from __future__ import annotations

import heapq
import itertools
from typing import Any

from minigun_py.record import record

__all__ = ["Again", "WaitingRoom"]


@record(eq=False)
class Again:
    """An item that will be tried again."""

    item: Any
    attempt: int
    """The number of the attempt that it waits for."""
    place: int
    """The place of its results, where order is kept."""


class WaitingRoom:
    """Items by the time at which they are due; in a line for each worker, if they are bound."""

    def __init__(self, bound: int, by_worker: bool = False) -> None:
        self._bound, self._by_worker = bound, by_worker
        self._lines: dict[int, list[tuple[float, int, Again]]] = {}
        self._order = itertools.count()

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    @property
    def full(self) -> bool:
        """Whether nothing new should be begun."""
        return len(self) >= self._bound

    def waits_for(self, worker: int) -> bool:
        """Whether something waits that this worker may have to run."""
        return bool(self._lines.get(self._line(worker)))

    def next_due(self, worker: int | None = None) -> float | None:
        """When the first is due, of what this worker may run, or of all."""
        lines = self._lines.values() if worker is None else [self._lines.get(self._line(worker))]
        return min((line[0][0] for line in lines if line), default=None)

    def add(self, item: Any, attempt: int, at: float, worker: int = 1, place: int = 0) -> None:
        """Let an item wait until `at` for its next attempt."""
        line = self._lines.setdefault(self._line(worker), [])
        heapq.heappush(line, (at, next(self._order), Again(item, attempt, place)))

    def take(self, now: float, worker: int = 1) -> Again | None:
        """The first that this worker may run, if it is due."""
        line = self._lines.get(self._line(worker))
        return heapq.heappop(line)[2] if line and line[0][0] <= now else None

    def clear(self) -> int:
        """Let nobody wait any more. Returns how many there were."""
        count = len(self)
        self._lines.clear()
        return count

    def _line(self, worker: int) -> int:
        return worker if self._by_worker else 0

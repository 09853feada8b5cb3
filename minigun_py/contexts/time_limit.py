"""Which workers have been at one item for too long, as their notes tell."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from minigun_py.clock import SYSTEM_CLOCK, Clock
from minigun_py.contexts.remote_worker import RemoteWorker
from minigun_py.contexts.running_items import RunningItems

__all__ = ["TimeLimit"]

UNBEGUN_CHECK: Final = 0.05
"""Seconds until a worker is looked at again that has a lease, and no item of it yet."""


class TimeLimit:
    """How long a worker may be at one item.

    Args:
        seconds: So long; None is without limit.
        running: The notes of the workers.
        clock: The one that the workers look at.
    """

    def __init__(
        self, seconds: float | None, running: RunningItems, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.seconds, self._running, self._clock = seconds, running, clock

    def wait_time(self, workers: Iterable[RemoteWorker]) -> float | None:
        """Seconds until one of the workers may be overdue; None if none can be."""
        if self.seconds is None:
            return None
        busy = [worker for worker in workers if worker.leases and worker.overdue is None]
        return min((max(0.0, self._left(worker)) for worker in busy), default=None)

    def overdue(self, workers: Iterable[RemoteWorker]) -> list[RemoteWorker]:
        """The workers that are, from now on. Each is told once."""
        if self.seconds is None:
            return []
        late: list[RemoteWorker] = []
        for worker in workers:
            item = self._running.read(worker.slot)  # first: it may go on to another meanwhile
            if worker.leases and worker.overdue is None and self._left(worker) <= 0:
                worker.overdue = item
                late.append(worker)
        return late

    def _left(self, worker: RemoteWorker) -> float:
        """Seconds that a worker has left for its item; some, while it is at none."""
        assert self.seconds is not None
        began = self._running.began(worker.slot)
        if began is None:
            return min(self.seconds, UNBEGUN_CHECK)
        return began + self.seconds - self._clock.now()

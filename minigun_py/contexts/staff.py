"""The workers of a context behind sockets, and what holds for each of them."""

from __future__ import annotations

from minigun_py.contexts.arena import Arena, ArenaEnd
from minigun_py.contexts.crew import Crew
from minigun_py.contexts.remote_worker import RemoteWorker
from minigun_py.contexts.running_items import RunningItems
from minigun_py.record import field, record

__all__ = ["Staff"]


@record(frozen=False)
class Staff:
    """The workers by number, whoever starts them, and what holds for each."""

    crew: Crew
    size: int
    running: RunningItems
    arena: Arena
    ends: list[ArenaEnd]
    """The parent's ends of it, by slot."""
    code: bytes | None
    """What a worker is sent first; None if it has inherited its stages."""
    most_items: int | None
    """Items after which a worker is released."""
    most_leases: int | None
    """Leases after which a worker is released."""
    workers: dict[int, RemoteWorker] = field(default_factory=dict)
    expected: int = 0
    """Workers that were asked for and have not come yet."""

    def hire(self, slot: int) -> None:
        """Ask for a worker."""
        self.crew.spawn(slot)
        self.expected += 1

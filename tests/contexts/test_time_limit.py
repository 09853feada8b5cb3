"""A worker is overdue when its item has taken too long, and it is told of once."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from minigun_py.contexts.answer import Lease
from minigun_py.contexts.crew import Spawned
from minigun_py.contexts.remote_worker import RemoteWorker
from minigun_py.contexts.running_items import RunningItems
from minigun_py.contexts.time_limit import UNBEGUN_CHECK, TimeLimit
from minigun_py.testing.clock import VirtualClock


class Room:
    """Two workers with their notes, before a clock that stands at the real time."""

    def __init__(self, notes: RunningItems, workers: list[RemoteWorker]) -> None:
        self.notes, self.workers = notes, workers
        self.clock = VirtualClock(time.monotonic())

    def limit(self, seconds: float | None) -> TimeLimit:
        return TimeLimit(seconds, self.notes, self.clock)

    def begin(self, slot: int, place: int = 7) -> Iterator[str]:
        """A worker has a lease, and is at its first item when it is asked for that."""
        self.workers[slot].lend(Lease(place, ["a", "b"]))
        return self.notes.each_timed(slot, place, ["a", "b"])


@pytest.fixture
def room() -> Iterator[Room]:
    notes, pairs = RunningItems.shared(2), [socket.socketpair() for _ in range(2)]
    workers = [RemoteWorker(Spawned(n, 40 + n, ours)) for n, (ours, _) in enumerate(pairs)]
    yield Room(notes, workers)
    notes.close()
    for pair in pairs:
        for end in pair:
            end.close()


def test_without_a_limit_nobody_is_overdue(room: Room) -> None:
    next(room.begin(0))
    room.clock.advance(1e6)
    limit = room.limit(None)
    assert (limit.wait_time(room.workers), limit.overdue(room.workers)) == (None, [])


def test_a_worker_without_leases_is_not_watched(room: Room) -> None:
    assert room.limit(1.0).wait_time(room.workers) is None


def test_a_worker_at_an_item_has_so_long(room: Room) -> None:
    limit, items = room.limit(1.0), room.begin(0)
    next(items)
    room.clock.advance(0.25)
    assert limit.wait_time(room.workers) == pytest.approx(0.75, abs=0.2)
    assert limit.overdue(room.workers) == []


def test_then_it_is_overdue_and_told_of_once(room: Room) -> None:
    limit, items = room.limit(1.0), room.begin(1)
    next(items)
    room.clock.advance(5.0)
    assert limit.wait_time(room.workers) == 0.0
    assert limit.overdue(room.workers) == [room.workers[1]]
    assert room.workers[1].overdue == (7, 0)
    assert (limit.wait_time(room.workers), limit.overdue(room.workers)) == (None, [])


def test_each_item_has_its_own_time(room: Room) -> None:
    limit, items = room.limit(1.0), room.begin(0)
    next(items)
    room.clock.advance(-1.0 + 1.5)
    next(items)  # it notes the real time, before that of the clock
    assert limit.overdue(room.workers) == []


def test_a_worker_that_has_not_begun_is_looked_at_again_soon(room: Room) -> None:
    room.begin(0)
    room.clock.advance(1e6)
    assert room.limit(9.0).wait_time(room.workers) == UNBEGUN_CHECK
    assert room.limit(0.01).wait_time(room.workers) == 0.01
    assert room.limit(0.01).overdue(room.workers) == []


def test_a_worker_that_has_ended_its_items_is_not_overdue(room: Room) -> None:
    assert list(room.begin(0)) == ["a", "b"]
    room.clock.advance(1e6)
    assert room.limit(1.0).overdue(room.workers) == []


def test_a_worker_that_goes_on_while_it_is_looked_at_blames_no_other_item(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit, items = room.limit(1.0), room.begin(0)
    next(items)
    began = room.notes.began(0)

    def told_late(slot: int) -> float | None:
        next(items)
        return began

    monkeypatch.setattr(room.notes, "began", told_late)
    room.clock.advance(5.0)
    assert limit.overdue(room.workers) == [room.workers[0]]
    assert room.workers[0].overdue == (7, 0)

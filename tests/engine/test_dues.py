"""A group knows how long it may wait though nothing comes."""

from __future__ import annotations

from minigun_py.contexts.answer import Harvest
from minigun_py.engine.dues import Dues
from minigun_py.engine.keeping import Keeping
from minigun_py.engine.pace import Pace
from minigun_py.engine.waiting_room import WaitingRoom
from minigun_py.testing import VirtualClock


class Group:
    """The parts of one, at 100 seconds."""

    def __init__(self, interval: float = 0.0) -> None:
        self.clock = VirtualClock(100.0)
        self.keeping = Keeping(holds=True, together=False, loop=None)
        self.waiting, self.pace = WaitingRoom(10, by_worker=True), Pace(interval)
        self.dues = Dues(self.keeping, self.waiting, self.pace, self.clock)

    def keep(self, worker: int, due: float) -> None:
        self.keeping.answered(worker, 1, Harvest([], [], due=due))


def test_without_anything_due_it_waits_for_ever() -> None:
    group = Group()
    assert group.dues.wait_time() is None
    assert group.dues.wait_time_of(1) is None
    assert group.dues.deadline(1) is None


def test_the_first_of_all_counts() -> None:
    group = Group(interval=1.0)
    group.keep(1, due=105.0)
    assert group.dues.wait_time() == 5.0
    group.waiting.add("item", 2, at=103.0, worker=2)
    assert group.dues.wait_time() == 3.0
    group.pace.taken(100.0)
    assert group.dues.wait_time() == 1.0


def test_a_worker_waits_for_what_it_may_do_itself() -> None:
    group = Group()
    group.keep(1, due=105.0)
    group.waiting.add("item", 2, at=103.0, worker=2)
    assert group.dues.wait_time_of(1) is None
    assert group.dues.wait_time_of(2) == 3.0
    deadlines = [group.dues.deadline(worker) for worker in (1, 2)]
    assert [each and each.at for each in deadlines] == [105.0, 103.0]


def test_what_is_overdue_is_not_waited_for() -> None:
    group = Group()
    group.keep(1, due=90.0)
    assert group.dues.wait_time() == 0.0

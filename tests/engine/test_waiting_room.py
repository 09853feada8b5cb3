"""Items wait for another attempt until they are due, each in the line of whoever may run it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from minigun_py.engine.waiting_room import WaitingRoom

waits = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 3)), max_size=30)


def test_an_item_comes_out_when_it_is_due_and_not_before() -> None:
    room = WaitingRoom(10)
    room.add("a", attempt=2, at=5.0)
    assert room.take(4.9) is None
    again = room.take(5.0)
    assert again is not None
    assert (again.item, again.attempt) == ("a", 2)
    assert room.take(9.0) is None


@given(waits)
def test_items_come_out_by_the_time_at_which_they_are_due(given: list[tuple[int, int]]) -> None:
    room = WaitingRoom(10)
    for at, worker in given:
        room.add(at, 2, float(at), worker)
    out = []
    while (again := room.take(100.0, worker=3)) is not None:
        out.append(again.item)
    assert out == sorted(at for at, _ in given)


@given(waits)
def test_where_items_are_bound_a_worker_gets_its_own_and_no_others(
    given: list[tuple[int, int]],
) -> None:
    room = WaitingRoom(10, by_worker=True)
    for at, worker in given:
        room.add(worker, 2, float(at), worker)
    for worker in (1, 2, 3):
        mine = [at for at, whose in given if whose == worker]
        assert room.waits_for(worker) == bool(mine)
        assert room.next_due(worker) == (min(mine) if mine else None)
        for _ in mine:
            again = room.take(100.0, worker)
            assert again is not None
            assert again.item == worker
        assert room.take(100.0, worker) is None


def test_it_is_full_at_its_bound_and_says_when_the_first_is_due() -> None:
    room = WaitingRoom(2)
    room.add("late", 2, 9.0)
    assert not room.full
    room.add("early", 2, 3.0)
    assert room.full
    assert room.next_due() == 3.0


def test_what_is_cleared_is_counted() -> None:
    room = WaitingRoom(2)
    room.add("a", 2, 1.0)
    room.add("b", 2, 1.0, worker=2)
    assert room.clear() == 2
    assert (len(room), room.next_due()) == (0, None)

"""Items wait in one place for all workers, or on a shelf for the worker that their key means."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigun_py.clock import Deadline
from minigun_py.engine.intake import Inbox, Shelves
from minigun_py.engine.loop import Loop, LoopInbox, Stalled
from minigun_py.errors import ChannelAborted, EndOfChannel, WouldBlock
from minigun_py.primitives.backlog import Backlog
from minigun_py.primitives.channel import Receiver, Sender, open_channel
from minigun_py.testing.clock import VirtualClock

PATIENCE = 20.0


def channel() -> tuple[Sender[Any], Receiver[Any]]:
    return open_channel(100)


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


class Rack:
    """Two shelves, for even and for odd numbers, and the sender that leads to them."""

    def __init__(self, bound: int = 10, receiver: Any = None) -> None:
        self.sender, mine = channel()
        self.refused: list[tuple[Any, Exception]] = []

        def refuse(item: Any, error: Exception) -> None:
            self.refused.append((item, error))

        self.shelves = Shelves(receiver or mine, 2, bound, lambda item: item % 2, refuse)

    def take(self, worker: int, most: int = 10) -> list[Any]:
        """Without waiting."""
        return self.shelves.take_nowait(worker, most)


# --------------------------------------------------------------------------- one for all


def test_whoever_comes_takes() -> None:
    sender, receiver = channel()
    inbox = Inbox(receiver, 2)
    sender.send_many([1, 2, 3])
    assert (inbox.waiting(1), inbox.waiting(2)) == (3, 3)
    assert (inbox.take_nowait(2, 2), inbox.take(1, 2, None)) == ([1, 2], [3])


def test_an_inbox_that_closes_leaves_nothing_on_shelves() -> None:
    sender, receiver = channel()
    sender.send(1)
    assert Inbox(receiver, 2).close() == 0
    assert receiver.statistics().discarded == 1


def test_an_inbox_wakes_whoever_polls() -> None:
    sender, receiver = channel()
    calls: list[None] = []
    Inbox(receiver, 2).on_ready(lambda: calls.append(None))
    sender.send(1)
    assert calls


# --------------------------------------------------------------------------- shelves


def test_a_worker_gets_its_items_and_no_others() -> None:
    rack = Rack()
    rack.sender.send_many([1, 2, 3, 4])
    assert (rack.take(1), rack.take(2)) == ([2, 4], [1, 3])


def test_a_worker_gets_no_more_than_it_asks_for() -> None:
    rack = Rack()
    rack.sender.send_many([2, 4, 6])
    assert (rack.take(1, 2), rack.take(1, 2)) == ([2, 4], [6])


def test_what_waits_is_counted_by_shelf() -> None:
    rack = Rack()
    rack.sender.send_many([1, 2, 3])
    rack.take(1)
    assert (rack.shelves.waiting(1), rack.shelves.waiting(2)) == (0, 2)


def test_with_nothing_on_its_shelf_a_worker_would_block() -> None:
    rack = Rack()
    rack.sender.send(1)
    with pytest.raises(WouldBlock):
        rack.take(1)


def test_no_more_lies_on_shelves_than_there_is_room() -> None:
    rack = Rack(bound=3)
    rack.sender.send_many([1, 3, 5, 7, 2])
    with pytest.raises(WouldBlock):
        rack.take(1)
    assert rack.shelves.waiting(2) == 3
    rack.take(2, 2)
    assert rack.take(1) == [2]


def test_the_end_comes_to_each_worker_when_its_shelf_is_empty() -> None:
    rack = Rack()
    rack.sender.send(1)
    rack.sender.close()
    with pytest.raises(EndOfChannel):
        rack.take(1)
    assert rack.take(2) == [1]
    with pytest.raises(EndOfChannel):
        rack.take(2)


def test_a_cut_comes_before_what_lies_on_the_shelf() -> None:
    rack = Rack()
    rack.sender.send_many([1, 2])
    rack.take(1)
    rack.sender.abort("enough")
    for worker in (1, 2):
        with pytest.raises(ChannelAborted):
            rack.take(worker)


def test_what_has_no_place_is_refused_and_the_others_are_laid_down() -> None:
    rack = Rack()
    rack.sender.send_many([2, "odd", 4])
    assert rack.take(1) == [2, 4]
    ((item, error),) = rack.refused
    assert (item, type(error)) == ("odd", TypeError)


def test_what_is_left_is_told_at_the_end() -> None:
    rack = Rack()
    rack.sender.send_many([1, 2, 3])
    rack.take(1)
    assert rack.shelves.close() == 2
    assert rack.shelves.waiting(2) == 0


def test_a_wait_ends_when_an_item_for_the_worker_comes() -> None:
    rack, got = Rack(), list[Any]()
    thread = in_thread(lambda: got.extend(rack.shelves.take(1, 5, None)))
    rack.sender.send_many([1, 2])
    thread.join(PATIENCE)
    assert got == [2]


def test_a_wait_ends_when_another_worker_makes_room() -> None:
    rack, got = Rack(bound=1), list[Any]()
    rack.sender.send_many([1, 2])
    thread = in_thread(lambda: got.extend(rack.shelves.take(1, 5, None)))
    assert rack.shelves.take(2, 5, None) == [1]
    thread.join(PATIENCE)
    assert got == [2]


def test_a_wait_ends_with_the_end() -> None:
    rack, raised = Rack(), list[type]()

    def wait() -> None:
        try:
            rack.shelves.take(1, 5, None)
        except EndOfChannel as error:
            raised.append(type(error))

    thread = in_thread(wait)
    rack.sender.close()
    thread.join(PATIENCE)
    assert raised == [EndOfChannel]


def test_a_wait_ends_at_its_deadline() -> None:
    with pytest.raises(WouldBlock):
        Rack().shelves.take(1, 5, Deadline.after(0.0, VirtualClock()))


def test_whoever_polls_is_woken_when_another_has_filled_its_shelf() -> None:
    rack, calls = Rack(), list[None]()
    rack.shelves.on_ready(lambda: calls.append(None))
    rack.sender.send_many([1, 2])
    before = len(calls)
    rack.take(1)
    assert len(calls) > before


def test_a_stall_comes_to_the_workers_with_empty_shelves() -> None:
    sender, receiver = channel()
    loop = Loop()
    loop.fed_from_outside()
    inbox = LoopInbox(receiver, Backlog(lambda item: 8), loop)
    rack = Rack(receiver=inbox)
    loop.enter(2)
    sender.send_many([1, 2])
    sender.close()
    rack.take(1)
    loop.feeder_ended()
    loop.leave(0, held=2)
    with pytest.raises(Stalled):
        rack.take(1)
    assert rack.take(2) == [1]
    rack.shelves.close()


@given(st.lists(st.integers(0, 20)), st.integers(1, 5), st.lists(st.integers(1, 2)))
def test_every_item_comes_to_its_worker_once_and_in_order(
    items: list[int], bound: int, turns: list[int]
) -> None:
    rack = Rack(bound)
    rack.sender.send_many(items)
    rack.sender.close()
    got: dict[int, list[int]] = {1: [], 2: []}
    for worker in [*turns, *([1, 2] * (len(items) + 1))]:
        try:
            got[worker] += rack.take(worker, 2)
        except (WouldBlock, EndOfChannel):
            continue
        assert sum(map(rack.shelves.waiting, (1, 2))) <= bound
    assert got == {1: [n for n in items if n % 2 == 0], 2: [n for n in items if n % 2]}

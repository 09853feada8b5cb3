"""Results are admitted as far as there is room, in order, and wait without blocking anybody."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from minigun_py.engine.dispatch import Broadcast, RoundRobin
from minigun_py.engine.outbox import Exitway, Outbox
from minigun_py.errors import ChannelAborted, ChannelError, EndOfChannel
from minigun_py.primitives.channel import Receiver, Sender, open_channel

PATIENCE = 20.0


def one_exit(capacity: int) -> tuple[Outbox, Receiver[int]]:
    ends: tuple[Sender[int], Receiver[int]] = open_channel(capacity)
    sender, receiver = ends
    return Outbox([Exitway(Broadcast(1), [sender])]), receiver


def pair(capacity: int) -> tuple[list[Sender[int]], list[Receiver[int]]]:
    ends = [open_channel(capacity) for _ in range(2)]
    return [sender for sender, _ in ends], [receiver for _, receiver in ends]


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_what_has_room_is_sent_at_once() -> None:
    outbox, receiver = one_exit(5)
    outbox.put([[1, 2, 3]])
    assert not outbox
    assert receiver.receive_many_nowait(5) == [1, 2, 3]


def test_what_has_no_room_waits_and_put_does_not_block() -> None:
    outbox, receiver = one_exit(2)
    outbox.put([[1, 2, 3]])
    assert outbox
    assert receiver.receive_many_nowait(5) == [1, 2]


def test_a_flush_sends_what_has_room_now() -> None:
    outbox, receiver = one_exit(2)
    outbox.put([[1, 2, 3, 4, 5]])
    assert not outbox.flush()
    receiver.receive_many_nowait(5)
    assert not outbox.flush()
    assert receiver.receive_many_nowait(5) == [3, 4]
    assert outbox.flush()
    assert receiver.receive_many_nowait(5) == [5]


class Narrow:
    """A way to a stage that has room for one item at a time."""

    def __init__(self) -> None:
        self.came: list[int] = []
        self.lists: list[list[int]] = []

    def send_many_nowait(self, items: list[int], start: int = 0) -> int:
        if not any(items is known for known in self.lists):
            self.lists.append(items)
        self.came.append(items[start])
        return 1

    def on_ready(self, wake: Callable[[], None]) -> None: ...


def test_what_goes_one_by_one_is_not_copied_each_time() -> None:
    narrow = Narrow()
    outbox = Outbox([Exitway(Broadcast(1), [narrow])])  # type: ignore[list-item]
    outbox.put([[*range(5000)]])
    while not outbox.flush():
        pass
    assert narrow.came == [*range(5000)]
    assert len(narrow.lists) <= 14  # of which each is half of the one before


def test_parcels_leave_in_the_order_in_which_they_came() -> None:
    outbox, receiver = one_exit(1)
    for n in range(5):
        outbox.put([[n]])
    got = []
    while True:
        got += receiver.receive_many_nowait(9)
        if outbox.flush() and not receiver.waiting:
            break
    assert got == list(range(5))


def test_a_full_target_holds_back_what_was_put_after_it_for_another() -> None:
    senders, receivers = pair(1)
    outbox = Outbox([Exitway(Broadcast(2), senders)])
    outbox.put([[1, 2]])
    assert [receiver.waiting for receiver in receivers] == [1, 0]


def test_a_delivery_waits_for_room() -> None:
    outbox, receiver = one_exit(1)
    outbox.put([[1, 2, 3]])
    thread = in_thread(outbox.deliver)
    assert [receiver.receive() for _ in range(3)] == [1, 2, 3]
    thread.join(PATIENCE)
    assert not outbox


def test_a_delivery_ends_when_the_stream_is_cut() -> None:
    outbox, receiver = one_exit(1)
    outbox.put([[1, 2]])
    raised: list[BaseException] = []

    def deliver() -> None:
        try:
            outbox.deliver()
        except ChannelAborted as error:
            raised.append(error)

    thread = in_thread(deliver)
    receiver.abort("enough")
    thread.join(PATIENCE)
    assert [error.reason for error in raised] == ["enough"]  # type: ignore[attr-defined]


def test_several_may_deliver_at_once_and_nothing_is_sent_twice() -> None:
    outbox, receiver = one_exit(1)
    outbox.put([list(range(20))])
    threads = [in_thread(outbox.deliver) for _ in range(3)]
    got = [receiver.receive() for _ in range(20)]
    for thread in threads:
        thread.join(PATIENCE)
    assert got == list(range(20))
    assert receiver.waiting == 0


def test_to_put_into_a_cut_stream_raises() -> None:
    outbox, receiver = one_exit(1)
    receiver.abort("enough")
    with pytest.raises(ChannelAborted):
        outbox.put([[1]])


def test_each_exit_has_targets_of_its_own() -> None:
    senders, receivers = pair(5)
    outbox = Outbox([Exitway(Broadcast(1), senders[:1]), Exitway(Broadcast(1), senders[1:])])
    outbox.put([[1], [2, 3]])
    assert [receiver.receive_many_nowait(9) for receiver in receivers] == [[1], [2, 3]]


def test_a_broadcast_sends_to_all_targets() -> None:
    senders, receivers = pair(5)
    Outbox([Exitway(Broadcast(2), senders)]).put([[1, 2]])
    assert [receiver.receive_many_nowait(9) for receiver in receivers] == [[1, 2], [1, 2]]


def test_turns_go_on_from_one_put_to_the_next() -> None:
    senders, receivers = pair(5)
    outbox = Outbox([Exitway(RoundRobin(2), senders)])
    outbox.put([[1, 2, 3]])
    outbox.put([[4]])
    assert [receiver.receive_many_nowait(9) for receiver in receivers] == [[1, 3], [2, 4]]


def test_room_downstream_wakes_who_asked_for_it() -> None:
    outbox, receiver = one_exit(1)
    outbox.put([[1, 2]])
    woken: list[bool] = []
    outbox.on_ready(lambda: woken.append(True))
    assert woken == []
    receiver.receive_nowait()
    assert woken == [True]


def test_nobody_is_woken_by_room_that_nothing_waits_for() -> None:
    outbox, receiver = one_exit(2)
    woken: list[int] = []
    outbox.on_ready(lambda: woken.append(1))
    before = len(woken)
    outbox.put([[1, 2]])
    receiver.receive_many_nowait(1)
    assert len(woken) == before
    outbox.put([[3, 4]])
    receiver.receive_many_nowait(1)
    assert len(woken) == before + 1


def test_a_closed_outbox_ends_the_stream() -> None:
    outbox, receiver = one_exit(2)
    outbox.put([[1]])
    outbox.close()
    assert receiver.receive_nowait() == 1
    with pytest.raises(EndOfChannel):
        receiver.receive_nowait()


# --------------------------------------------------------------------------- exits of a source


def test_a_source_puts_single_items_out_one_by_one() -> None:
    senders, receivers = pair(5)
    way_out = Exitway(RoundRobin(2), senders)
    for n in range(3):
        way_out.append(n)
    way_out.extend([3, 4])
    assert [receiver.receive_many_nowait(9) for receiver in receivers] == [[0, 2, 4], [1, 3]]


def test_a_source_with_one_target_sends_to_it_without_a_step_between() -> None:
    sender, receiver = open_channel(5)
    way_out = Exitway(Broadcast(1), [sender])
    way_out.append(1)
    way_out.extend([2, 3])
    assert receiver.receive_many_nowait(9) == [1, 2, 3]
    sender.close()
    with pytest.raises(ChannelError):
        way_out.append(4)

"""A lone sender puts items in without the lock, and nobody can tell."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from minigun_py.clock import Deadline, SystemClock
from minigun_py.errors import BrokenChannel, ChannelAborted, ChannelError, EndOfChannel, WouldBlock
from minigun_py.primitives import channel
from minigun_py.primitives.channel import AT_ONCE, Receiver, Sender, open_channel
from minigun_py.primitives.room import Room

LIMIT = 20.0  # seconds


class LoneSender(RuleBasedStateMachine):
    """Against a queue. Nobody waits, and nobody is to be called, so it is the short way."""

    @initialize(capacity=st.integers(1, 3 * AT_ONCE))
    def open(self, capacity: int) -> None:
        ends: tuple[Sender[int], Receiver[int]] = open_channel(capacity)
        self.sender, self.receiver = ends
        self.capacity, self.waiting = capacity, deque[int]()
        self.number = self.received = self.dropped = 0
        self.over: type[Exception] | None = None
        self.extra: Sender[int] | None = None

    def numbers(self, count: int) -> list[int]:
        self.number += count
        return list(range(self.number - count, self.number))

    @rule(count=st.integers(1, 2 * AT_ONCE))
    def send(self, count: int) -> None:
        if self.over is not None:
            with pytest.raises(self.over):
                self.sender.send_alone(0)
            return
        for _ in range(min(count, self.capacity - len(self.waiting))):
            [number] = self.numbers(1)
            self.sender.send_alone(number)
            self.waiting.append(number)

    @rule()
    def send_with_the_lock(self) -> None:
        if self.over is None and len(self.waiting) < self.capacity:
            [number] = self.numbers(1)
            self.sender.send(number)
            self.waiting.append(number)

    @rule(count=st.integers(1, AT_ONCE))
    def send_many(self, count: int) -> None:
        if self.over is None:
            count = min(count, self.capacity - len(self.waiting))
            items = self.numbers(count)
            assert self.sender.send_many_nowait(items) == count
            self.waiting.extend(items)

    @rule(most=st.integers(1, 3 * AT_ONCE))
    def receive(self, most: int) -> None:
        if self.over is not None:
            return
        wanted = [self.waiting.popleft() for _ in range(min(most, len(self.waiting)))]
        if not wanted:
            with pytest.raises(WouldBlock):
                self.receiver.receive_many_nowait(most)
        else:
            assert self.receiver.receive_many_nowait(most) == wanted
            self.received += len(wanted)

    @rule()
    def clone_or_close(self) -> None:
        if self.over is None and self.extra is None:
            self.extra = self.sender.clone()
        elif self.extra is not None:
            self.extra.close()
            self.extra = None

    @rule(how=st.sampled_from(["abort", "leave", "close"]))
    def end(self, how: str) -> None:
        if self.over is not None or self.number < 4 * AT_ONCE:
            return
        if how == "close":
            self.sender.close()
            self.over = ChannelError
            return
        if how == "abort":
            self.receiver.abort("cut")
            self.over = ChannelAborted
        else:
            self.receiver.close()
            self.over = BrokenChannel
        self.dropped += len(self.waiting)
        self.waiting.clear()

    @invariant()
    def the_books_balance(self) -> None:
        assert self.sender.waiting == len(self.waiting) <= self.capacity
        books = self.receiver.statistics()
        assert (books.waiting, books.received, books.discarded) == (
            len(self.waiting), self.received, self.dropped,
        )  # fmt: skip
        assert books.sent == books.received + books.discarded + books.waiting


TestLoneSender = LoneSender.TestCase


@contextmanager
def busy_switching() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@pytest.mark.parametrize("receivers", [1, 3])
@pytest.mark.parametrize("capacity", [1, 5, 100])
@pytest.mark.parametrize("most", [1, 40])
def test_every_item_reaches_one_of_those_who_wait(receivers: int, capacity: int, most: int) -> None:
    ends: tuple[Sender[int], Receiver[int]] = open_channel(capacity)
    sender, receiver = ends
    count = 20_000

    def send() -> None:
        with sender:
            for number in range(count):
                sender.send_alone(number)

    def receive(mine: Receiver[int]) -> list[int]:
        taken: list[int] = []
        with mine:
            while True:
                try:
                    taken += mine.receive_many(most, deadline=Deadline.after(LIMIT))
                except EndOfChannel:
                    return taken

    with busy_switching(), ThreadPoolExecutor(receivers + 1) as pool:
        mine = [receiver.clone() for _ in range(receivers)]
        receiver.close()
        results = [pool.submit(receive, each) for each in mine]
        pool.submit(send).result(LIMIT)
        taken = [result.result(LIMIT) for result in results]
    assert sorted(n for each in taken for n in each) == list(range(count))
    assert all(each == sorted(each) for each in taken)


@pytest.mark.parametrize("capacity", [1, 2, AT_ONCE, 3 * AT_ONCE])
def test_threads_that_are_not_alone_get_no_room_that_is_not_there(capacity: int) -> None:
    ends: tuple[Sender[int], Receiver[int]] = open_channel(capacity)
    sender, receiver = ends
    count, threads = 5_000, 3
    most = [0]

    def send() -> None:
        for number in range(count):
            sender.send_alone(number)

    with busy_switching(), ThreadPoolExecutor(threads) as pool:
        results = [pool.submit(send) for _ in range(threads)]
        taken: list[int] = []
        while len(taken) < threads * count:
            most.append(sender.waiting)
            taken += receiver.receive_many(3, deadline=Deadline.after(LIMIT))
        for result in results:
            result.result(LIMIT)
    assert sorted(taken) == sorted(list(range(count)) * threads)
    assert max(most) <= capacity
    assert receiver.statistics().peak <= capacity


def test_an_item_that_counts_twice_for_a_moment_makes_no_room() -> None:
    sender, receiver = open_ends_with_a_grant(capacity=4)
    room = sender._room
    assert room.granted == 3
    room.incoming.append(2)  # of the other thread, which has not said yet that it is there
    room.grantee = -1
    assert room.free() == 0
    assert sender.send_many_nowait([3]) == 0
    room.granted -= 1
    assert room.free() == 0
    assert receiver.receive_many_nowait(9) == [1, 2]
    assert room.free() == 2


def test_no_room_is_granted_for_items_that_nobody_has_counted_yet() -> None:
    sender, _ = open_ends_with_a_grant(capacity=4)
    room = sender._room
    room.granted = 0
    room.incoming += [2, 3]  # of a thread that has used its grant up meanwhile
    room.grant(AT_ONCE)
    assert room.granted == 1


def open_ends_with_a_grant(capacity: int) -> tuple[Sender[int], Receiver[int]]:
    """After the first item, which nobody waits for."""
    ends: tuple[Sender[int], Receiver[int]] = open_channel(capacity)
    sender, receiver = ends
    room = sender._room
    with room.lock:
        room.put(1)
        room.awaited = False
        room.grant(AT_ONCE)
    return sender, receiver


class Interrupted(list[int]):
    """Items on their way, the first of which a receiver overtakes: it begins to wait meanwhile."""

    def __init__(self, begin_to_wait: Callable[[], None]) -> None:
        super().__init__()
        self.begin_to_wait = begin_to_wait

    def append(self, item: int) -> None:
        """After the sender has seen that nobody waits."""
        self.begin_to_wait()
        super().append(item)


def test_who_begins_to_wait_just_before_an_item_is_put_in_is_told_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(channel, "_HAS_GLOBAL_LOCK", True)  # where there is none, it is not used
    ends: tuple[Sender[int], Receiver[int]] = open_channel(100)
    sender, receiver = ends
    waits = threading.Event()

    class WaitingClock(SystemClock):
        """Its time is asked for when a wait begins."""

        def now(self) -> float:
            waits.set()
            return super().now()

    for number in range(2):
        sender.send_alone(number)  # to the first nobody may have looked yet
    assert receiver.receive_many_nowait(5) == [0, 1]
    room = sender._room
    room.receivers.clock = WaitingClock()
    with ThreadPoolExecutor(1) as pool:

        def begin_to_wait() -> None:
            taken.append(pool.submit(receiver.receive_many, 5, deadline=Deadline.after(2 * LIMIT)))
            assert waits.wait(LIMIT)
            with room.lock:  # which the wait lets go of
                pass

        taken: list[Future[list[int]]] = []
        room.incoming = Interrupted(begin_to_wait)
        sender.send_alone(2)
        assert taken[0].result(LIMIT) == [2]


class Overtaken(list[int]):
    """Items on their way, to which others come as long as their sender sees nobody wait."""

    def __init__(self, room: Room[int]) -> None:
        super().__init__([2, 3])
        self.room = room

    def __getitem__(self, index: Any) -> Any:
        """While the room looks at what has come."""
        found = super().__getitem__(index)
        if not self.room.awaited:
            self.append(4)
        return found


@pytest.mark.parametrize("how", ["abort", "close"])
def test_what_comes_during_the_end_is_dropped_too(how: str) -> None:
    sender, receiver = open_ends_with_a_grant(100)
    sender._room.incoming = Overtaken(sender._room)
    getattr(receiver, how)()
    books = receiver.statistics()
    assert books.sent == books.discarded == 3
    assert books.waiting == 0


@pytest.mark.parametrize("how", ["abort", "close"])
def test_a_sender_at_work_is_told_of_the_end(how: str) -> None:
    ends: tuple[Sender[int], Receiver[int]] = open_channel(1_000_000)
    sender, receiver = ends
    begun = threading.Event()

    def send() -> type[BaseException]:
        try:
            while True:
                sender.send_alone(0)
                begun.set()
        except (ChannelAborted, BrokenChannel) as error:
            return type(error)

    with busy_switching(), ThreadPoolExecutor(1) as pool:
        ended = pool.submit(send)
        assert begun.wait(LIMIT)
        getattr(receiver, how)()
        assert ended.result(LIMIT) is (ChannelAborted if how == "abort" else BrokenChannel)
    books = receiver.statistics()
    assert books.sent == books.received + books.discarded
    assert books.waiting == 0

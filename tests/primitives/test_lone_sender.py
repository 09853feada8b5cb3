"""A lone sender puts items in without the lock, and nobody can tell."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from minigun_py.clock import Deadline
from minigun_py.errors import BrokenChannel, ChannelAborted, ChannelError, EndOfChannel, WouldBlock
from minigun_py.primitives.channel import AT_ONCE, Receiver, Sender, open_channel

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
                self.sender.send(0)
            return
        for _ in range(min(count, self.capacity - len(self.waiting))):
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
                sender.send(number)

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


@pytest.mark.parametrize("how", ["abort", "close"])
def test_a_sender_at_work_is_told_of_the_end(how: str) -> None:
    ends: tuple[Sender[int], Receiver[int]] = open_channel(1_000_000)
    sender, receiver = ends
    begun = threading.Event()

    def send() -> type[BaseException]:
        try:
            while True:
                sender.send(0)
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

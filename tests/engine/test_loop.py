"""A loop is over when nothing is within and nothing can come, and stalls when all of it is held."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from minigun_py.clock import Deadline
from minigun_py.engine.loop import BacklogSender, Loop, LoopInbox, Stalled
from minigun_py.errors import ChannelAborted, EndOfChannel, WouldBlock
from minigun_py.primitives.backlog import Backlog
from minigun_py.primitives.channel import Sender, open_channel
from minigun_py.testing.clock import VirtualClock

PATIENCE = 20.0


def counted(loop: Loop) -> list[None]:
    """Gets longer each time that the loop tells of a change."""
    calls: list[None] = []
    loop.on_change(lambda: calls.append(None))
    return calls


# --------------------------------------------------------------------------- over


def test_a_loop_that_nothing_feeds_is_over() -> None:
    assert Loop().over


def test_a_loop_is_not_over_while_something_feeds_it() -> None:
    loop = Loop()
    loop.fed_from_outside()
    loop.fed_from_outside()
    loop.feeder_ended()
    assert not loop.over
    loop.feeder_ended()
    assert loop.over


def test_a_loop_is_not_over_while_something_is_within() -> None:
    loop = Loop()
    loop.enter(2)
    loop.leave(1)
    assert not loop.over
    loop.leave(1)
    assert loop.over


def test_the_end_is_told() -> None:
    loop = Loop()
    loop.fed_from_outside()
    loop.enter(1)
    calls = counted(loop)
    loop.feeder_ended()
    assert not calls
    loop.leave(1)
    assert len(calls) == 1


# --------------------------------------------------------------------------- stalled


def test_a_loop_stalls_when_all_that_is_within_is_held() -> None:
    loop = Loop()
    loop.enter(2)
    loop.leave(0, held=1)
    assert not loop.stalled
    loop.leave(0, held=1)
    assert loop.stalled


def test_a_loop_that_is_fed_does_not_stall() -> None:
    loop = Loop()
    loop.fed_from_outside()
    loop.enter(1)
    loop.leave(0, held=1)
    assert not loop.stalled
    loop.feeder_ended()
    assert loop.stalled


def test_an_empty_loop_does_not_stall() -> None:
    assert not Loop().stalled


def test_a_stall_is_told_and_so_is_its_end() -> None:
    loop = Loop()
    loop.enter(1)
    calls = counted(loop)
    loop.leave(0, held=1)
    assert len(calls) == 1
    loop.enter(1)
    assert len(calls) == 2
    assert not loop.stalled


def test_the_end_of_a_stall_is_told_when_something_held_is_given_up() -> None:
    loop = Loop()
    loop.enter(3)
    loop.leave(0, held=3)
    calls = counted(loop)
    loop.leave(0, held=-1)
    assert not loop.stalled
    assert len(calls) == 1


def test_what_is_let_go_ends_the_loop() -> None:
    loop = Loop()
    loop.enter(1)
    loop.leave(0, held=1)
    loop.leave(1, held=-1)
    assert loop.over


# --------------------------------------------------------------------------- its inbox


@dataclass
class Gate:
    """An inbox within a loop, and all that leads to it."""

    loop: Loop
    sender: Sender[Any]
    back: BacklogSender
    inbox: LoopInbox

    def send(self, *items: Any) -> None:
        """From outside."""
        self.loop.enter(len(items))
        self.sender.send_many(list(items))

    def send_back(self, *items: Any) -> None:
        """From within."""
        self.loop.enter(len(items))
        self.back.send_many(list(items))

    def stop_feeding(self) -> None:
        """Nothing comes from outside any more."""
        self.sender.close()
        self.loop.feeder_ended()

    def take(self, limit: int = 10) -> list[Any]:
        """Without waiting."""
        return self.inbox.receive_many_nowait(limit)


@pytest.fixture
def gate() -> Iterator[Gate]:
    sender, receiver = open_channel(100)
    loop, backlog = Loop(), Backlog(lambda item: 8)
    loop.fed_from_outside()
    inbox = LoopInbox(receiver, backlog, loop)
    yield Gate(loop, sender, BacklogSender(backlog, inbox.tell), inbox)
    inbox.close()


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_what_came_back_comes_before_what_comes_from_outside(gate: Gate) -> None:
    gate.send(1, 2)
    gate.send_back("a")
    assert (gate.take(), gate.take()) == (["a"], [1, 2])


def test_it_gives_no_more_than_is_asked_for(gate: Gate) -> None:
    gate.send_back("a", "b", "c")
    assert (gate.take(2), gate.take(2)) == (["a", "b"], ["c"])


def test_it_knows_how_many_wait(gate: Gate) -> None:
    gate.send(1, 2)
    gate.send_back("a")
    assert gate.inbox.waiting == 3


def test_with_nothing_there_it_would_block(gate: Gate) -> None:
    with pytest.raises(WouldBlock, match="nothing has come back yet"):
        gate.take()


def test_it_does_not_end_while_something_within_may_come_back(gate: Gate) -> None:
    gate.send(1)
    gate.stop_feeding()
    gate.take()
    with pytest.raises(WouldBlock):
        gate.take()


def test_it_ends_when_the_loop_is_over(gate: Gate) -> None:
    gate.send(1)
    gate.stop_feeding()
    gate.take()
    gate.loop.leave(1)
    with pytest.raises(EndOfChannel):
        gate.take()


def test_what_came_before_the_end_is_given_before_it(gate: Gate) -> None:
    gate.send_back("a")
    gate.stop_feeding()
    gate.loop.leave(1)
    assert gate.take() == ["a"]
    with pytest.raises(EndOfChannel):
        gate.take()


def test_a_stall_is_told_to_who_asks(gate: Gate) -> None:
    gate.send(1)
    gate.stop_feeding()
    gate.take()
    gate.loop.leave(0, held=1)
    with pytest.raises(Stalled):
        gate.take()


def test_a_wait_ends_when_something_comes_back(gate: Gate) -> None:
    got: list[Any] = []
    thread = in_thread(lambda: got.extend(gate.inbox.receive_many(5)))
    gate.send_back("a")
    thread.join(PATIENCE)
    assert got == ["a"]


def test_a_wait_ends_when_the_loop_is_over(gate: Gate) -> None:
    gate.send(1)
    gate.stop_feeding()
    gate.take()
    ended: list[type] = []

    def wait() -> None:
        try:
            gate.inbox.receive_many(5)
        except EndOfChannel as error:
            ended.append(type(error))

    thread = in_thread(wait)
    gate.loop.leave(1)
    thread.join(PATIENCE)
    assert ended == [EndOfChannel]


def test_a_wait_ends_at_its_deadline(gate: Gate) -> None:
    clock = VirtualClock()
    with pytest.raises(WouldBlock):
        gate.inbox.receive_many(5, deadline=Deadline.after(0.0, clock))


@pytest.mark.parametrize("ended", [False, True], ids=["while it is fed", "after the feeding"])
def test_a_cut_is_raised_also_where_items_wait_that_came_back(gate: Gate, ended: bool) -> None:
    gate.send_back("a")
    if ended:
        gate.stop_feeding()
        gate.take()
        gate.send_back("b")
    gate.inbox.abort("enough")
    with pytest.raises(ChannelAborted) as raised:
        gate.take()
    assert raised.value.reason == "enough"


def test_the_first_reason_of_a_cut_counts(gate: Gate) -> None:
    gate.inbox.abort("enough")
    gate.inbox.abort("and more")
    with pytest.raises(ChannelAborted) as raised:
        gate.take()
    assert raised.value.reason == "enough"


def test_a_cut_ends_the_wait_for_the_end_of_a_stall(gate: Gate) -> None:
    gate.send(1)
    gate.stop_feeding()
    gate.take()
    gate.loop.leave(0, held=1)
    thread = in_thread(gate.inbox.wait_while_stalled)
    gate.inbox.abort("enough")
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_movement_ends_the_wait_for_the_end_of_a_stall(gate: Gate) -> None:
    gate.send(1)
    gate.stop_feeding()
    gate.take()
    gate.loop.leave(0, held=1)
    thread = in_thread(gate.inbox.wait_while_stalled)
    gate.send_back("a")
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_whoever_polls_is_woken_by_what_comes_back_and_by_what_comes_in(gate: Gate) -> None:
    calls: list[None] = []
    gate.inbox.on_ready(lambda: calls.append(None))
    gate.send_back("a")
    assert len(calls) == 1
    gate.send(1)
    assert len(calls) == 2


def test_a_backlog_has_room_at_any_time(gate: Gate) -> None:
    gate.loop.enter(10_000)
    assert gate.back.send_many_nowait(list(range(10_001)), 1) == 10_000
    assert gate.back.clone() is gate.back
    gate.back.close()
    assert gate.inbox.waiting == 10_000


def test_the_books_count_what_came_back_as_sent(gate: Gate) -> None:
    gate.send(1, 2)
    gate.send_back("a", "b", "c")
    gate.take(2)
    gate.take(9)
    gate.take(9)
    books = gate.inbox.statistics()
    assert (books.sent, books.discarded) == (5, 0)


def test_the_books_count_what_was_left_as_discarded(gate: Gate) -> None:
    gate.send(1, 2)
    gate.send_back("a", "b", "c")
    gate.take(1)
    gate.inbox.close()
    books = gate.inbox.statistics()
    assert (books.sent, books.discarded) == (5, 4)


class Loops(RuleBasedStateMachine):
    """A loop beside the plainest count; whoever waits for a change is told of each that counts."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = Loop()
        self.calls = counted(self.loop)
        self.within = self.held = self.feeders = 0
        self.was = self.state()

    def state(self) -> tuple[bool, bool]:
        over = not (self.within or self.feeders)
        return over, not self.feeders and self.within == self.held > 0

    @rule()
    def feed(self) -> None:
        self.loop.fed_from_outside()
        self.feeders += 1
        self.was = self.state()  # nothing waits before all ways in are known

    @rule()
    def stop_feeding(self) -> None:
        if self.feeders:
            self.feeders -= 1
            self.told(self.loop.feeder_ended)

    @rule(items=st.integers(1, 3))
    def enter(self, items: int) -> None:
        self.within += items
        self.told(lambda: self.loop.enter(items))

    @rule(items=st.integers(0, 3), held=st.integers(-3, 3))
    def leave(self, items: int, held: int) -> None:
        items = min(items, self.within)
        held = max(-self.held, min(held, self.within - items - self.held))
        self.within, self.held = self.within - items, self.held + held
        self.told(lambda: self.loop.leave(items, held))

    def told(self, change: Callable[[], object]) -> None:
        """A change; whoever waits has to hear of an end, of a stall, and of the end of a stall."""
        before = len(self.calls)
        change()
        over, stalled = self.state()
        was_over, was_stalled = self.was
        if (over and not was_over) or stalled != was_stalled:
            assert len(self.calls) > before
        self.was = over, stalled

    @invariant()
    def it_agrees(self) -> None:
        assert (self.loop.over, self.loop.stalled) == self.state()


TestLoopBehavesLikeItsModel = Loops.TestCase

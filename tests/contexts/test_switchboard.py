"""Whoever waits at a board lets its loops go on, and no loop waits for somebody who is away."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import get_ident

import pytest

from minigun_py.clock import Deadline
from minigun_py.contexts import switchboard
from minigun_py.contexts.switchboard import Line, Switchboard

LIMIT = 20.0
FOR_EVER = Deadline(None)


class Loop:
    """A loop over one pipe that notes who lets it do what."""

    def __init__(self, board: Switchboard) -> None:
        self.board = board
        self.line: Line = board.line()
        self.pipe, self.says = os.pipe()
        self.is_over = False
        self.wait: float | None = None
        self.heard: list[bytes] = []
        self.looked: list[int] = []
        """By which thread, each time."""
        self.has_looked = threading.Event()
        self.on_look: Callable[[], None] = lambda: None
        self.raised: list[BaseException] = []
        self.thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        try:
            self.line.serve(self)
        except BaseException as error:
            self.raised.append(error)

    def begin(self) -> None:
        self.line.listen(self.pipe, 1)

    def look(self) -> bool:
        self.looked.append(get_ident())
        self.on_look()
        self.has_looked.set()
        return not self.is_over

    def wait_time(self) -> float | None:
        return self.wait

    def hear(self, descriptor: int, events: int) -> None:
        assert descriptor == self.pipe
        self.heard.append(os.read(descriptor, 100))
        if self.heard[-1] == b"wrong":
            raise ValueError("wrong")

    def say(self, words: bytes) -> None:
        os.write(self.says, words)

    def has_looked_again(self) -> bool:
        self.has_looked.clear()
        return self.has_looked.wait(LIMIT)

    def end(self) -> None:
        self.is_over = True
        self.line.wake()
        self.board.hurry()
        self.thread.join(LIMIT)
        assert not self.thread.is_alive()


class Room:
    """A board with loops in threads of their own."""

    def __init__(self) -> None:
        self.board = Switchboard()
        self.loops: list[Loop] = []

    def start(self) -> Loop:
        loop = Loop(self.board)
        self.loops.append(loop)
        loop.thread.start()
        assert loop.has_looked.wait(LIMIT)
        return loop

    def visit(self, ready: Callable[[], bool], deadline: Deadline = FOR_EVER) -> None:
        self.board.visit(ready, deadline)

    def close(self) -> None:
        for loop in self.loops:
            if loop.thread.is_alive():
                loop.end()
            os.close(loop.pipe)
            os.close(loop.says)
        self.board.close()


@pytest.fixture
def room() -> Iterator[Room]:
    room = Room()
    yield room
    room.close()


def test_a_loop_looks_when_it_comes_and_whenever_it_was_woken(room: Room) -> None:
    loop = room.start()
    assert len(loop.looked) == 1
    for _ in range(3):
        loop.has_looked.clear()
        loop.line.wake()
        assert loop.has_looked.wait(LIMIT)
    loop.end()
    assert len(loop.looked) == 5
    assert loop.raised == []


def test_a_loop_hears_its_own_descriptor_and_looks_after_it(room: Room) -> None:
    first, second = room.start(), room.start()
    looked = len(first.looked)
    second.has_looked.clear()
    second.say(b"answer")
    assert second.has_looked.wait(LIMIT)
    assert (first.heard, second.heard) == ([], [b"answer"])
    assert len(first.looked) == looked


def test_one_thread_sees_to_all_loops(room: Room) -> None:
    first, *others = [room.start() for _ in range(3)]
    for loop in others:
        loop.has_looked.clear()
        loop.line.wake()
        assert loop.has_looked.wait(LIMIT)
        assert set(loop.looked) == {first.thread.ident}


def test_another_keeps_when_the_loop_of_the_keeper_is_over(room: Room) -> None:
    loops = [room.start() for _ in range(3)]
    for number, loop in enumerate(loops):
        loop.end()
        for other in loops[number + 1 :]:
            other.has_looked.clear()
            other.line.wake()
            assert other.has_looked.wait(LIMIT)


def test_what_a_loop_raises_is_raised_in_its_own_thread_and_ends_no_other(room: Room) -> None:
    first, second = room.start(), room.start()
    second.say(b"wrong")
    second.thread.join(LIMIT)
    assert [str(error) for error in second.raised] == ["wrong"]
    first.has_looked.clear()
    first.line.wake()
    assert first.has_looked.wait(LIMIT)
    assert first.raised == []


def test_a_loop_that_cannot_begin_or_look_ends_with_what_that_raised(room: Room) -> None:
    def cannot() -> None:
        raise OSError("no more descriptors")

    for name in ("begin", "look", "wait_time"):
        loop = Loop(room.board)
        room.loops.append(loop)
        setattr(loop, name, cannot)
        loop.thread.start()
        loop.thread.join(LIMIT)
        assert [str(error) for error in loop.raised] == ["no more descriptors"]


def test_a_loop_is_looked_at_when_it_is_due_though_nothing_is_heard(room: Room) -> None:
    loop = room.start()
    loop.wait = 0.001
    loop.line.wake()
    for _ in range(3):
        assert loop.has_looked_again()


def test_a_visitor_lets_the_loops_go_on_himself(room: Room) -> None:
    loop = room.start()
    loop.say(b"answer")
    room.visit(lambda: len(loop.heard) > 0)  # maybe the keeper was faster
    before = len(loop.looked)
    loop.on_look = lambda: loop.line.wake() if len(loop.looked) < before + 3 else None
    ready = iter([False, False, True])

    def woken() -> bool:
        loop.line.wake()
        return next(ready)

    room.visit(woken)
    assert set(loop.looked[before:]) == {get_ident()}


def test_a_visit_ends_at_its_deadline(room: Room) -> None:
    room.start()
    room.visit(lambda: False, Deadline.after(0.001))


def test_a_visit_ends_when_another_thread_makes_it_ready(room: Room) -> None:
    room.start()
    ready: list[bool] = []

    def make_ready() -> None:
        ready.append(True)
        room.board.wake()

    other = threading.Timer(0.01, make_ready)
    other.start()
    room.visit(lambda: bool(ready))
    other.join()


def test_the_keeper_goes_on_when_the_visitor_stays_away(room: Room) -> None:
    loop = room.start()
    for _ in range(3):
        room.visit(lambda: True)
        loop.has_looked.clear()
        loop.line.wake()
        assert loop.has_looked.wait(LIMIT)
        assert loop.looked[-1] == loop.thread.ident


def test_the_keeper_is_called_when_the_visitor_will_not_come_back(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switchboard, "AWAY_SECONDS", 2 * LIMIT)
    loop = room.start()
    room.visit(lambda: True)
    loop.has_looked.clear()
    loop.line.wake()
    room.board.hurry()
    assert loop.has_looked.wait(LIMIT)


def test_the_end_of_a_loop_that_a_visitor_brings_about_ends_its_thread(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switchboard, "AWAY_SECONDS", 2 * LIMIT)
    loops = [room.start(), room.start()]
    room.visit(lambda: True)
    for loop in loops:
        loop.is_over = True
        loop.line.wake()
        room.visit(lambda: True)
        loop.thread.join(LIMIT)
        assert not loop.thread.is_alive()


def test_a_loop_that_wakes_another_is_followed_without_a_poll(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switchboard, "AWAY_SECONDS", 2 * LIMIT)
    first, second = room.start(), room.start()
    order: list[str] = []
    first.on_look = lambda: (order.append("first"), second.line.wake())  # type: ignore[func-returns-value]
    second.on_look = lambda: order.append("second")
    room.visit(lambda: True)
    order.clear()
    first.line.wake()
    room.visit(lambda: True)
    assert order == ["first", "second"]


class Hit(Deadline):
    """A moment at which another thread does something just as it is looked whether it has come."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__(None)
        object.__setattr__(self, "act", act)

    @property
    def passed(self) -> bool:
        other = threading.Thread(target=self.act)  # type: ignore[attr-defined]
        other.start()
        other.join()
        return False


def test_a_wake_just_as_it_is_looked_what_is_due_is_not_lost(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switchboard, "AWAY_SECONDS", 2 * LIMIT)
    loop = room.start()
    room.visit(lambda: True)
    looked = len(loop.looked)
    loop.line.due = Hit(loop.line.wake)
    room.visit(lambda: True)
    assert loop.looked[looked:] == [get_ident()]
    loop.line.due = FOR_EVER


def test_nothing_is_heard_of_a_loop_that_is_over(room: Room) -> None:
    first, second = room.start(), room.start()
    second.end()
    second.say(b"late")
    room.visit(lambda: True, Deadline.after(0.01))
    first.has_looked.clear()
    first.line.wake()
    assert first.has_looked.wait(LIMIT)
    assert second.heard == []


def test_what_goes_wrong_with_the_board_ends_every_loop(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def register(self, *_: object) -> None:
            """It is not heard."""

        def unregister(self, _: object) -> None:
            """Nor is it left."""

        def poll(self, _: object) -> list[tuple[int, int]]:
            raise OSError("no memory for a poll")

    monkeypatch.setattr(room.board, "_poller", Broken())
    loops = [Loop(room.board) for _ in range(3)]
    room.loops += loops
    for loop in loops:
        loop.thread.start()
    for loop in loops:
        loop.thread.join(LIMIT)
        assert [str(error) for error in loop.raised] == ["no memory for a poll"]
    with suppress(OSError):
        room.visit(lambda: False)


def test_many_loops_and_a_visitor_who_comes_and_goes_miss_nothing(room: Room) -> None:
    loops = [room.start() for _ in range(4)]
    told, rounds = [0] * len(loops), 200
    done = threading.Event()

    def tell() -> None:
        for _ in range(rounds):
            for number, loop in enumerate(loops):
                loop.say(b".")
                told[number] += 1
        done.set()
        room.board.wake()

    def said() -> list[int]:
        return [sum(map(len, loop.heard)) for loop in loops]

    teller = threading.Thread(target=tell)
    teller.start()
    while not done.is_set() or said() != told:
        room.visit(lambda: True, Deadline.after(0.001))
        room.visit(lambda: False, Deadline.after(0.002))
    teller.join(LIMIT)
    assert said() == [rounds] * len(loops)

"""A source is drawn step by step, and ends when it is drained, cut, or has no more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engine.growing import chain
from minigun_py.engine.dispatch import Broadcast
from minigun_py.engine.kernel import SegmentKernel
from minigun_py.engine.ledger import Ledger
from minigun_py.engine.outbox import Exitway
from minigun_py.engine.source_lane import Source, SourceLane
from minigun_py.engine.verdict import Verdict
from minigun_py.errors import ChannelAborted, EndOfChannel
from minigun_py.events import Observers
from minigun_py.plan.signature import Output
from minigun_py.primitives.cancel import CancelToken
from minigun_py.primitives.channel import Receiver, open_channel
from support.clock import VirtualClock

PATIENCE = 20.0


def drawable(items: Any, **functions: Callable[[Any], Any]) -> Source:
    segment = chain(functions, items=items)
    return Source(segment, SegmentKernel(segment, [0], dict.fromkeys(segment.names, "fail")), None)


class Stand:
    """A source lane before a channel, whose far end the test holds."""

    def __init__(
        self, items: Any, room: int = 1000, policy: str = "fail", **functions: Any
    ) -> None:
        segment = chain(functions, items=items)
        clock = VirtualClock()
        self.token = CancelToken(clock)
        self.ledger = Ledger(segment.stages)
        policies = dict.fromkeys(segment.names, policy) | {"items": "fail"}
        self.verdict = Verdict(self.token, self.ledger, policies, Observers(), clock)
        sender, receiver = open_channel(room, clock=clock)
        self.receiver: Receiver[Any] = receiver
        kernel = SegmentKernel(segment, [0], policies, clock)
        exits = [Exitway(Broadcast(1), [sender])]
        self.lane = SourceLane(segment, kernel, exits, self.ledger, self.verdict)
        self.token.on_cancel(lambda: (receiver.abort(self.token.reason), self.lane.cut()))

    def run(self) -> list[Any]:
        self.lane.run()
        return list(self.receiver)


# --------------------------------------------------------------------------- Source


def test_items_are_drawn_no_further_than_asked() -> None:
    drawn: list[int] = []

    def numbers() -> Iterator[int]:
        for n in range(10):
            drawn.append(n)
            yield n

    source = drawable(numbers)
    assert source.draw(3).outputs == [[0, 1, 2]]
    assert drawn == [0, 1, 2]
    assert source.draw(2).outputs == [[3, 4]]
    assert not source.ended
    source.close()


def test_a_source_has_ended_when_it_gives_less_than_asked() -> None:
    source = drawable([1, 2, 3])
    source.draw(2)
    assert not source.ended
    assert source.draw(2).outputs == [[3]]
    assert source.ended


def test_an_item_is_through_before_the_next_one_is_drawn() -> None:
    seen: list[str] = []

    def numbers() -> Iterator[int]:
        for n in range(2):
            seen.append(f"draw {n}")
            yield n

    drawable(numbers, show=lambda n: seen.append(f"show {n}")).draw(9)
    assert seen == ["draw 0", "show 0", "draw 1", "show 1"]


def test_a_generator_that_is_left_is_closed() -> None:
    ended: list[bool] = []

    def numbers() -> Iterator[int]:
        try:
            yield from range(10)
        finally:
            ended.append(True)

    source = drawable(numbers)
    source.draw(1)
    source.close()
    assert ended == [True]


def test_a_source_that_was_never_drawn_from_can_be_closed() -> None:
    drawable([1]).close()


def test_a_source_that_cannot_begin_is_to_blame() -> None:
    class Broken:
        def __iter__(self) -> Iterator[int]:
            raise OSError("no file")

    harvest = drawable(Broken()).draw(1)
    assert [(f.stage, str(f.error)) for f in harvest.failures] == [("items", "no file")]


def test_a_source_that_pushes_is_run_to_its_end() -> None:
    def numbers(output: Output) -> int:
        output(1)
        output(2)
        return 3

    source = drawable(numbers, double=lambda n: 2 * n)
    harvest = source.draw(1)
    assert harvest.outputs == [[2, 4, 6]]
    assert [counts.emitted for counts in harvest.counts] == [3, 3]
    assert source.ended


def test_a_source_that_pushes_is_stopped_by_a_failure_that_is_not_forgiven() -> None:
    pushed: list[int] = []

    def numbers(output: Output) -> None:
        for n in range(10):
            pushed.append(n)
            output(n)

    harvest = drawable(numbers, divide=lambda n: 1 // (n - 2)).draw(1)
    assert pushed == [0, 1, 2]
    assert [(f.stage, f.item) for f in harvest.failures] == [("divide", 2)]
    assert [counts.failed for counts in harvest.counts] == [0, 1]


def test_a_source_that_swallows_the_stop_is_stopped_again() -> None:
    ran: list[int] = []

    def numbers(output: Output) -> None:
        for n in range(5):
            try:
                output(n)
            except BaseException:
                continue

    def fail(n: int) -> None:
        ran.append(n)
        raise ValueError(n)

    drawable(numbers, fail=fail).draw(1)
    assert ran == [0]


def test_a_source_that_pushes_and_fails_is_to_blame_itself() -> None:
    def numbers(output: Output) -> None:
        output(1)
        raise ValueError("no more")

    harvest = drawable(numbers, double=lambda n: 2 * n).draw(1)
    assert harvest.outputs == [[2]]
    assert [(f.stage, str(f.error)) for f in harvest.failures] == [("items", "no more")]


# --------------------------------------------------------------------------- SourceLane


def test_a_lane_sends_all_and_ends_the_stream() -> None:
    stand = Stand(range(100))
    assert stand.run() == list(range(100))
    assert stand.ledger.snapshot()["items"].emitted == 100


def test_a_lane_runs_the_stages_of_its_segment() -> None:
    stand = Stand(range(6), even=lambda n: n if n % 2 == 0 else None)
    assert stand.run() == [0, 2, 4]
    assert stand.ledger.snapshot()["even"].filtered == 3
    assert stand.ledger.imbalances() == []


def test_an_item_is_downstream_before_the_next_one_is_drawn() -> None:
    waiting: list[int] = []

    def numbers() -> Iterator[int]:
        for n in range(3):
            waiting.append(stand.receiver.waiting)
            yield n

    stand = Stand(numbers)
    stand.run()
    assert waiting == [0, 1, 2]


def test_a_full_channel_stops_the_source() -> None:
    drawn: list[int] = []
    third = threading.Event()

    def numbers() -> Iterator[int]:
        for n in range(10):
            drawn.append(n)
            if n == 2:
                third.set()
            yield n

    stand = Stand(numbers, room=2)
    thread = threading.Thread(target=stand.lane.run)
    thread.start()
    assert third.wait(PATIENCE)
    assert drawn == [0, 1, 2]
    assert list(stand.receiver) == list(range(10))
    thread.join(PATIENCE)


def test_a_source_that_fails_cuts_the_run_with_its_error() -> None:
    error = OSError("disk")

    def numbers() -> Iterator[int]:
        yield 1
        raise error

    stand = Stand(numbers)
    stand.lane.run()
    assert stand.verdict.errors == (error,)
    with pytest.raises(ChannelAborted):
        stand.receiver.receive_nowait()
    assert stand.ledger.snapshot()["items"].failed == 1


def test_failures_that_are_forgiven_stop_nothing() -> None:
    stand = Stand([1, 0, 2], policy="skip", divide=lambda n: 2 // n)
    assert stand.run() == [2, 1]
    assert stand.ledger.snapshot()["divide"].skipped == 1


def test_a_failure_in_a_stage_ends_the_source() -> None:
    drawn: list[int] = []

    def numbers() -> Iterator[int]:
        for n in range(10):
            drawn.append(n)
            yield n

    stand = Stand(numbers, divide=lambda n: 1 // (n - 2))
    stand.lane.run()
    assert drawn == [0, 1, 2]
    assert [type(error) for error in stand.verdict.errors] == [ZeroDivisionError]
    assert stand.ledger.imbalances() == []


def test_a_lane_that_drains_draws_no_more_and_ends_the_stream_well() -> None:
    def numbers() -> Iterator[int]:
        stand.lane.drain()
        yield 1
        raise AssertionError("drawn")

    stand = Stand(numbers)
    assert stand.run() == [1]
    assert stand.verdict.errors == ()


def test_a_cut_ends_a_lane_that_waits_for_room() -> None:
    closed = threading.Event()

    def numbers() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    stand = Stand(numbers, room=1)
    thread = threading.Thread(target=stand.lane.run)
    thread.start()
    stand.token.cancel("enough")
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert closed.is_set()
    assert stand.verdict.errors == ()


def test_a_lane_that_ends_closes_its_channel_whatever_happened() -> None:
    def numbers() -> Iterator[int]:
        raise KeyboardInterrupt
        yield 1

    stand = Stand(numbers)
    stand.lane.run()
    assert str(stand.verdict.errors[0]) == "stage 'items' raised KeyboardInterrupt"
    with pytest.raises((EndOfChannel, ChannelAborted)):
        stand.receiver.receive_nowait()

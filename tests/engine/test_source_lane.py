"""A source is drawn step by step, and ends when it is drained, cut, or has no more."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from engine.growing import chain, grow
from engine.working import drawable, opened_source
from minigun_py.engine.dispatch import Broadcast
from minigun_py.engine.failure import Policy
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
from minigun_py.testing.clock import VirtualClock
from plan.drawing import source as producer_stage

PATIENCE = 20.0


class Stand:
    """A source lane before a channel, whose far end the test holds."""

    def __init__(
        self,
        items: Any,
        room: int = 1000,
        policy: str = "fail",
        options: Mapping[str, Any] | None = None,
        **functions: Any,
    ) -> None:
        segment = chain(functions, items=items, **options or {})
        clock = VirtualClock()
        self.token = CancelToken(clock)
        self.ledger = Ledger(segment.stages)
        policies = dict.fromkeys(segment.names, Policy(policy)) | {"items": Policy()}
        self.verdict = Verdict(self.token, self.ledger, policies, Observers(), clock)
        going_on = [name for name, policy in policies.items() if policy.goes_on]
        sender, receiver = open_channel(room, clock=clock)
        self.receiver: Receiver[Any] = receiver
        kernel = SegmentKernel(segment, [0], going_on, clock)
        exits = [Exitway(Broadcast(1), [sender])]
        self.lane = SourceLane(segment, kernel, exits, [], self.ledger, self.verdict)
        self.token.on_cancel(
            lambda: (receiver.abort(self.token.reason), self.lane.cut(self.token.reason))
        )

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

    with drawable(numbers) as source:
        assert source.draw(3).outputs == [[0, 1, 2]]
        assert drawn == [0, 1, 2]
        assert source.draw(2).outputs == [[3, 4]]
        assert not source.ended


def test_a_source_has_ended_when_it_gives_less_than_asked() -> None:
    with drawable([1, 2, 3]) as source:
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

    with drawable(numbers, show=lambda n: seen.append(f"show {n}")) as source:
        source.draw(9)
    assert seen == ["draw 0", "show 0", "draw 1", "show 1"]


def test_a_generator_that_is_left_is_closed() -> None:
    ended: list[bool] = []

    def numbers() -> Iterator[int]:
        try:
            yield from range(10)
        finally:
            ended.append(True)

    with drawable(numbers) as source:
        source.draw(1)
        assert ended == []
    assert ended == [True]


def test_a_source_that_was_never_drawn_from_can_be_closed() -> None:
    with drawable([1]) as source:
        assert not source.ended


def test_a_source_that_was_never_opened_can_be_closed() -> None:
    segment = chain({}, items=[1])
    Source(segment, SegmentKernel(segment, [0], ()), None).close()


def test_a_source_that_cannot_begin_is_to_blame() -> None:
    class Broken:
        def __iter__(self) -> Iterator[int]:
            raise OSError("no file")

    with drawable(Broken()) as source:
        harvest = source.draw(1)
    assert [(f.stage, str(f.error)) for f in harvest.failures] == [("items", "no file")]


def test_a_source_that_pushes_is_run_to_its_end() -> None:
    def numbers(output: Output) -> int:
        output(1)
        output(2)
        return 3

    with drawable(numbers, double=lambda n: 2 * n) as source:
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

    with drawable(numbers, divide=lambda n: 1 // (n - 2)) as source:
        harvest = source.draw(1)
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

    with drawable(numbers, fail=fail) as source:
        source.draw(1)
    assert ran == [0]


def test_a_source_that_pushes_and_fails_is_to_blame_itself() -> None:
    def numbers(output: Output) -> None:
        output(1)
        raise ValueError("no more")

    with drawable(numbers, double=lambda n: 2 * n) as source:
        harvest = source.draw(1)
    assert harvest.outputs == [[2]]
    assert [(f.stage, str(f.error)) for f in harvest.failures] == [("items", "no more")]


# --------------------------------------------------------------------------- with a state


def test_a_source_may_have_a_state() -> None:
    told: list[str] = []

    def two() -> Iterator[list[int]]:
        yield [1, 2]
        told.append("torn down")

    def numbers(state: list[int]) -> Iterator[int]:
        yield from state
        told.append("drawn")

    stage = producer_stage("items", numbers, setup=two)
    segment = grow([stage], [[]])
    with opened_source(segment) as source:
        assert source.draw(9).outputs == [[1, 2]]
    assert told == ["drawn", "torn down"]


def test_a_source_is_closed_before_its_state_is_torn_down() -> None:
    told: list[str] = []

    def numbers(state: str) -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            told.append("closed")

    stage = producer_stage("items", numbers, setup=str, teardown=lambda _: told.append("torn down"))
    segment = grow([stage], [[]])
    with opened_source(segment) as source:
        source.draw(1)
    assert told == ["closed", "torn down"]


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
    second, closed = threading.Event(), threading.Event()

    def numbers() -> Iterator[int]:
        try:
            yield 1
            while True:
                second.set()
                yield 2
        finally:
            closed.set()

    stand = Stand(numbers, room=1)
    thread = threading.Thread(target=stand.lane.run)
    thread.start()
    assert second.wait(PATIENCE)
    stand.token.cancel("enough")
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert closed.is_set()
    assert stand.verdict.errors == ()


@pytest.mark.parametrize("broken", ["setup", "teardown"])
def test_a_setup_or_teardown_that_raises_ends_the_run_of_a_lane(broken: str) -> None:
    error = OSError("no room")

    def fail(*_: object) -> None:
        raise error

    options = {"setup": int, "teardown": int} | {broken: fail}
    stand = Stand([1], options=options, divide=lambda n, state: n)
    stand.lane.run()
    assert stand.verdict.errors == (error,)
    assert error.__notes__ == [f"in the {broken} of stage 'divide'"]
    assert stand.ledger.imbalances() == []


def test_a_lane_tears_down_in_the_thread_that_has_drawn() -> None:
    ran_in: list[threading.Thread] = []

    def note(*_: object) -> None:
        ran_in.append(threading.current_thread())

    options = {"setup": note, "teardown": note}
    stand = Stand([1], options=options, show=lambda n, state: note())
    thread = threading.Thread(target=stand.lane.run)
    thread.start()
    thread.join(PATIENCE)
    assert ran_in == [thread] * 3


def test_a_lane_that_ends_closes_its_channel_whatever_happened() -> None:
    def numbers() -> Iterator[int]:
        raise KeyboardInterrupt
        yield 1

    stand = Stand(numbers)
    stand.lane.run()
    assert str(stand.verdict.errors[0]) == "stage 'items' raised KeyboardInterrupt"
    with pytest.raises((EndOfChannel, ChannelAborted)):
        stand.receiver.receive_nowait()

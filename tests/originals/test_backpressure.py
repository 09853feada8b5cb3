"""A slow stage holds back a fast source, by exactly the room that the queues give.

Where Ruby's Minigun speaks of demand, a bound on a queue says the same.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from contract.gate import Gate
from minigun_py import Pipeline
from originals.kinds import in_every_kind, in_kinds, in_quick_kinds, pipeline, where

IN_HAND = 1
"""Items that a producer has yielded and that wait for room."""


def room(*stages: tuple[int, int]) -> int:
    """How far a source may run ahead, from queue size and workers of the stages after it."""
    return sum(queue_size + workers * 2 for queue_size, workers in stages) + IN_HAND


@pytest.mark.parametrize("queue_size", [5, 10, 50])
@in_every_kind
def test_a_producer_is_never_further_ahead_than_the_queues_are_long(
    kind: str, queue_size: int
) -> None:
    """47_backpressure_demo: queues of 5, 10, 50."""
    items = queue_size + 20
    produced = consumed = furthest = 0
    pipe = pipeline(kind, workers=2, queue_size=queue_size)

    @pipe.producer
    def fast_producer() -> Iterator[int]:
        nonlocal produced
        for number in range(items):
            produced += 1
            yield number

    @pipe.processor(chunk=1)
    def stage(number: int) -> int:
        return number

    @pipe.consumer(chunk=1)
    def slow_consumer(number: int) -> None:
        nonlocal consumed, furthest
        furthest = max(furthest, produced - consumed)
        consumed += 1

    report = pipe.run()
    assert consumed == items
    assert furthest <= room((queue_size, 2), (queue_size, 1))
    assert report["stage"].peak_queue <= queue_size


def held_back(pipe: Pipeline, ahead: int) -> threading.Event:
    """Give a pipeline 40 numbers; the event is set when more than so many are given ahead."""
    beyond = threading.Event()

    @pipe.producer
    def fast_producer() -> Iterator[int]:
        for number in range(40):
            if number >= ahead:
                beyond.set()
            yield number

    return beyond


def let_all_go(pipe: Pipeline, gate: Gate, beyond: threading.Event) -> None:
    """Run it, but not before its producer had time enough to run away."""
    with pipe.stream() as outputs:
        gate.wait_for(1)
        assert not beyond.wait(0.05)
        gate.let_go(40)
        assert sorted(outputs) == list(range(40))
    assert beyond.is_set()


@in_kinds("thread", "fork", "cow_fork", "process")
def test_a_producer_waits_while_the_consumer_does_not_go_on(kind: str, gate: Gate) -> None:
    """47_backpressure_demo: the bounded producer is slow."""
    pipe = Pipeline("bounded")
    beyond = held_back(pipe, room((10, 1)))

    @pipe.consumer(queue_size=10, chunk=1, **where(kind, workers=1))
    def slow_consumer(number: int) -> int:
        gate.pass_through()
        return number

    let_all_go(pipe, gate, beyond)


@in_kinds("thread", "fork", "cow_fork", "process")
def test_a_producer_with_room_for_everything_ends_before_the_first_item_does(
    kind: str, gate: Gate
) -> None:
    """47_backpressure_demo: the unbounded producer is fast."""
    has_ended = threading.Event()
    pipe = Pipeline("roomy")

    @pipe.producer
    def producer() -> Iterator[int]:
        yield from range(40)
        has_ended.set()

    @pipe.consumer(queue_size=40, **where(kind, workers=1))
    def slow_consumer(number: int) -> int:
        gate.pass_through()
        return number

    with pipe.stream() as outputs:
        assert has_ended.wait(20)
        gate.let_go(40)
        assert sorted(outputs) == list(range(40))


def test_a_bound_for_all_queues_is_said_once(gate: Gate) -> None:
    """47_backpressure_demo: the global default."""
    pipe = Pipeline("configured", queue_size=5)
    beyond = held_back(pipe, room((5, 1)))

    @pipe.consumer(execution="thread", chunk=1)
    def sink(number: int) -> int:
        gate.pass_through()
        return number

    let_all_go(pipe, gate, beyond)


def test_bursts_pass_through_queues_of_different_lengths() -> None:
    """47_backpressure_demo: several stages."""
    pipe = Pipeline("bursts")
    pipe.source(range(100), name="bursty_source")
    pipe.processor(lambda n: n * 2, name="stage1", queue_size=5, **where("thread"))
    pipe.processor(lambda n: n + 1, name="stage2", queue_size=50, **where("thread"))
    collected: list[int] = []
    pipe.consumer(collected.append, name="final_sink")
    report = pipe.run()
    assert sorted(collected) == [number * 2 + 1 for number in range(100)]
    assert report["stage1"].peak_queue <= 5
    assert report["stage2"].peak_queue <= 50


@in_kinds("inline", "thread", "fork", "process", "subinterpreter")
def test_what_is_pending_stays_within_the_high_watermark(kind: str) -> None:
    """29_demand_watermarks: 200 items, at most 50 pending."""
    pipe = pipeline(kind)
    pipe.source(range(200))
    pipe.processor(lambda number: number * 2, name="process", queue_size=50)
    with pipe.stream() as outputs:
        assert sorted(outputs) == [number * 2 for number in range(200)]
    assert outputs.report["process"].received == 200
    assert outputs.report["process"].peak_queue <= 50


@in_quick_kinds
def test_a_diamond_of_short_queues_does_not_block_itself(kind: str) -> None:
    """29_demand_diamond, 29_demand_multi_stage: all items arrive."""
    pipe = pipeline(kind, queue_size=1)
    pipe.source(range(30), to=["left", "right"])
    pipe.processor(lambda number: ("left", number), name="left", to="join")
    pipe.processor(lambda number: ("right", number), name="right", to="join")
    pipe.processor(lambda item: item, name="join")
    assert sorted(pipe.collect()) == [(side, n) for side in ("left", "right") for n in range(30)]

"""A batch in a kernel holds items between chunks, says when it is due, and counts them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from engine.growing import grow
from engine.working import opened
from minigun_py.contexts.answer import StageCounts
from minigun_py.engine.bound_segment import BoundSegment
from minigun_py.engine.kernel import SegmentKernel
from minigun_py.testing.clock import VirtualClock
from plan.drawing import batch, consumer


def kernel(
    size: int = 2, max_wait: float | None = None, clock: VirtualClock | None = None
) -> SegmentKernel:
    segment = grow([batch("tens", size, max_wait)], [[]])
    return SegmentKernel(segment, [0], (), clock or VirtualClock(100.0))


@contextmanager
def batching(
    size: int = 2, max_wait: float | None = None
) -> Iterator[tuple[BoundSegment, VirtualClock]]:
    clock = VirtualClock(100.0)
    with opened(kernel(size, max_wait, clock)) as worker:
        yield worker, clock


class Turns:
    """Chunks one after the other; None stands for a turn that flushes. What came is kept."""

    def __init__(self, worker: BoundSegment, chunks: Sequence[list[Any] | None]) -> None:
        self._worker, self._chunks = worker, iter(chunks)
        self._chunk: list[Any] | None = []
        self.outputs: list[list[Any]] = []

    def next(self) -> list[Any] | None:
        if self.outputs or self._chunk:
            self.hand_in()
        try:
            self._chunk = next(self._chunks)
        except StopIteration:
            return None
        self.outputs.append([])
        return self._chunk or []

    @property
    def flush(self) -> bool:
        return self._chunk is None

    attempt = 1

    def put_out(self, way_out: int, values: list[Any]) -> None:
        raise AssertionError("nothing leaves at once here")

    def running(self) -> int:
        return 0

    def hand_in(self) -> None:
        self.outputs[-1] += self._worker.harvest(len(self._chunk or ())).outputs[0]


# --------------------------------------------------------------------------- what goes when


def test_full_batches_go_with_the_chunk_that_filled_them() -> None:
    with batching() as (tens, _):
        tens.run([1, 2, 3])
        harvest = tens.harvest(3)
    assert harvest.outputs == [[[1, 2]]]
    assert harvest.counts == [StageCounts(received=3, completed=3, emitted=1)]


def test_what_it_holds_goes_at_the_end() -> None:
    with batching() as (tens, _):
        tens.run([1])
        tens.harvest(1)
        tens.finish()
        assert tens.harvest(0).outputs == [[[1]]]


def test_what_it_holds_goes_when_the_turns_have_ended() -> None:
    with batching() as (tens, _):
        turns = Turns(tens, [[1, 2, 3], [4, 5]])
        tens.work(turns)
        turns.hand_in()
    assert turns.outputs == [[[1, 2]], [[3, 4], [5]]]


def test_what_it_holds_goes_in_a_turn_that_flushes() -> None:
    with batching() as (tens, _):
        turns = Turns(tens, [[1, 2, 3], None, [4, 5]])
        tens.work(turns)
    assert turns.outputs == [[[1, 2]], [[3]], [[4, 5]]]


def test_a_flush_of_nothing_gives_nothing() -> None:
    with batching() as (tens, _):
        tens.finish()
        assert tens.harvest(0).outputs == [[]]


def test_none_is_held_like_any_other_item() -> None:
    with batching() as (tens, _):
        tens.run([None, None])
        assert tens.harvest(2).outputs == [[[None, None]]]


def test_batches_that_nobody_wants_are_counted_only() -> None:
    segment = grow([batch("tens", 1)], [[]])
    with opened(SegmentKernel(segment, [], ())) as tens:
        tens.run([1, 2])
        harvest = tens.harvest(2)
    assert (harvest.outputs, harvest.counts[0].emitted) == ([], 2)


def test_what_follows_in_its_segment_gets_lists_from_chunks_and_from_the_flush() -> None:
    segment = grow([batch("tens", 2), consumer("sum", sum)], [[1], []])
    with opened(SegmentKernel(segment, [0], ())) as worker:
        worker.run([1, 2, 3])
        worker.finish()
        harvest = worker.harvest(3)
    assert harvest.outputs == [[3, 3]]
    assert [counts.received for counts in harvest.counts] == [3, 2]


# --------------------------------------------------------------------------- what it tells


def test_its_kernel_says_that_it_holds() -> None:
    assert kernel().holds


@pytest.mark.parametrize(("items", "held"), [([], 0), ([1], 1), ([1, 2], 0), ([1, 2, 3], 1)])
def test_it_tells_how_many_items_it_has_taken_in_since_it_gave_something(
    items: list[int], held: int
) -> None:
    with batching() as (tens, _):
        tens.run(items)
        assert tens.harvest(len(items)).held == held


def test_an_item_that_came_as_others_were_due_is_held() -> None:
    with batching(size=9, max_wait=3.0) as (tens, clock):
        tens.run([1])
        tens.harvest(1)
        clock.advance(3.0)
        tens.run([2])
        harvest = tens.harvest(1)
    assert (harvest.outputs, harvest.held) == ([[[1]]], 1)


def test_after_a_flush_it_holds_nothing() -> None:
    with batching(size=9) as (tens, _):
        tens.run([1, 2])
        tens.finish()
        assert tens.harvest(2).held == 0


def test_it_is_due_when_the_first_item_has_waited() -> None:
    with batching(max_wait=3.0) as (tens, clock):
        assert tens.harvest(0).due is None
        tens.run([1])
        clock.advance(1.0)
        assert tens.harvest(1).due == 103.0


def test_a_tick_sends_what_is_due() -> None:
    with batching(max_wait=3.0) as (tens, clock):
        tens.run([1])
        tens.harvest(1)
        clock.advance(3.0)
        tens.run([])
        harvest = tens.harvest(0)
    assert harvest.outputs == [[[1]]]
    assert harvest.counts == [StageCounts(emitted=1)]
    assert (harvest.held, harvest.due) == (0, None)


def test_a_tick_that_comes_too_early_sends_nothing() -> None:
    with batching(max_wait=3.0) as (tens, clock):
        tens.run([1])
        clock.advance(2.0)
        tens.run([])
        harvest = tens.harvest(1)
    assert (harvest.outputs, harvest.due) == ([[]], 103.0)


# --------------------------------------------------------------------------- its workers


def test_each_worker_fills_batches_of_its_own() -> None:
    one_for_all = kernel()
    with opened(one_for_all) as first, opened(one_for_all) as second:
        first.run([1])
        second.run([2])
        first.run([3])
        assert first.harvest(2).outputs == [[[1, 3]]]
        assert second.harvest(1).outputs == [[]]


def test_a_worker_can_be_closed_twice() -> None:
    with batching() as (tens, _):
        tens.close()

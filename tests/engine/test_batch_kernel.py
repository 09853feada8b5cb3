"""The kernel of a batch holds items between chunks, says when it is due, and counts them."""

from __future__ import annotations

import pytest

from minigun_py.contexts.context import Post, StageCounts
from minigun_py.engine.batch_kernel import BatchKernel
from minigun_py.errors import InternalError
from plan.drawing import batch
from support.clock import VirtualClock


def kernel(size: int = 2, max_wait: float | None = None) -> tuple[BatchKernel, VirtualClock]:
    clock = VirtualClock(100.0)
    return BatchKernel(batch("tens", size, max_wait), wanted=True, clock=clock), clock


def test_full_batches_go_with_the_chunk_that_filled_them() -> None:
    tens, _ = kernel()
    tens.run([1, 2, 3])
    harvest = tens.harvest(3)
    assert harvest.outputs == [[[1, 2]]]
    assert harvest.counts == [StageCounts(received=3, completed=3, emitted=1)]


def test_what_it_holds_goes_at_the_end() -> None:
    tens, _ = kernel()
    tens.run([1])
    tens.harvest(1)
    tens.finish()
    assert tens.harvest(0).outputs == [[[1]]]


def test_it_says_that_it_holds() -> None:
    tens, _ = kernel()
    assert tens.holds


def test_it_is_due_when_the_first_item_has_waited() -> None:
    tens, clock = kernel(max_wait=3.0)
    assert tens.due is None
    tens.run([1])
    clock.advance(1.0)
    assert tens.due == 103.0


def test_a_tick_sends_what_is_due() -> None:
    tens, clock = kernel(max_wait=3.0)
    tens.run([1])
    tens.harvest(1)
    clock.advance(3.0)
    tens.run([])
    harvest = tens.harvest(0)
    assert harvest.outputs == [[[1]]]
    assert harvest.counts == [StageCounts(emitted=1)]


def test_a_tick_that_comes_too_early_sends_nothing() -> None:
    tens, clock = kernel(max_wait=3.0)
    tens.run([1])
    clock.advance(2.0)
    tens.run([])
    assert tens.harvest(1).outputs == [[]]


def test_batches_that_nobody_wants_are_counted_only() -> None:
    tens = BatchKernel(batch("tens", 1), wanted=False)
    tens.run([1, 2])
    harvest = tens.harvest(2)
    assert (harvest.outputs, harvest.counts[0].emitted) == ([], 2)


def test_none_is_held_like_any_other_item() -> None:
    tens, _ = kernel()
    tens.run([None, None])
    assert tens.harvest(2).outputs == [[[None, None]]]


def test_it_is_a_lane_of_one_worker() -> None:
    tens, _ = kernel()
    assert tens.bind() is tens
    assert (tens.stages, tens.exit_stages) == (("tens",), (0,))


def test_what_it_holds_outlasts_a_close() -> None:
    tens, _ = kernel()
    tens.open()
    tens.run([1])
    tens.close()
    tens.close()
    tens.open()
    tens.run([2])
    assert tens.harvest(2).outputs == [[[1, 2]]]


def test_it_has_nothing_that_the_user_wrote() -> None:
    tens, _ = kernel()
    assert tens.functions == ()


def test_it_is_no_coroutine() -> None:
    tens, _ = kernel()
    with pytest.raises(InternalError, match="does not run on an event loop"):
        tens.bind_coroutines(Post())

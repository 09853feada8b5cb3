"""A coroutine is a stage: awaited on a loop, or run to its end where nobody awaits."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from engine.growing import chain, grow
from engine.working import awaiting, going_on, opened
from minigun_py.contexts.answer import Harvest, StageCounts
from minigun_py.contexts.kernel import Post
from minigun_py.engine.kernel import SegmentKernel
from minigun_py.errors import WorkerDied
from minigun_py.plan.options import Options
from minigun_py.plan.own_stage import Stage
from minigun_py.plan.segment import Segment
from minigun_py.plan.stage import OwnStage
from plan.drawing import processor

Run = Callable[..., Harvest]


def kernel_of(segment: Segment, policy: str, awaits: bool = False) -> SegmentKernel:
    exits = range(len(segment.exits))
    return SegmentKernel(segment, exits, going_on(segment, policy), awaits=awaits)


def called(segment: Segment, items: Sequence[Any], policy: str = "fail") -> Harvest:
    """Run a chunk with a worker that calls."""
    with opened(kernel_of(segment, policy)) as worker:
        worker.run(items)
        return worker.harvest(len(items))


def called_beside_a_loop(segment: Segment, items: Sequence[Any], policy: str = "fail") -> Harvest:
    """The same where this thread runs a loop already, as in a notebook."""

    async def run() -> Harvest:
        return called(segment, items, policy)

    return asyncio.run(run())


def awaited(segment: Segment, items: Sequence[Any], policy: str = "fail") -> Harvest:
    """Run a chunk with a worker that awaits."""
    with awaiting(kernel_of(segment, policy, awaits=True)) as worker:
        worker.run(items)
        return worker.harvest(len(items))


WAYS = [called, called_beside_a_loop, awaited]


@pytest.fixture(params=WAYS, ids=lambda way: way.__name__)
def run(request: pytest.FixtureRequest) -> Run:
    return request.param  # type: ignore[no-any-return]


async def double(n: int) -> int:
    await asyncio.sleep(0)
    return 2 * n


async def not_three(n: int) -> int:
    await asyncio.sleep(0)
    if n == 3:
        raise ValueError("three")
    return n


async def up_to(n: int) -> AsyncIterator[int]:
    for value in range(n):
        await asyncio.sleep(0)
        yield value


def blamed(harvest: Harvest) -> list[tuple[str, int, Any]]:
    return [(f.stage, f.index, f.item) for f in harvest.failures]


# --------------------------------------------------------------------------- however it is run


def test_an_item_falls_through_a_chain_of_coroutines(run: Run) -> None:
    assert run(chain({"a": double, "b": double}), [1, 2]).outputs == [[4, 8]]


def test_an_asynchronous_generator_gives_many(run: Run) -> None:
    harvest = run(chain({"up_to": up_to, "double": double}), [0, 1, 3])
    assert harvest.outputs == [[0, 0, 2, 4]]
    assert harvest.counts == [
        StageCounts(received=3, completed=2, filtered=1, emitted=4),
        StageCounts(received=4, completed=4, emitted=4),
    ]


def test_every_branch_of_a_fan_out_gets_every_item(run: Run) -> None:
    stages = [processor("double", double), processor("a", not_three), processor("b", up_to)]
    assert run(grow(stages, [[1, 2], [], []]), [1]).outputs == [[2], [0, 1]]


def test_the_stage_that_failed_is_blamed_with_the_item_that_it_got(run: Run) -> None:
    harvest = run(chain({"up_to": up_to, "three": not_three}), [1, 2, 5, 4], "skip")
    assert blamed(harvest) == [("three", 2, 3), ("three", 3, 3)]
    assert harvest.outputs == [[0, 0, 1, 0, 1, 2, 4, 0, 1, 2]]


def test_a_failure_that_is_not_forgiven_ends_the_chunk(run: Run) -> None:
    harvest = run(chain({"three": not_three}), [1, 3, 2, 4, 5])
    assert harvest.outputs == [[1]]
    assert harvest.counts == [
        StageCounts(received=5, completed=1, failed=1, cancelled=3, emitted=1)
    ]


def test_a_stage_that_exits_is_a_worker_that_died(run: Run) -> None:
    async def leave(n: int) -> int:
        await asyncio.sleep(0)
        sys.exit(n)

    (failure,) = run(chain({"leave": leave}), [3]).failures
    assert isinstance(failure.error, WorkerDied)
    assert failure.error.status == 3


async def raises_cancelled(n: int) -> int:
    raise asyncio.CancelledError(f"by {n}")


async def awaits_a_cancelled_task(n: int) -> int:
    task = asyncio.create_task(asyncio.sleep(60))
    task.cancel()
    await task
    return n


@pytest.mark.parametrize("function", [raises_cancelled, awaits_a_cancelled_task])
def test_a_cancellation_that_nobody_asked_for_is_the_failure_of_the_item(
    run: Run, function: Callable[..., Any]
) -> None:
    async def only_at_three(n: int) -> int:
        return int(await function(n)) if n == 3 else n

    harvest = run(chain({"a": only_at_three}), [1, 3, 2], "skip")
    assert harvest.outputs == [[1, 2]]
    (failure,) = harvest.failures
    assert isinstance(failure.error, RuntimeError)
    assert "nobody had cancelled it" in str(failure.error)
    assert isinstance(failure.error.__cause__, asyncio.CancelledError)
    assert harvest.counts == [StageCounts(received=3, completed=2, failed=1, emitted=2)]


def test_the_same_goes_for_a_plain_function_that_raises_it() -> None:
    def stop(n: int) -> int:
        raise asyncio.CancelledError

    harvest = called(chain({"stop": stop}), [1, 2], "skip")
    assert [type(f.error) for f in harvest.failures] == [RuntimeError, RuntimeError]


@pytest.mark.parametrize("way", [called, awaited])
def test_the_traceback_of_a_failure_leads_to_the_stage(way: Run) -> None:
    (failure,) = way(chain({"three": not_three}), [3]).failures
    traceback = failure.error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    assert traceback is not None
    assert traceback.tb_frame.f_code is not_three.__code__


# --------------------------------------------------------------------------- where nobody awaits


@pytest.mark.parametrize("way", [called, called_beside_a_loop])
def test_a_coroutine_is_at_its_end_before_the_next_stage_begins(way: Run) -> None:
    told: list[str] = []

    async def slow(n: int) -> int:
        told.append(f"begin {n}")
        await asyncio.sleep(0)
        told.append(f"end {n}")
        return n

    way(chain({"slow": slow, "plain": lambda n: told.append(f"plain {n}")}), [1, 2])
    assert told == ["begin 1", "end 1", "plain 1", "begin 2", "end 2", "plain 2"]


@pytest.mark.parametrize("way", [called, called_beside_a_loop])
def test_all_coroutines_of_a_worker_run_on_one_loop(way: Run) -> None:
    loops: set[asyncio.AbstractEventLoop] = set()

    async def note(n: int) -> int:
        loops.add(asyncio.get_running_loop())
        return n

    way(chain({"a": note, "b": note}), [1, 2])
    assert len(loops) == 1


def test_they_run_in_the_thread_of_the_worker() -> None:
    async def here(n: int) -> threading.Thread:
        return threading.current_thread()

    assert called(chain({"here": here}), [1]).outputs == [[threading.current_thread()]]


def test_a_thread_that_runs_a_loop_already_is_left_alone() -> None:
    async def here(n: int) -> threading.Thread:
        return threading.current_thread()

    harvest = called_beside_a_loop(chain({"here": here}), [1])
    ((thread,),) = harvest.outputs
    assert thread is not threading.current_thread()
    assert not thread.is_alive()  # its end came with the worker's


# --------------------------------------------------------------------------- on a loop


def test_workers_of_one_loop_take_turns_while_they_wait() -> None:
    async def meet(n: int) -> int:
        await barrier.wait()
        return n

    with awaiting(kernel_of(chain({"meet": meet}), "fail", awaits=True)) as first:
        barrier = asyncio.Barrier(3)
        twins = [first.worker.twin(Post(number)) for number in (2, 3)]

        async def run_all() -> None:
            workers = [first.worker, *twins]
            await asyncio.gather(*(worker.run([n]) for n, worker in enumerate(workers)))

        first.runner.run(run_all())
        assert first.harvest(1).outputs == [[0]]
        assert [twin.harvest(1).outputs for twin in twins] == [[[1]], [[2]]]


def test_a_task_that_is_cancelled_ends_and_blames_nobody() -> None:
    waits = asyncio.Event()

    async def wait(n: int) -> int:
        if n == 2:
            waits.set()
            await asyncio.Event().wait()
        return n

    with awaiting(kernel_of(chain({"wait": wait}), "skip", awaits=True)) as worker:

        async def run_and_cancel() -> None:
            task = asyncio.create_task(worker.worker.run([1, 2, 3]))
            await waits.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        worker.runner.run(run_and_cancel())
        harvest = worker.harvest(3)
    assert harvest.outputs == [[1]]
    assert harvest.failures == []
    assert harvest.counts == [StageCounts(received=3, completed=1, cancelled=2, emitted=1)]


# --------------------------------------------------------------------------- items that are kept


class Keep(Stage):
    """Keeps items until there are three."""

    def setup(self) -> None:
        self.kept: list[int] = []

    async def process(self, item: int) -> AsyncIterator[list[int]]:
        self.kept.append(item)
        if len(self.kept) == 3:
            async for full in self.flush():
                yield full

    async def flush(self) -> AsyncIterator[list[int]]:
        if self.kept:
            kept, self.kept = self.kept, []
            yield kept


def keeping() -> SegmentKernel:
    stage = OwnStage("keep", Options(), "", Keep())
    return kernel_of(grow([stage], [[]]), "fail", awaits=True)


def test_workers_of_a_loop_keep_items_together_and_tell_how_many() -> None:
    with awaiting(keeping()) as first:
        second = first.worker.twin(Post(2))
        first.run([1])
        first.runner.run(second.run([2]))
        assert (first.harvest(1).held, second.harvest(1).held) == (2, 2)
        first.run([3, 4])
        harvest = first.harvest(2)
    assert (harvest.outputs, harvest.held) == ([[[1, 2, 3]]], 1)


def test_what_workers_of_a_loop_keep_goes_when_one_of_them_is_flushed() -> None:
    with awaiting(keeping()) as first:
        second = first.worker.twin(Post(2))
        first.run([1])
        first.runner.run(second.finish())
        harvest = second.harvest(0)
    assert (harvest.outputs, harvest.held) == ([[[1]]], 0)

"""An item that takes too long fails in time where its stage can be stopped, and no other does."""

from __future__ import annotations

import asyncio
import re
import signal
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from faults.kinds import AnyPipeline, kinds_that, kinds_with, traits_for
from minigun_py import HEAVY_IO, ItemTimedOut, Pipeline, PipelineFailed, Retry, UsageError, current
from minigun_py.testing.clock import VirtualClock

HANGING = 5
SECONDS = 0.5
stoppable = kinds_that("killable")
processes = kinds_that("killable", "not shares_memory")


def hang(number: int) -> int:
    while number == HANGING:
        signal.pause()
    return number


async def hang_awaiting(number: int) -> int:
    if number == HANGING:
        await asyncio.Event().wait()
    return number


def hanging(kind: str) -> Any:
    return hang_awaiting if traits_for(kind).runs_coroutines else hang


def limited(kind: str, **options: Any) -> Pipeline:
    pipe = Pipeline("limited", execution=kind)
    pipe.source(range(40))
    pipe.processor(
        hanging(kind), name="hang", execution=kind, workers=2, timeout=SECONDS, **options
    )
    return pipe


@stoppable
def test_an_item_that_hangs_fails_and_all_others_end(kind: str) -> None:
    with limited(kind, on_error="skip").stream() as stream:
        assert sorted(stream) == sorted({*range(40)} - {HANGING})
    (failed,) = stream.report.failures
    assert (failed.item, failed.stage) == (HANGING, "hang")
    assert isinstance(failed.error, ItemTimedOut)
    assert failed.error.seconds == SECONDS


@stoppable
def test_it_ends_the_run_if_nothing_else_is_said(kind: str) -> None:
    with pytest.raises(PipelineFailed, match=r"in stage 'hang' on item 5") as raised:
        limited(kind).run()
    assert isinstance(raised.value.exceptions[0], TimeoutError)


@stoppable
def test_each_attempt_has_its_own_time(kind: str) -> None:
    retry = Retry(2, on=ItemTimedOut, backoff=0.001)
    with limited(kind, retry=retry, on_error="skip").stream() as stream:
        assert len(list(stream)) == 39
    (failed,) = stream.report.failures
    assert failed.attempts == 2
    assert stream.report["hang"].retried == 1


@stoppable
def test_an_item_that_hangs_once_may_end_well_the_second_time(kind: str) -> None:
    def once(number: int) -> int:
        return hang(number) if current().attempt == 1 else number

    async def once_awaiting(number: int) -> int:
        return await hang_awaiting(number) if current().attempt == 1 else number

    function = once_awaiting if traits_for(kind).runs_coroutines else once
    pipe = Pipeline("again")
    pipe.source(range(20))
    pipe.processor(function, name="once", execution=kind, timeout=SECONDS, retry=2)
    assert sorted(pipe.collect()) == list(range(20))


@processes
def test_many_items_that_hang_are_no_crash(kind: str) -> None:
    pipe = Pipeline("many")
    pipe.source([HANGING] * 8)
    pipe.processor(hang, execution=kind, workers=8, timeout=SECONDS, on_error="skip")
    assert pipe.run()["hang"].skipped == 8


@processes
def test_c_code_that_never_comes_back_is_stopped(kind: str) -> None:
    def match(number: int) -> int:
        if number == HANGING:
            re.match("(a+)+$", "a" * 60 + "b")
        return number

    pipe = Pipeline("stuck")
    pipe.source(range(9))
    pipe.processor(match, execution=kind, timeout=SECONDS, on_error="skip")
    assert sorted(pipe.collect()) == [0, 1, 2, 3, 4, 6, 7, 8]


@processes
def test_a_setup_takes_nothing_of_the_time_of_an_item(kind: str) -> None:
    def slowly() -> str:
        threading.Event().wait(1.5 * SECONDS)
        return "ready"

    pipe = Pipeline("set up")
    pipe.source(range(2))
    pipe.processor(
        lambda number, state: (number, state),
        name="ready",
        setup=slowly,
        execution=kind,
        timeout=SECONDS,
    )
    assert sorted(pipe.collect()) == [(n, "ready") for n in range(2)]


def test_a_generator_has_its_time_for_all_that_it_gives() -> None:
    async def some(number: int) -> AsyncIterator[int]:
        yield number
        yield await hang_awaiting(number)

    pipe = Pipeline("generators")
    pipe.source(range(4, 7))
    pipe.processor(some, timeout=SECONDS, on_error="skip")
    assert sorted(pipe.collect()) == [4, 4, 6, 6]


# --------------------------------------------------------------------------- where nobody can stop


def test_inline_an_item_fails_late() -> None:
    clock = VirtualClock()

    def slow(number: int) -> int:
        clock.advance(2.0 if number == HANGING else 0.5)
        return number

    pipe = AnyPipeline("late", "inline")
    pipe.source(range(9))
    pipe.processor(slow, timeout=1.0, on_error="skip")
    with pipe.stream(execution="inline", clock=clock) as stream:
        assert list(stream) == [0, 1, 2, 3, 4, 6, 7, 8]
    assert [type(failed.error) for failed in stream.report.failures] == [ItemTimedOut]


@pytest.mark.parametrize("kind", sorted({*kinds_with("not killable")} - {"inline"}))
def test_a_kind_that_cannot_be_stopped_is_refused(kind: str) -> None:
    pipe = Pipeline("refused")
    pipe.source(range(9))
    pipe.processor(hang, timeout=1.0, execution=kind)
    with pytest.raises(UsageError, match=r"cannot be stopped.*name another execution"):
        pipe.plan()


# --------------------------------------------------------------------------- in the plan


@pytest.mark.parametrize("default", ["inline", "process", "cow_fork"])
def test_the_kind_of_the_pipeline_is_kept_if_it_can_be(default: str) -> None:
    pipe = Pipeline("kept", execution=default)
    pipe.source(range(9))
    pipe.processor(hang, timeout=1.0)
    assert pipe.plan().context_for("hang") == default


@pytest.mark.parametrize("default", [None, "thread"])
def test_where_no_kind_is_named_one_is_chosen_that_can_be_stopped(default: str | None) -> None:
    pipe = Pipeline("chosen", execution=default)
    pipe.source(range(9))
    pipe.processor(hang, timeout=1.0)
    pipe.processor(hang_awaiting, timeout=1.0)
    plan = pipe.plan()
    assert (plan.context_for("hang"), plan.context_for("hang_awaiting")) == ("fork", "async")
    assert "its items have a time limit, and a forked process can be stopped" in plan.explain()


def test_a_hint_says_how_many_where_it_names_a_kind_that_can_be_stopped() -> None:
    def placed(**options: Any) -> tuple[str, int]:
        pipe = Pipeline("hinted")
        pipe.source(range(9))
        pipe.processor(hang_awaiting, resources=HEAVY_IO, **options)
        plan = pipe.plan()
        return plan.context_for("hang_awaiting"), plan.workers_for("hang_awaiting")

    assert placed(timeout=1.0) == placed()
    assert placed(timeout=1.0)[1] > 1


def test_what_follows_takes_nothing_of_the_time() -> None:
    pipe = Pipeline("followed")
    pipe.source(range(9))
    pipe.processor(hang, timeout=1.0, execution="fork")
    pipe.processor(abs, name="after")
    assert pipe.plan().affinity_for("after") is None


@pytest.mark.parametrize("timeout", [0, -1, "1 s", True])
def test_a_time_is_a_number_of_seconds(timeout: Any) -> None:
    with pytest.raises(UsageError, match="timeout is a number of seconds above 0"):
        Pipeline("wrong").processor(hang, timeout=timeout)


def test_a_stage_without_single_items_has_none() -> None:
    pipe = Pipeline("wrong")
    with pytest.raises(UsageError, match="no item has a time of its own"):
        pipe.accumulator(list, name="all", timeout=1.0)
    with pytest.raises(UsageError, match="no item has a time of its own"):
        pipe.source([], timeout=1.0)


def test_a_pipeline_or_a_block_may_say_it_for_its_processors() -> None:
    pipe = Pipeline("all", timeout=2.0)
    pipe.source(range(3))
    pipe.batch(2)
    pipe.unbatch()
    with pipe.defaults(timeout=1.0):
        pipe.processor(abs, name="in the block")
    pipe.processor(abs, name="outside")
    pipe.processor(abs, name="its own", timeout=3.0)
    pipe.processor(abs, name="none", timeout=None)
    pipe.processor(iter, name="stream", stream=True)
    pipe.accumulator(sorted, name="sort")
    pipe.consumer(abs, name="end")
    limits = {
        "source": None, "batch": None, "unbatch": None, "in the block": 1.0, "outside": 2.0,
        "its own": 3.0, "none": None, "stream": None, "sort": None, "end": None,
    }  # fmt: skip
    assert {name: pipe[name].options.timeout for name in limits} == limits


def test_a_limit_of_the_pipeline_is_kept() -> None:
    pipe = Pipeline("all", timeout=SECONDS, on_error="skip")
    pipe.source([1, HANGING, 2])
    pipe.processor(hang)
    with pipe.stream() as stream:
        assert sorted(stream) == [1, 2]
    assert isinstance(stream.report.failures[0].error, ItemTimedOut)


def test_a_pipeline_of_threads_has_no_limit() -> None:
    with pytest.raises(UsageError, match="a thread cannot be stopped, so it has no timeout"):
        Pipeline("threads", execution="thread", timeout=1.0)
    pipe = Pipeline("all", timeout=1.0)
    pipe.source([1])
    pipe.processor(hang, execution="thread")
    with pytest.raises(UsageError, match=r"cannot be stopped.*or say timeout=None"):
        pipe.plan()

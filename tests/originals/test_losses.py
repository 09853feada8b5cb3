"""An error, or a worker that dies, costs the item that it came with, and no other."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from minigun_py import FailedItem, Pipeline, PipelineFailed, WorkerDied
from originals.kinds import (
    SINGLY,
    in_every_kind,
    in_other_processes,
    in_quick_kinds,
    in_quick_processes,
    pipeline,
    where,
)


def failing_on(kind: str, bad: int, **options: Any) -> Pipeline:
    """Numbers, doubled; one of them raises."""
    pipe = pipeline(kind, **options)

    @pipe.processor
    def process(number: int) -> int:
        if number == bad:
            raise ValueError(f"Error on item {number}")
        return number * 2

    return pipe


@in_every_kind
def test_an_item_that_fails_is_left_out(kind: str) -> None:
    """27_error_handling."""
    pipe = failing_on(kind, 2, on_error="skip")
    with pipe.stream(range(5)) as outputs:
        assert sorted(outputs) == [0, 2, 6, 8]
    book, (failure,) = outputs.report["process"], outputs.report.failures
    assert (book.received, book.completed, book.skipped, book.failed) == (5, 4, 1, 0)
    assert (failure.stage, failure.item, str(failure.error)) == ("process", 2, "Error on item 2")


@in_every_kind
def test_an_item_that_fails_ends_the_run_if_nothing_else_is_said(kind: str) -> None:
    """27_error_handling, where Ruby's Minigun goes on in silence."""
    with pytest.raises(PipelineFailed) as failed:
        failing_on(kind, 2).run(range(5))
    (error,) = failed.value.exceptions
    assert isinstance(error, ValueError)
    assert failed.value.report["process"].failed == 1
    assert not failed.value.report.ok


@in_quick_kinds
def test_failures_are_collected_where_the_program_is(kind: str) -> None:
    """20_error_handling_hooks: some results, some errors with stage and error."""
    collected: list[FailedItem] = []
    pipe = pipeline(kind, on_error="skip")
    pipe.on_failure(collected.append)

    @pipe.processor
    def process(number: int) -> int:
        if number % 3 == 0:
            raise ValueError(number)
        return number

    assert sorted(pipe.collect(range(1, 11))) == [1, 2, 4, 5, 7, 8, 10]
    assert sorted(failure.item for failure in collected) == [3, 6, 9]
    assert {failure.stage for failure in collected} == {"process"}
    assert {type(failure.error) for failure in collected} == {ValueError}


def test_a_coroutine_that_fails_does_not_harm_the_others() -> None:
    """108_fiber_error_handling."""
    pipe = Pipeline("fibers", on_error="skip")

    @pipe.processor(execution="async", workers=5)
    async def risky_operation(number: int) -> dict[str, Any]:
        await asyncio.sleep(0)
        if number % 5 == 0:
            raise ValueError(f"Simulated error on item {number}")
        return {"value": number, "processed": True}

    @pipe.processor(execution="async", workers=3)
    async def post_process(item: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(0)
        return item | {"post_processed": True}

    with pipe.stream(range(1, 21)) as outputs:
        survivors = list(outputs)
    expected = [number for number in range(1, 21) if number % 5]
    assert sorted(item["value"] for item in survivors) == expected
    assert all(item["processed"] and item["post_processed"] for item in survivors)
    assert sorted(failure.item for failure in outputs.report.failures) == [5, 10, 15, 20]


@pytest.mark.parametrize(
    ("count", "fatal"),
    [
        pytest.param(20, {10}, id="140_ipc_fork_restart_never"),
        pytest.param(20, {5}, id="141_ipc_fork_restart_transient"),
        pytest.param(20, {5, 10}, id="142_ipc_fork_restart_permanent"),
        pytest.param(25, {5, 10, 15, 20, 25}, id="143_ipc_fork_restart_rate_limit"),
    ],
)
@in_quick_processes
def test_a_worker_that_dies_takes_only_its_own_item_with_it(
    kind: str, count: int, fatal: set[int]
) -> None:
    pipe = pipeline(kind, workers=2, on_error="skip")

    @pipe.processor
    def work(number: int) -> int:
        if number in fatal:
            os._exit(1)
        return number * 2

    with pipe.stream(range(1, count + 1)) as outputs:
        assert sorted(outputs) == [n * 2 for n in range(1, count + 1) if n not in fatal]
    report = outputs.report
    assert (report["work"].received, report["work"].skipped) == (count, len(fatal))
    assert sorted(failure.item for failure in report.failures) == sorted(fatal)
    assert all(isinstance(failure.error, WorkerDied) for failure in report.failures)


@in_other_processes
def test_a_dead_worker_is_replaced(kind: str) -> None:
    """141_ipc_fork_restart_transient: what comes after the crash is worked on by a new one."""
    pipe = Pipeline("restart", on_error="skip")

    @pipe.processor(**where(kind, workers=1), chunk=1)
    def work(number: int) -> tuple[int, int]:
        if number == 3:
            os._exit(1)
        return number, os.getpid()

    outputs = sorted(pipe.collect(range(6)))
    assert [number for number, _ in outputs] == [0, 1, 2, 4, 5]
    before, after = ({pid for n, pid in outputs if (n < 3) is first} for first in (True, False))
    assert not before & after
    if kind != SINGLY:
        assert (len(before), len(after)) == (1, 1)


@in_other_processes
def test_a_crash_ends_the_run_and_says_how_if_nothing_else_is_said(kind: str) -> None:
    """140_ipc_fork_restart_never, where items are lost in silence."""
    pipe = pipeline(kind, workers=2)

    @pipe.processor
    def work(number: int) -> int:
        if number == 10:
            os._exit(1)
        return number

    with pytest.raises(PipelineFailed) as failed:
        pipe.run(range(1, 21))
    (error,) = failed.value.exceptions
    assert isinstance(error, WorkerDied)
    assert "exit code 1" in str(error)


@in_other_processes
def test_workers_that_keep_dying_end_the_run(kind: str) -> None:
    """143_ipc_fork_restart_rate_limit: ten deaths in fifty items are more than a minute allows."""
    pipe = pipeline(kind, workers=2, on_error="skip")

    @pipe.processor
    def flaky_work(number: int) -> int:
        if number % 5 == 0:
            os._exit(1)
        return number

    with pytest.raises(PipelineFailed) as failed:
        pipe.run(range(1, 51))
    (error,) = failed.value.exceptions
    assert isinstance(error, WorkerDied)
    assert "more than 5 workers of flaky_work died" in str(error)

"""The doors for tasks of asyncio: the loop goes on meanwhile, and a cancel ends the run."""

from __future__ import annotations

import asyncio
import gc
import itertools
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from contract.gate import LIMIT
from minigun_py import CancelToken, Pipeline, PipelineFailed, RunCancelled, RunTimedOut, UsageError
from minigun_py.engine.awaiting import LEFT, ROOM

KINDS = ("inline", "thread", "async", "fork", "process")
in_some_kinds = pytest.mark.parametrize("kind", KINDS)


def squares(kind: str | None = None, items: Any = range(5)) -> Pipeline:
    async def square_awaiting(number: int) -> int:
        return number * number

    pipe = Pipeline("squares")
    pipe.source(items)
    if kind == "async":
        pipe.processor(square_awaiting, name="square", execution=kind)
    else:
        pipe.processor(lambda number: number * number, name="square", execution=kind)
    return pipe


def failing(error: Exception) -> Pipeline:
    pipe = Pipeline("failing")
    pipe.source(range(5))

    @pipe.processor
    def fail(number: int) -> int:
        if number == 3:
            raise error
        return number

    return pipe


async def until(event: threading.Event) -> None:
    assert await asyncio.get_running_loop().run_in_executor(None, event.wait, LIMIT)


# --------------------------------------------------------------------------- to the end


@in_some_kinds
def test_a_run_can_be_awaited(kind: str) -> None:
    report = asyncio.run(squares(kind).arun())
    assert report.ok
    assert report["square"].completed == 5


@in_some_kinds
def test_outputs_can_be_collected(kind: str) -> None:
    assert sorted(asyncio.run(squares(kind).acollect())) == [0, 1, 4, 9, 16]


@in_some_kinds
def test_outputs_can_be_drawn(kind: str) -> None:
    async def drawn() -> tuple[list[int], Any]:
        stream = squares(kind).astream()
        return [output async for output in stream], stream.report

    outputs, report = asyncio.run(drawn())
    assert sorted(outputs) == [0, 1, 4, 9, 16]
    assert (report.ok, report.outputs) == (True, 5)


def test_items_and_options_go_where_they_go_elsewhere() -> None:
    async def all_three() -> None:
        pipe = squares()
        assert (await pipe.arun([2], execution="thread"))["square"].received == 1
        assert await pipe.acollect([2]) == [4]
        assert [output async for output in pipe.astream([2], execution="inline")] == [4]

    asyncio.run(all_three())


def test_the_loop_goes_on_while_a_run_lasts() -> None:
    go = threading.Event()
    pipe = Pipeline("waiting")
    pipe.source([1])
    pipe.processor(lambda number: go.wait(LIMIT) and number, name="wait")

    async def beside() -> list[int]:
        task = asyncio.create_task(pipe.acollect())
        await asyncio.sleep(0)
        go.set()
        return await task

    assert asyncio.run(beside()) == [1]


def test_several_runs_go_on_at_once() -> None:
    meeting = threading.Barrier(3, timeout=LIMIT)
    pipe = Pipeline("meeting")
    pipe.source([1])
    pipe.processor(lambda number: (meeting.wait() and number) or number, name="meet")

    async def three() -> list[list[int]]:
        return await asyncio.gather(*(pipe.acollect() for _ in range(3)))

    assert asyncio.run(three()) == [[1]] * 3


# --------------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize(
    "wait", [lambda pipe: pipe.arun(), lambda pipe: pipe.acollect()], ids=["arun", "acollect"]
)
def test_a_run_that_fails_raises(wait: Callable[[Pipeline], Awaitable[Any]]) -> None:
    error = ValueError("no")

    async def awaited() -> None:
        await wait(failing(error))

    with pytest.raises(PipelineFailed) as raised:
        asyncio.run(awaited())
    assert raised.value.exceptions == (error,)
    assert not raised.value.report.ok


def test_a_stream_gives_what_came_before_it_raises() -> None:
    outputs: list[int] = []

    async def drawn() -> None:
        stream = failing(ValueError("no")).astream()
        try:
            async for output in stream:
                outputs.append(output)  # noqa: PERF401 - an extend would lose them
        finally:
            assert not stream.report.ok

    with pytest.raises(PipelineFailed):
        asyncio.run(drawn())
    assert outputs == [0, 1, 2]


def test_a_pipeline_that_cannot_run_says_so_at_once() -> None:
    with pytest.raises(UsageError, match="has no stages"):
        Pipeline("empty").astream()
    with pytest.raises(UsageError, match="has no stages"):
        asyncio.run(Pipeline("empty").arun())


def test_a_run_has_its_time_out_here_too() -> None:
    with pytest.raises(RunTimedOut):
        asyncio.run(squares("thread", itertools.count()).arun(timeout=0.01))


# --------------------------------------------------------------------------- cancelled, left


@pytest.mark.parametrize("door", ["arun", "acollect"])
@pytest.mark.parametrize("kind", ["inline", "thread", "fork"])
def test_a_task_that_is_cancelled_cancels_its_run(door: str, kind: str) -> None:
    pipe = squares(kind, itertools.count())
    begun = threading.Event()
    reports: list[Any] = []
    pipe.before_run(begun.set)
    pipe.after_run(reports.append)

    async def cancelled() -> None:
        task = asyncio.create_task(getattr(pipe, door)())
        await until(begun)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
    assert len(reports) == 1  # everything is closed by then


def test_the_run_is_told_why() -> None:
    assert "cancelled" in LEFT
    pipe, seen = squares("thread", itertools.count()), list[BaseException]()
    begun = threading.Event()
    pipe.before_run(begun.set)

    async def cancelled() -> None:
        token = CancelToken()
        token.on_cancel(begun.set)
        task = asyncio.create_task(pipe.arun(cancel=token))
        await until(begun)
        token.cancel("enough")
        try:
            await task
        except RunCancelled as error:
            seen.append(error)

    asyncio.run(cancelled())
    assert [error.reason for error in seen if isinstance(error, RunCancelled)] == ["enough"]


@pytest.mark.parametrize("kind", ["inline", "thread", "fork"])
def test_leaving_a_stream_ends_its_run(kind: str) -> None:
    pipe = squares(kind, itertools.count())
    reports: list[Any] = []
    pipe.after_run(reports.append)

    async def first_few() -> list[int]:
        outputs = []
        async with pipe.astream() as stream:
            async for output in stream:
                outputs.append(output)
                if len(outputs) == 3:
                    break
        assert len(reports) == 1
        return outputs

    assert asyncio.run(first_few()) == [0, 1, 4]


def test_a_stream_that_is_dropped_ends_its_run() -> None:
    pipe = squares("thread", itertools.count())
    ended = threading.Event()
    pipe.after_run(ended.set)

    async def dropped() -> None:
        async for _ in pipe.astream():
            break
        gc.collect()
        await until(ended)

    asyncio.run(dropped())


def test_a_stream_that_was_never_begun_can_be_left() -> None:
    async def left() -> None:
        async with squares().astream() as stream:
            assert stream.report.outputs == 0

    asyncio.run(left())


def test_a_run_is_not_far_ahead_of_the_task_that_draws() -> None:
    given = itertools.count()

    def numbers() -> Any:
        yield from given

    pipe = Pipeline("ahead")
    pipe.producer(numbers)

    async def slowly() -> None:
        async with pipe.astream() as stream:
            for _ in range(10):
                await anext(stream)
                await asyncio.sleep(0.01)

    asyncio.run(slowly())
    assert next(given) <= 3 * ROOM


def test_with_a_checkpoint_an_output_is_finished_when_the_task_asks_for_the_next(
    tmp_path: Path,
) -> None:
    async def draw(count: int) -> list[int]:
        async with squares().astream(checkpoint=tmp_path / "job.db") as stream:
            return [await anext(stream) for _ in range(count)]

    assert asyncio.run(draw(3)) == [0, 1, 4]
    assert asyncio.run(draw(3)) == [4, 9, 16]

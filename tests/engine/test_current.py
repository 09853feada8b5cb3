"""`current()` tells any code that a stage calls where it runs, and refuses to guess elsewhere."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from engine.growing import chain, grow
from engine.working import awaiting, drawable, opened
from minigun_py.contexts.answer import Harvest
from minigun_py.contexts.kernel import Control, Post
from minigun_py.engine.current import current
from minigun_py.engine.kernel import SegmentKernel
from minigun_py.errors import UsageError
from minigun_py.plan.segment import Segment
from minigun_py.plan.stage import DeclaredStage
from minigun_py.primitives.cancel import CancelToken
from plan.drawing import processor


def kernel_of(segment: Segment, awaits: bool = False) -> SegmentKernel:
    return SegmentKernel(segment, range(len(segment.exits)), (), awaits=awaits)


def called(segment: Segment, items: Any = (1,), post: Post | None = None) -> Harvest:
    """Run a chunk with a worker that calls."""
    with opened(kernel_of(segment), post=post) as worker:
        worker.run(list(items))
        return worker.harvest(len(items))


def called_beside_a_loop(segment: Segment, items: Any = (1,), post: Post | None = None) -> Harvest:
    """The same where this thread runs a loop already, as in a notebook."""

    async def run() -> Harvest:
        return called(segment, items, post)

    return asyncio.run(run())


def awaited(segment: Segment, items: Any = (1,), post: Post | None = None) -> Harvest:
    """Run a chunk with a worker that awaits."""
    with awaiting(kernel_of(segment, awaits=True), post) as worker:
        worker.run(list(items))
        return worker.harvest(len(items))


in_every_way = pytest.mark.parametrize("run", [called, called_beside_a_loop, awaited])


def here(_: Any = None) -> str:
    """The name of the stage that calls this."""
    return current().stage


def chain_of(function: Callable[..., Any], *names: str, **options: Any) -> Segment:
    """The same function under several names; each gives its item on, with what it adds."""
    return chain(dict.fromkeys(names, function), **options)


# --------------------------------------------------------------------------- the stage


def with_here(told: tuple[str, ...]) -> tuple[str, ...]:
    return (*told, here())


async def with_here_later(told: tuple[str, ...]) -> tuple[str, ...]:
    before = here()
    await asyncio.sleep(0)
    assert here() == before
    return (*told, before)


def test_in_a_chain_each_stage_is_told_its_own_name() -> None:
    assert called(chain_of(with_here, "a", "b", "c"), [()]).outputs == [[("a", "b", "c")]]


@in_every_way
def test_in_a_chain_of_coroutines_too(run: Callable[..., Harvest]) -> None:
    assert run(chain_of(with_here_later, "a", "b", "c"), [()]).outputs == [[("a", "b", "c")]]


def test_in_a_chain_of_both() -> None:
    functions = {"a": with_here, "b": with_here_later, "c": with_here}
    for run in (called, called_beside_a_loop):
        assert run(chain(functions), [()]).outputs == [[("a", "b", "c")]]


def test_in_generators_that_feed_each_other() -> None:
    def twice(told: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield (*told, here())
        yield (*told, here())

    assert called(chain_of(twice, "a", "b"), [()]).outputs == [[("a", "b")] * 4]


@in_every_way
def test_in_asynchronous_generators_that_feed_each_other(run: Callable[..., Harvest]) -> None:
    async def twice(told: tuple[str, ...]) -> AsyncIterator[tuple[str, ...]]:
        yield (*told, here())
        await asyncio.sleep(0)
        yield (*told, here())

    assert run(chain_of(twice, "a", "b"), [()]).outputs == [[("a", "b")] * 4]


def test_in_the_branches_of_a_fan_out() -> None:
    stages: list[DeclaredStage] = [processor(name, with_here) for name in "abc"]
    segment = grow(stages, [[1, 2], [], []])
    assert called(segment, [()]).outputs == [[("a", "b")], [("a", "c")]]


def test_in_helpers_of_any_depth() -> None:
    def deep(levels: int) -> str:
        return deep(levels - 1) if levels else here()

    assert called(chain({"a": deep}), [50]).outputs == [["a"]]


def test_in_a_builtin_that_calls_back() -> None:
    assert called(chain({"a": lambda n: list(map(here, [n, n]))})).outputs == [[["a", "a"]]]


@in_every_way
def test_in_a_task_that_the_stage_has_started(run: Callable[..., Harvest]) -> None:
    async def told_by_a_task(told: tuple[str, ...]) -> tuple[str, ...]:
        return await asyncio.create_task(with_here_later(told))

    assert run(chain_of(told_by_a_task, "a", "b"), [()]).outputs == [[("a", "b")]]


def test_in_a_source_and_in_what_follows_it() -> None:
    def numbers() -> Iterator[tuple[str, ...]]:
        yield (here(),)

    with drawable(numbers, a=with_here) as source:
        assert source.draw(9).outputs == [[("items", "a")]]


def test_in_a_source_that_pushes() -> None:
    def numbers(output: Callable[[Any], None]) -> None:
        output((here(),))
        output((here(),))

    with drawable(numbers, a=with_here) as source:
        assert source.draw(1).outputs == [[("items", "a")] * 2]


def test_in_an_asynchronous_source() -> None:
    async def numbers() -> AsyncIterator[tuple[str, ...]]:
        yield (here(),)
        await asyncio.sleep(0)
        yield (here(),)

    with drawable(numbers, a=with_here) as source:
        assert source.draw(9).outputs == [[("items", "a")] * 2]


def test_where_a_source_is_closed() -> None:
    told: list[str] = []

    def numbers() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            told.append(here())

    with drawable(numbers) as source:
        source.draw(1)
    assert told == ["items"]


# --------------------------------------------------------------------------- setup and teardown


def life_of(name: str, told: list[str], later: bool) -> DeclaredStage:
    """A stage that notes who it is told to be: set up, run and torn down."""

    def note(*_: Any) -> None:
        told.append(here())

    async def note_later(*_: Any) -> None:
        await asyncio.sleep(0)
        told.append(here())

    function = note_later if later else note
    return processor(name, lambda item: item, setup=function, teardown=function)


@pytest.mark.parametrize("later", [False, True], ids=["plain", "coroutines"])
@pytest.mark.parametrize("run", [called, called_beside_a_loop])
def test_setup_and_teardown_are_told_their_stage(run: Callable[..., Harvest], later: bool) -> None:
    told: list[str] = []
    run(grow([life_of("a", told, later), life_of("b", told, later)], [[1], []]))
    assert told == ["a", "b", "b", "a"]


def test_setup_and_teardown_on_a_loop_are_told_their_stage() -> None:
    told: list[str] = []
    stages = [life_of("a", told, later=True), life_of("b", told, later=True)]
    awaited(grow(stages, [[1], []]), ())
    assert told == ["a", "b", "b", "a"]


# --------------------------------------------------------------------------- a run inside a stage


def test_a_run_inside_a_stage_tells_its_own_stages() -> None:
    def outer(item: int) -> Any:
        inside = called(chain_of(with_here, "inner"), [()]).outputs
        return [here(), *inside[0], here()]

    assert called(chain({"outer": outer})).outputs == [[["outer", ("inner",), "outer"]]]


def test_the_setup_of_a_run_inside_a_stage_is_told_its_own_stage() -> None:
    def outer(item: int) -> Any:
        told: list[str] = []
        called(grow([life_of("inner", told, later=False)], [[]]))
        return told

    assert called(chain({"outer": outer})).outputs == [[["inner", "inner"]]]


# --------------------------------------------------------------------------- everything else


@in_every_way
def test_the_worker_the_attempt_and_the_line_to_the_run(run: Callable[..., Harvest]) -> None:
    asked: list[bool] = []
    token = CancelToken()
    post = Post(7, Control(token, lambda: asked.append(True)))

    async def tell(item: int) -> None:
        where = current()
        assert (where.worker, where.attempt) == (7, 1)
        assert where.cancel is token
        where.drain()

    assert run(chain({"a": tell}), [1], post).failures == []
    assert asked == [True]


def test_without_a_post_a_worker_is_the_first_on_the_line_of_its_kernel() -> None:
    control = Control()
    segment = chain({"a": lambda _: current()})
    with opened(SegmentKernel(segment, [0], (), control=control)) as worker:
        worker.run([1])
        ((where,),) = worker.harvest(1).outputs
    assert where.worker == 1
    assert where.cancel is control.cancel


def test_twins_on_a_loop_are_told_apart() -> None:
    async def tell(item: int) -> int:
        await asyncio.sleep(0)
        return await asyncio.create_task(number())

    async def number() -> int:
        return current().worker

    with awaiting(kernel_of(chain({"a": tell}), awaits=True)) as first:
        twins = [first.worker.twin(Post(n)) for n in (2, 3)]

        async def run_all() -> None:
            await asyncio.gather(*(worker.run([0]) for worker in (first.worker, *twins)))

        first.runner.run(run_all())
        outputs = [worker.harvest(1).outputs for worker in (first, *twins)]
    assert outputs == [[[1]], [[2]], [[3]]]


def test_its_logger_has_the_name_of_the_stage_and_tells_stage_and_worker(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def speak(item: int) -> None:
        current().logger.warning("item %d", item)

    called(chain({"loud": speak}), [5], Post(2))
    (record,) = caplog.records
    assert (record.name, record.getMessage()) == ("minigun_py.stage.loud", "item 5")
    assert (record.minigun_stage, record.minigun_worker) == ("loud", 2)  # type: ignore[attr-defined]
    assert record.levelno == logging.WARNING


# --------------------------------------------------------------------------- outside


def refused() -> bool:
    with pytest.raises(UsageError, match="for code that a stage calls, and none is running here"):
        current()
    return True


def test_outside_a_stage_it_is_refused() -> None:
    assert refused()


@in_every_way
def test_it_is_refused_again_when_a_worker_has_been_closed(run: Callable[..., Harvest]) -> None:
    run(chain_of(with_here_later, "a"), [()])
    assert refused()


def test_it_is_refused_again_when_a_setup_has_failed() -> None:
    def fail() -> None:
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        called(chain({"a": here}, setup=fail))
    assert refused()

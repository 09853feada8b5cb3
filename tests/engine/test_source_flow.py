"""Outputs of an inline run that are taken one by one: nothing happens before it is asked for."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

from minigun_py import (
    CancelToken,
    Pipeline,
    PipelineFailed,
    RunCancelled,
    RunTimedOut,
    To,
    UsageError,
    current,
)
from minigun_py.engine.depth_first import DepthFirstRun
from minigun_py.engine.failure import Policy
from minigun_py.engine.flow import generate_flow
from minigun_py.engine.ledger import Ledger
from minigun_py.engine.verdict import Verdict
from minigun_py.events import Observers
from minigun_py.testing.clock import VirtualClock
from plan.drawing import plan_of, processor, segments_of, source

MANY = 5000  # enough for chunks that flow


def doubled(number: int) -> int:
    return 2 * number


def twice(number: int) -> Iterator[int]:
    yield number
    yield -number


def put(number: int, output: Callable[..., Any]) -> None:
    output(number)
    output(-number)


def odd(number: int) -> int | None:
    return number if number % 2 else None


STAGES: list[list[Callable[..., Any]]] = [
    [], [doubled], [odd], [twice], [put], [odd, twice, doubled], [twice, put, odd], [doubled, odd],
    [twice, twice, twice, put, twice, twice],
]  # fmt: skip


def piped(stages: list[Callable[..., Any]], items: Any, **options: Any) -> Pipeline:
    pipe = Pipeline("flow")
    pipe.source(items, name="items")
    for number, stage in enumerate(stages):
        pipe.processor(stage, name=f"{stage.__name__} {number}", **options)
    return pipe


@pytest.mark.parametrize("stages", STAGES, ids=lambda s: "-".join(f.__name__ for f in s) or "none")
def test_what_flows_is_what_a_run_collects(stages: list[Callable[..., Any]]) -> None:
    pipe = piped(stages, range(MANY if len(stages) < 5 else MANY // 20))
    with pipe.stream(execution="inline") as stream:
        flowed = list(stream)
    assert flowed == pipe.collect(execution="inline")
    with pipe.stream(execution="inline") as again:
        list(again)
    for name, stage in again.report.stages.items():
        told = pipe.run(execution="inline")[name]
        assert (stage.received, stage.completed, stage.filtered, stage.emitted) == (
            told.received, told.completed, told.filtered, told.emitted,
        )  # fmt: skip


@pytest.mark.parametrize("stage", [doubled, twice, put])
def test_nothing_is_done_with_an_item_before_it_is_asked_for(stage: Callable[..., Any]) -> None:
    notes: list[tuple[str, int]] = []

    def numbers() -> Iterator[int]:
        for number in range(MANY):
            notes.append(("drawn", number))
            yield number

    expected: list[tuple[str, int]] = []
    each = len(piped([stage], [0]).collect())
    taken = itertools.count()
    with piped([stage], numbers()).stream(execution="inline") as stream:
        notes.extend(("taken", next(taken) // each) for _ in stream)
    for number in range(MANY):
        expected += [("drawn", number), *[("taken", number)] * each]
    assert notes == expected


def test_a_failure_is_told_of_before_another_item_is_drawn() -> None:
    drawn: list[int] = []
    told: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(MANY):
            drawn.append(number)
            yield number

    def fussy(number: int) -> int:
        if number % 1000 == 700:
            raise ValueError(number)
        return number

    pipe = piped([fussy], numbers(), on_error="skip")
    pipe.on_failure(lambda failed: told.append(len(drawn)))
    with pipe.stream(execution="inline") as stream:
        results = list(stream)
    assert results == [number for number in range(MANY) if number % 1000 != 700]
    assert told == [701, 1701, 2701, 3701, 4701]
    assert [failed.item for failed in stream.report.failures] == [700, 1700, 2700, 3700, 4700]


@pytest.mark.parametrize("stage", [doubled, twice, put])
def test_a_failure_that_ends_the_run_is_raised_behind_what_came_before(
    stage: Callable[..., Any],
) -> None:
    def fail(number: int) -> int:
        if number == 3001:
            raise ValueError("no more")
        return number

    taken: list[int] = []
    with pytest.raises(PipelineFailed, match="in stage 'fail 0' on item 3001") as caught:
        taken.extend(piped([fail, stage], range(MANY)).stream(execution="inline"))
    each = len(piped([stage], [0]).collect())
    assert len(taken) == 3001 * each
    assert caught.value.report["fail 0"].failed == 1


def test_an_error_of_the_producer_is_its_own() -> None:
    def numbers() -> Iterator[int]:
        yield from range(3000)
        raise OSError("the end of the world")

    taken: list[int] = []
    with pytest.raises(PipelineFailed) as caught:
        taken.extend(piped([doubled], numbers()).stream(execution="inline"))
    assert taken == [2 * number for number in range(3000)]
    [error] = caught.value.exceptions
    assert "in stage 'items'" in "".join(error.__notes__)


@pytest.mark.parametrize("at", [3, 2000])
def test_who_leaves_early_closes_the_source(at: int) -> None:
    closed: list[bool] = []

    def numbers() -> Iterator[int]:
        try:
            yield from itertools.count()
        finally:
            closed.append(True)

    with piped([twice], numbers()).stream(execution="inline") as stream:
        for value in stream:
            if value == at:
                break
    assert closed == [True]
    assert stream.report["items"].emitted == at + 1
    assert next(iter(stream), None) is None


@pytest.mark.parametrize("how", ["cancel", "drain", "close"])
@pytest.mark.parametrize("at", [3, 2000])
def test_a_run_that_is_stopped_draws_no_other_item(how: str, at: int) -> None:
    token = CancelToken()

    def stop(number: int) -> int:
        if how == "drain" and number == at:
            current().drain()
        return number

    taken: list[int] = []
    ends: AbstractContextManager[Any]
    ends = pytest.raises(RunCancelled, match="enough") if how == "cancel" else nullcontext()
    stream = piped([stop], itertools.count()).stream(execution="inline", cancel=token)
    with ends:
        for number in stream:
            taken.append(number)
            if number == at and how == "cancel":
                token.cancel("enough")
            elif number == at and how == "close":
                stream.close()
    assert taken == list(range(at + 1))
    assert stream.report["items"].emitted == at + 1


def test_a_run_with_a_deadline_looks_at_it_for_every_item() -> None:
    clock = VirtualClock()
    taken: list[int] = []
    stream = piped([doubled], range(MANY)).stream(execution="inline", timeout=100, clock=clock)
    with pytest.raises(RunTimedOut):
        for number in stream:
            taken.append(number)
            if number == 2 * 3000:
                clock.advance(101)
    assert taken[-1] == 2 * 3000


def test_a_stage_knows_where_it_is() -> None:
    def where(number: int) -> str:
        return current().stage

    pipe = piped([doubled, where], range(MANY))
    assert set(pipe.stream(execution="inline")) == {"where 1"}


def test_nothing_may_be_sent_where_nobody_said_so() -> None:
    def stray(number: int) -> Any:
        return To("elsewhere", number) if number == 3000 else number

    with pytest.raises(PipelineFailed) as caught:
        list(piped([stray], range(MANY)).stream(execution="inline"))
    [error] = caught.value.exceptions
    assert isinstance(error, UsageError)
    assert "elsewhere" in str(error)


@pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit])
def test_what_is_no_failure_goes_through(error: type[BaseException]) -> None:
    def stop(number: int) -> int:
        if number == 3000:
            raise error
        return number

    taken: list[int] = []
    with pytest.raises(error):
        taken.extend(piped([stop], range(MANY)).stream(execution="inline"))
    assert taken == list(range(3000))


def test_a_token_that_a_stage_looks_at_ends_the_run_and_is_no_failure() -> None:
    token = CancelToken()

    def look(number: int) -> int:
        if number == 3000:
            token.cancel("seen")
            current().cancel.raise_if_cancelled()
        return number

    taken: list[int] = []
    with pytest.raises(RunCancelled, match="seen"):
        taken.extend(piped([look], range(MANY)).stream(execution="inline", cancel=token))
    assert taken == list(range(3000))


def test_the_time_of_who_takes_the_outputs_is_not_that_of_the_stages() -> None:
    clock = VirtualClock()

    def work(number: int) -> int:
        clock.advance(0.000_001)
        return number

    plan = plan_of(source("s", range(MANY)), processor("a", work))
    ledger, token = Ledger(list(plan.graph.stages.values())), CancelToken(clock)
    policies = dict.fromkeys("sa", Policy())
    verdict = Verdict(token, ledger, policies, Observers(), clock)
    run = DepthFirstRun(plan.segments, ledger, verdict, token, True)
    for some in run.outputs(lazily=True):
        for _ in some:
            clock.advance(0.000_003)
    busy = ledger.snapshot()["s"].busy
    assert busy == pytest.approx(MANY * 0.000_001, rel=0.01)


@pytest.mark.parametrize(
    ("stages", "flows"),
    [
        ([source("s"), processor("a")], True),
        ([source("s")], True),
        ([source("s", to=("a", "b")), processor("a"), processor("b")], False),
        ([source("s"), *(processor(name, twice) for name in "abcd"), processor("e")], True),
        ([source("s"), *(processor(name, twice) for name in "abcdefg")], False),
    ],
    ids=["chain", "alone", "fork", "four generators", "deep"],
)
def test_which_sources_flow(stages: list[Any], flows: bool) -> None:
    segment, *_ = segments_of(stages)
    gathered = range(1, len(segment.stages))
    assert (generate_flow(segment, gathered) is not None) is flows

"""Stages that draw from each other inline are one chain; the books and the endings are as ever."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigun_py import CancelToken, Pipeline, PipelineFailed, RunCancelled, RunTimedOut, current
from minigun_py.engine.chain_run import ChainRun
from minigun_py.engine.depth_first import DepthFirstRun
from minigun_py.engine.failure import Policy
from minigun_py.engine.inline_run import inline_run
from minigun_py.engine.ledger import Ledger
from minigun_py.engine.verdict import Verdict
from minigun_py.events import Observers
from minigun_py.plan.stage import DeclaredStage
from minigun_py.primitives.cancel import CancelToken as Token
from minigun_py.testing.clock import VirtualClock
from plan.drawing import consumer, plan_of, processor, source

MANY = 5000
Stage = Callable[[Iterable[Any]], Iterable[Any]]


def plus(items: Iterable[int]) -> Iterator[int]:
    for item in items:
        yield item + 1


def thrice(items: Iterable[int]) -> Iterator[int]:
    for item in items:
        yield from (item, item, item)


def odd(items: Iterable[int]) -> Iterator[int]:
    return (item for item in items if item % 2)


def few(items: Iterable[int]) -> Iterator[int]:
    return itertools.islice(items, 7)


def backwards(items: Iterable[int]) -> list[int]:
    return sorted(items, reverse=True)


def pairs(items: Iterable[int]) -> Iterator[int]:
    for item in items:
        yield item + next(iter(items), 0)


def summed(items: Iterable[int]) -> Iterator[int]:
    yield sum(items)


def none(items: Iterable[int]) -> Iterator[int]:
    return iter(())


STAGES = (plus, thrice, odd, few, backwards, pairs, summed, none)


def piped(stages: Iterable[Stage], items: Any, **options: Any) -> Pipeline:
    pipe = Pipeline("chain")
    pipe.source(items, name="items")
    for number, stage in enumerate(stages):
        name = f"{getattr(stage, '__name__', 'stage')} {number}"
        pipe.processor(stage, name=name, stream=True, **options)
    return pipe


def by_hand(stages: Iterable[Stage], items: Iterable[int]) -> list[int]:
    for stage in stages:
        items = stage(iter(items))
    return list(items)


class Stand:
    """A run of these stages, and what it speaks to."""

    def __init__(self, *stages: DeclaredStage, step_by_step: bool = False) -> None:
        plan = plan_of(*stages)
        self.clock = VirtualClock()
        self.token = Token(self.clock)
        self.ledger = Ledger(list(plan.graph.stages.values()))
        policies = {stage.name: Policy() for stage in stages}
        self.verdict = Verdict(self.token, self.ledger, policies, Observers(), self.clock)
        way = DepthFirstRun if step_by_step else inline_run
        self.run = way(plan.segments, self.ledger, self.verdict, self.token, True)

    @property
    def is_chain(self) -> bool:
        return isinstance(self.run, ChainRun)


# --------------------------------------------------------------------------- which runs are chains


@pytest.mark.parametrize(
    ("stages", "is_chain"),
    [
        ([source("s"), processor("a", plus, stream=True)], True),
        ([source("s"), processor("f"), processor("a", plus, stream=True), consumer("c")], True),
        ([source("s"), *(processor(name, plus, stream=True) for name in "abc")], True),
        ([source("s"), processor("a")], False),
        ([source("s"), processor("a", plus, stream=True), processor("f"),
          processor("b", plus, stream=True)], False),
        ([source("s", to=("a", "b")), processor("a", plus, stream=True, to=()),
          processor("b", plus, stream=True)], False),
        ([source("s"), source("t"), processor("a", plus, stream=True)], False),
        ([source("s"), processor("a", plus, stream=True, rate="5/s")], False),
    ],
    ids=["one", "fused", "three", "none", "between", "fork", "join", "rate"],
)  # fmt: skip
def test_which_runs_are_chains(stages: list[DeclaredStage], is_chain: bool) -> None:
    assert Stand(*stages).is_chain is is_chain


# --------------------------------------------------------------------------- what comes out


@given(stages=st.lists(st.sampled_from(STAGES), min_size=1, max_size=4), count=st.integers(0, 60))
def test_what_comes_out_is_what_the_generators_give(stages: list[Stage], count: int) -> None:
    pipe = piped(stages, range(count))
    expected = by_hand(stages, range(count))
    assert pipe.collect(execution="inline") == expected
    with pipe.stream(execution="inline") as stream:
        assert list(stream) == expected


@given(stages=st.lists(st.sampled_from(STAGES), min_size=1, max_size=3))
def test_the_books_are_those_of_a_run_step_by_step(stages: list[Stage]) -> None:
    def books(step_by_step: bool) -> dict[str, tuple[int, ...]]:
        streams = [processor(str(n), stage, stream=True) for n, stage in enumerate(stages)]
        stand = Stand(source("s", range(50)), *streams, consumer("c"), step_by_step=step_by_step)
        assert stand.is_chain is not step_by_step
        for _ in stand.run.outputs(lazily=False):
            pass
        assert not stand.ledger.imbalances(cut=False)
        return {
            name: (book.received, book.completed, book.emitted, book.cancelled)
            for name, book in stand.ledger.snapshot().items()
        }

    assert books(step_by_step=False) == books(step_by_step=True)


@pytest.mark.parametrize("kind", ["list", "generator"])
def test_nothing_is_done_before_it_is_asked_for(kind: str) -> None:
    notes: list[str] = []

    def numbers() -> Iterator[int]:
        for number in range(30):
            notes.append(f"draw {number}")
            yield number

    def noted(name: str) -> Stage:
        def stage(items: Iterable[int]) -> Iterator[int]:
            for item in items:
                notes.append(f"{name} {item}")
                yield item

        return stage

    pipe = piped([noted("a"), noted("b")], numbers() if kind == "generator" else range(30))
    pipe.processor(lambda n: notes.append(f"end {n}") or n, name="end")
    drawn = ["draw {0}"] * (kind == "generator")
    with pipe.stream(execution="inline") as stream:
        notes.extend(f"taken {number}" for number in stream)
    steps = [*drawn, "a {0}", "b {0}", "end {0}", "taken {0}"]
    assert notes == [step.format(number) for number in range(30) for step in steps]


# --------------------------------------------------------------------------- failures


def failing(at: int) -> Stage:
    def fail(items: Iterable[int]) -> Iterator[int]:
        for item in items:
            if item == at:
                raise ValueError("no more")
            yield item

    return fail


def greedy(items: Iterable[int]) -> Iterator[int]:
    """Catches whatever it can, and goes on."""
    try:
        yield from items
    except Exception:
        yield -1


@pytest.mark.parametrize("at", [1, 5, 3000])
@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("after", [[], [plus], [greedy], [greedy, summed]])
def test_a_stage_that_raises_is_to_blame_and_nobody_catches_it(
    at: int, before: int, after: list[Stage]
) -> None:
    seen: list[int] = []
    pipe = piped([*[plus] * before, failing(at), *after], range(MANY))
    pipe.consumer(seen.append, name="end")
    with pytest.raises(PipelineFailed) as caught:
        pipe.run(execution="inline")
    [failed] = caught.value.report.failures
    assert (failed.stage, failed.item) == (f"fail {before}", at)
    assert isinstance(failed.error, ValueError)
    assert -1 not in seen
    report = caught.value.report
    assert report[f"fail {before}"].failed == 1
    assert report["items"].emitted == report[f"fail {before}"].received


def test_a_function_that_raises_before_it_gives_an_iterator_is_to_blame() -> None:
    def broken(items: Iterable[int]) -> Iterator[int]:
        raise ValueError("from the start")

    for stages in ([broken], [broken, plus], [plus, broken, greedy]):
        with pytest.raises(PipelineFailed) as caught:
            piped(stages, range(5)).collect(execution="inline")
        assert [failed.stage.split()[0] for failed in caught.value.report.failures] == ["broken"]


def test_an_error_of_the_source_is_its_own() -> None:
    def numbers() -> Iterator[int]:
        yield from range(3000)
        raise OSError("the end of the world")

    for stages in ([plus], [greedy, plus]):
        with pytest.raises(PipelineFailed) as caught:
            piped(stages, numbers()).collect(execution="inline")
        assert [failed.stage for failed in caught.value.report.failures] == ["items"]


def test_items_that_fail_before_the_chain_are_left_out() -> None:
    def fussy(number: int) -> int:
        if number % 1000 == 7:
            raise ValueError(number)
        return number

    pipe = Pipeline("fussy")
    pipe.source(range(MANY))
    pipe.processor(fussy, on_error="skip")
    pipe.processor(plus, stream=True)
    with pipe.stream(execution="inline") as stream:
        assert list(stream) == [n + 1 for n in range(MANY) if n % 1000 != 7]
    assert stream.report["fussy"].skipped == 5


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_is_no_failure_goes_the_way_it_goes_elsewhere(error: type[BaseException]) -> None:
    def stop(items: Iterable[int]) -> Iterator[int]:
        for item in items:
            if item == 3000:
                raise error
            yield item

    def ending(*stages: Stage) -> type[BaseException]:
        with pytest.raises(BaseException) as caught:  # noqa: PT011 - that is the question
            piped(stages, range(MANY), **options).run(execution="inline")
        return type(caught.value)

    options: dict[str, Any] = {}
    chained = ending(stop, plus)
    options = {"rate": "1000000/s"}  # no chain
    assert chained is ending(stop, plus)


@pytest.mark.parametrize("at", [5, 3000])
@pytest.mark.parametrize("after", [[], [plus], [greedy]])
def test_what_came_before_a_failure_was_given(at: int, after: list[Stage]) -> None:
    taken: list[int] = []
    with pytest.raises(PipelineFailed) as caught:
        taken.extend(piped([failing(at), *after], range(MANY)).stream(execution="inline"))
    assert len(taken) == at
    [failed] = caught.value.report.failures
    assert (failed.stage, failed.item) == ("fail 0", at)


# --------------------------------------------------------------------------- endings


@pytest.mark.parametrize("stage", [plus, backwards, thrice])
@pytest.mark.parametrize("at", [3, 2000])
def test_after_a_cancel_by_who_takes_the_outputs_nothing_comes(stage: Stage, at: int) -> None:
    token = CancelToken()
    taken: list[int] = []
    with pytest.raises(RunCancelled, match="enough"):
        for value in piped([stage], range(MANY)).stream(execution="inline", cancel=token):
            taken.append(value)
            if len(taken) == at:
                token.cancel("enough")
    assert len(taken) == at


@pytest.mark.parametrize("stages", [[plus], [thrice, odd], [pairs, plus, plus]])
def test_many_outputs_flow(stages: list[Stage]) -> None:
    with piped(stages, range(MANY)).stream(execution="inline") as stream:
        assert list(stream) == by_hand(stages, range(MANY))
    for book in list(stream.report.stages.values())[1:]:
        assert book.received == book.completed


@pytest.mark.parametrize("how", ["drain", "cancel"])
@pytest.mark.parametrize("at", [3, 3000])
def test_a_run_that_is_stopped_draws_no_other_item(how: str, at: int) -> None:
    token = CancelToken()
    seen: list[int] = []

    def stop(items: Iterable[int]) -> Iterator[int]:
        for item in items:
            if item == at and how == "drain":
                current().drain()
            elif item == at:
                token.cancel("enough")
            yield item

    pipe = piped([stop, plus], itertools.count())
    pipe.consumer(seen.append, name="end")
    if how == "drain":
        report = pipe.run(execution="inline", cancel=token)
        assert seen == list(range(1, at + 2))
    else:
        with pytest.raises(RunCancelled, match="enough") as caught:
            pipe.run(execution="inline", cancel=token)
        report = caught.value.report  # type: ignore[attr-defined]
    assert report["items"].emitted == at + 1


def test_a_stage_that_takes_all_before_it_gives_anything_can_be_stopped() -> None:
    token = CancelToken()

    def endless() -> Iterator[int]:
        for number in itertools.count():
            if number == 3000:
                token.cancel("enough")
            yield number

    with pytest.raises(RunCancelled, match="enough"):
        piped([backwards], endless()).collect(execution="inline", cancel=token)


def test_a_deadline_is_looked_at_soon() -> None:
    clock = VirtualClock()
    seen: list[int] = []

    def late(items: Iterable[int]) -> Iterator[int]:
        for item in items:
            if item == 3000:
                clock.advance(101)
            seen.append(item)
            yield item

    with pytest.raises(RunTimedOut):
        piped([late, plus], itertools.count()).run(execution="inline", timeout=100, clock=clock)
    assert 3000 <= seen[-1] <= 3016


@pytest.mark.parametrize("at", [3, 2000])
def test_who_leaves_early_closes_all_from_the_last_to_the_first(at: int) -> None:
    closed: list[str] = []

    def named(name: str) -> Stage:
        def stage(items: Iterable[int]) -> Iterator[int]:
            try:
                for item in items:
                    yield item + 0  # not `yield from`, which would close them first
            finally:
                closed.append(f"{name} {next(iter(items), None)}")

        return stage

    def numbers() -> Iterator[int]:
        try:
            yield from itertools.count()
        finally:
            closed.append("items")

    with piped([named("a"), named("b")], numbers()).stream(execution="inline") as stream:
        for value in stream:
            if value == at:
                break
    assert closed == ["b None", "a None", "items"]
    assert stream.report["items"].emitted == at + 1


def test_stages_know_where_they_are_and_have_their_state() -> None:
    class Counting:
        def __init__(self) -> None:
            self.seen = 0

    pipe = Pipeline("state")
    pipe.source(range(10))

    @pipe.processor(stream=True, setup=Counting)
    def count(items: Iterable[int], state: Counting) -> Iterator[tuple[str, int]]:
        for _ in items:
            state.seen += 1
            yield current().stage, state.seen

    assert pipe.collect(execution="inline") == [("count", n + 1) for n in range(10)]


def test_time_is_that_of_the_stage_that_took_it() -> None:
    stand = Stand(
        source("s", range(MANY)),
        processor("a", lambda items: slow(items, 3), stream=True),
        processor("b", lambda items: slow(items, 1), stream=True),
        processor("c", lambda items: slow(items, 6), stream=True),
    )

    def slow(items: Iterable[int], microseconds: int) -> Iterator[int]:
        for item in items:
            stand.clock.advance(microseconds / 1e6)
            yield item

    assert stand.is_chain
    assert sum(len(list(some)) for some in stand.run.outputs(lazily=False)) == MANY
    books = stand.ledger.snapshot()
    for name, microseconds in {"s": 0, "a": 3, "b": 1, "c": 6}.items():
        assert books[name].busy == pytest.approx(MANY * microseconds / 1e6, rel=0.02, abs=1e-4)


def test_step_by_step_is_for_all_others() -> None:
    assert isinstance(Stand(source("s"), processor("a")).run, DepthFirstRun)

"""In an inline run a stage that takes an iterator takes the run forward while it has no item."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engine.taking import one_by_one
from minigun_py import To
from minigun_py.clock import SYSTEM_CLOCK
from minigun_py.engine import depth_first
from minigun_py.engine.depth_first import DepthFirstRun
from minigun_py.engine.failure import Policy
from minigun_py.engine.ledger import Ledger
from minigun_py.engine.report import StageReport
from minigun_py.engine.verdict import Verdict
from minigun_py.events import Observers
from minigun_py.plan.stage import DeclaredStage
from minigun_py.primitives.cancel import CancelToken
from plan.drawing import accumulator, batch, consumer, plan_of, processor, source


class Stand:
    """An inline run of these stages, and what it says in the end."""

    def __init__(self, *stages: DeclaredStage) -> None:
        plan = plan_of(*stages)
        assert plan.all_inline
        self.token = CancelToken()
        self.ledger = Ledger(plan.graph.stages.values())
        policies = dict.fromkeys(plan.graph.stages, Policy("fail"))
        self.verdict = Verdict(self.token, self.ledger, policies, Observers(()), SYSTEM_CLOCK)
        self.run = DepthFirstRun(plan.segments, self.ledger, self.verdict, self.token, True)

    def outputs(self) -> list[Any]:
        """Run to the end; the books have to balance."""
        given = list(one_by_one(self.run))
        assert self.ledger.imbalances() == []
        return given

    def page(self, name: str) -> StageReport:
        """What a stage did."""
        return StageReport.of(self.ledger.snapshot()[name])


class Diary:
    """Notes who did what, in order."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def source(self, count: int) -> Callable[[], Iterator[int]]:
        def numbers() -> Iterator[int]:
            for number in range(count):
                self.notes.append(f"s{number}")
                yield number

        return numbers

    def stream(self, name: str) -> Callable[[Iterator[Any]], Iterator[Any]]:
        def stage(items: Iterator[Any]) -> Iterator[Any]:
            for item in items:
                self.notes.append(f"{name}{item}")
                yield item
            self.notes.append(f"{name}.")

        return stage

    def of(self, name: str) -> Callable[[Any], Any]:
        def note(item: Any) -> Any:
            self.notes.append(f"{name}{item}")
            return item

        return note


def total(items: Iterator[int]) -> Iterator[int]:
    yield sum(items)


def twice(items: Iterator[int]) -> Iterator[int]:
    for item in items:
        yield item
        yield item


# --------------------------------------------------------------------------- one


def test_a_stage_that_takes_all_gives_in_the_end() -> None:
    assert Stand(source("s", range(5)), accumulator("sum", total)).outputs() == [10]


def test_a_stage_that_never_gets_an_item_runs_too() -> None:
    assert Stand(source("s", []), accumulator("sum", total)).outputs() == [0]


def test_what_it_gives_is_followed_to_its_end_before_it_goes_on() -> None:
    diary = Diary()
    Stand(
        source("s", diary.source(2)),
        accumulator("a", diary.stream("a")),
        consumer("b", diary.of("b")),
    ).outputs()
    assert diary.notes == ["s0", "a0", "b0", "s1", "a1", "b1", "a."]


def test_several_outputs_of_an_item_are_given_one_by_one() -> None:
    diary = Diary()
    Stand(source("s", [1, 2]), accumulator("a", twice), consumer("b", diary.of("b"))).outputs()
    assert diary.notes == ["b1", "b1", "b2", "b2"]


def test_a_source_is_drawn_from_only_when_an_item_is_wanted() -> None:
    def endless() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    def three(items: Iterator[int]) -> Iterator[int]:
        for _ in range(3):
            yield next(items)

    run = Stand(source("s", endless), accumulator("a", three), processor("b", str)).run
    given = []
    for output in one_by_one(run):
        given.append(output)
        if len(given) == 3:
            break
    assert given == ["0", "1", "2"]


def test_what_a_stage_wants_no_more_is_done_with() -> None:
    def first(items: Iterator[int]) -> Iterator[int]:
        yield next(items)

    stand = Stand(source("s", range(5)), accumulator("a", first))
    assert stand.outputs() == [0]
    assert (stand.page("a").received, stand.page("a").completed) == (5, 5)


def test_a_stage_may_skip_over_items() -> None:
    def odd(items: Iterator[int]) -> Iterator[int]:
        return (item for item in items if item % 2)

    assert Stand(source("s", range(6)), accumulator("a", odd)).outputs() == [1, 3, 5]


# --------------------------------------------------------------------------- several


def test_one_after_the_other_take_the_run_forward_through_each_other() -> None:
    diary = Diary()
    Stand(
        source("s", diary.source(2)),
        accumulator("a", diary.stream("a")),
        accumulator("b", diary.stream("b")),
    ).outputs()
    assert diary.notes == ["s0", "a0", "b0", "s1", "a1", "b1", "a.", "b."]


def test_two_that_are_fed_by_the_same_stage_both_get_all() -> None:
    stand = Stand(
        source("s", range(5), to=["a", "b"]),
        accumulator("a", total),
        accumulator("b", lambda items: map(str, items)),
        consumer("c"),
    )
    assert sorted(map(str, stand.outputs())) == ["0", "1", "10", "2", "3", "4"]


def test_one_that_joins_two_gets_what_both_give() -> None:
    stand = Stand(
        source("s", range(4), to=["a", "b"]),
        accumulator("a", total),
        processor("b"),
        accumulator("c", total),
    )
    assert stand.outputs() == [12]


def test_a_batch_before_one_is_flushed_when_it_asks_for_more() -> None:
    stand = Stand(source("s", range(5)), batch("tens", 2), accumulator("a", twice))
    assert stand.outputs() == [[0, 1], [0, 1], [2, 3], [2, 3], [4], [4]]


def test_a_batch_after_one_is_flushed_when_it_has_ended() -> None:
    stand = Stand(source("s", range(3)), accumulator("a", twice), batch("fours", 4))
    assert stand.outputs() == [[0, 0, 1, 1], [2, 2]]


@pytest.mark.parametrize("count", [depth_first.DEEPEST - 1, depth_first.DEEPEST + 1, 200])
def test_a_long_chain_of_them_gives_the_same(count: int) -> None:
    chain = [accumulator(f"a{n}", lambda items: (item + 1 for item in items)) for n in range(count)]
    assert Stand(source("s", range(3)), *chain).outputs() == [count, count + 1, count + 2]


def test_a_long_chain_of_those_that_give_in_the_end_gives_in_the_end() -> None:
    chain = [accumulator(f"a{n}", total) for n in range(100)]
    assert Stand(source("s", range(5)), *chain).outputs() == [10]


# --------------------------------------------------------------------------- loops beside


def test_a_loop_before_one_ends_before_it_does() -> None:
    def again(number: int) -> Any:
        return To("go", number - 1) if number else number

    stand = Stand(
        source("s", [3, 2]), processor("go", again, feedback="go"), accumulator("a", total)
    )
    assert stand.outputs() == [0]


@pytest.mark.parametrize("last", [accumulator("sum", total, to=[]), batch("sum", 99, to=[])])
def test_a_loop_that_has_to_be_flushed_ends_before_what_its_first_stage_feeds(last: Any) -> None:
    def again(numbers: list[int]) -> Iterator[Any]:
        yield from (To("go", number - 1) for number in numbers if number)

    stand = Stand(
        source("s", [3, 2]),
        processor("go", to=["sum", "hold"]),
        last,
        batch("hold", 9),
        processor("back", again, feedback="go"),
    )
    assert stand.outputs() in ([9], [[3, 2, 2, 1, 1, 0, 0]])


# --------------------------------------------------------------------------- ends of another kind


def failing(items: Iterator[int]) -> Iterator[int]:
    for item in items:
        if item == 2:
            raise ValueError(item)
        yield item


def test_an_error_in_one_ends_the_run() -> None:
    stand = Stand(source("s", range(9)), accumulator("a", failing), processor("b"))
    assert stand.outputs() == [0, 1]
    assert [str(error) for error in stand.verdict.errors] == ["2"]
    assert stand.page("a").failed == 1


def test_an_error_further_up_cuts_the_wait_of_one() -> None:
    def refuse(number: int) -> int:
        if number == 2:
            raise ValueError(number)
        return number

    stand = Stand(source("s", range(9)), processor("b", refuse), accumulator("a", total))
    assert stand.outputs() == []
    assert [str(error) for error in stand.verdict.errors] == ["2"]


def test_a_cut_discards_what_waits_for_one() -> None:
    stand = Stand(source("s", range(4), to=["a", "b"]), accumulator("a", total), accumulator("b"))
    for _ in one_by_one(stand.run):
        stand.token.cancel("enough")
    assert stand.ledger.imbalances() == []


def test_one_is_closed_when_the_run_is_left() -> None:
    closed: list[str] = []

    def stage(items: Iterator[int]) -> Iterator[int]:
        try:
            yield from items
        finally:
            closed.append("closed")

    stand = Stand(source("s", range(4)), accumulator("a", stage))
    outputs = one_by_one(stand.run)
    assert next(iter(outputs)) == 0
    outputs.close()  # type: ignore[attr-defined]
    assert closed == ["closed"]


def test_a_drain_lets_one_give_what_it_has() -> None:
    stand: Stand

    def numbers() -> Iterator[int]:
        for number in range(100):
            if number == 3:
                stand.run.drain()
            yield number

    stand = Stand(source("s", numbers), accumulator("a", total))
    assert stand.outputs() == [0 + 1 + 2 + 3]

"""An inline run follows an item to its end before it draws the next; it is the same every time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.taking import one_by_one
from minigun_py.clock import SYSTEM_CLOCK
from minigun_py.engine.current import current
from minigun_py.engine.depth_first import DepthFirstRun
from minigun_py.engine.failure import Policy
from minigun_py.engine.ledger import Ledger
from minigun_py.engine.verdict import Verdict
from minigun_py.errors import UsageError
from minigun_py.events import Event, Observers, StageEnded
from minigun_py.plan.stage import DeclaredStage
from minigun_py.primitives.cancel import CancelToken
from plan.drawing import batch, consumer, plan_of, processor, source


class Stand:
    """An inline run of these stages, and all that it speaks to."""

    def __init__(self, *stages: DeclaredStage, policy: str = "fail", wanted: bool = True) -> None:
        plan = plan_of(*stages)
        assert plan.all_inline
        self.token = CancelToken()
        self.events: list[Event] = []
        self.ledger = Ledger(plan.graph.stages.values())
        policies = {stage.name: Policy(policy) for stage in stages}
        self.verdict = Verdict(
            self.token, self.ledger, policies, Observers([self.events.append]), SYSTEM_CLOCK
        )
        self.run = DepthFirstRun(plan.segments, self.ledger, self.verdict, self.token, wanted)

    def outputs(self) -> list[Any]:
        return list(one_by_one(self.run))


class Diary:
    """Notes who got what, in order."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def of(self, name: str) -> Callable[[Any], Any]:
        def note(item: Any) -> Any:
            self.notes.append(f"{name}{item}")
            return item

        return note


def test_items_go_through_in_order() -> None:
    assert Stand(source("s", range(4)), processor("a", lambda n: n * n)).outputs() == [0, 1, 4, 9]


def test_an_item_is_followed_to_its_end_before_the_next_is_drawn() -> None:
    diary = Diary()
    draw, a, b = map(diary.of, "sab")
    stages = [source("s", map(draw, range(2))), processor("a", a), consumer("b", b)]
    Stand(*stages).outputs()
    assert diary.notes == ["s0", "a0", "b0", "s1", "a1", "b1"]


def test_depth_comes_before_breadth_where_branches_join() -> None:
    diary = Diary()
    Stand(
        source("s", range(2), to=["a", "b"]),
        processor("a", diary.of("a")),
        processor("b", diary.of("b")),
        processor("c", diary.of("c")),
        consumer("d", diary.of("d")),
    ).outputs()
    assert diary.notes == ["a0", "b0", "c0", "d0", "c0", "d0", "a1", "b1", "c1", "d1", "c1", "d1"]


def test_depth_comes_before_breadth_where_items_are_dealt() -> None:
    diary = Diary()
    Stand(
        source("s", range(3), to=["a", "b"], routing="round_robin"),
        processor("a", diary.of("a")),
        processor("b", diary.of("b")),
        consumer("c", diary.of("c")),
    ).outputs()
    assert diary.notes == ["a0", "c0", "b1", "c1", "a2", "c2"]


def test_branches_of_other_segments_are_followed_in_the_order_of_the_targets() -> None:
    diary = Diary()
    Stand(
        source("s", [1], to=["b", "a"]),
        source("t", [2], to=["b", "a"]),
        consumer("a", diary.of("a")),
        consumer("b", diary.of("b")),
    ).outputs()
    assert diary.notes == ["b1", "a1", "b2", "a2"]


def test_one_producer_is_drawn_after_the_other() -> None:
    stand = Stand(source("s", [1, 2]), source("t", [3]), consumer("a"))
    assert stand.outputs() == [1, 2, 3]


def test_a_batch_goes_on_as_soon_as_it_is_full() -> None:
    diary = Diary()
    stages = [
        source("s", map(diary.of("s"), range(3))),
        batch("b", 2),
        consumer("c", diary.of("c")),
    ]
    assert Stand(*stages).outputs() == [[0, 1], [2]]
    assert diary.notes == ["s0", "s1", "c[0, 1]", "s2", "c[2]"]


def test_a_batch_of_batches_gives_all_that_is_left_at_the_end() -> None:
    assert Stand(source("s", range(5)), batch("b", 2), batch("c", 2)).outputs() == [
        [[0, 1], [2, 3]],
        [[4]],
    ]


def test_outputs_come_while_the_source_is_drawn() -> None:
    drawn: list[int] = []

    def numbers() -> Iterator[int]:
        for n in range(10):
            drawn.append(n)
            yield n

    outputs = one_by_one(Stand(source("s", numbers), processor("a")).run)
    assert next(outputs) == 0
    assert drawn == [0]
    outputs.close()  # type: ignore[attr-defined]


def test_a_source_is_closed_when_its_outputs_are_left() -> None:
    closed: list[bool] = []

    def numbers() -> Iterator[int]:
        try:
            yield from range(10)
        finally:
            closed.append(True)

    outputs = one_by_one(Stand(source("s", numbers), processor("a")).run)
    next(outputs)
    outputs.close()  # type: ignore[attr-defined]
    assert closed == [True]


def test_it_starts_no_thread() -> None:
    seen: set[threading.Thread] = set()
    before = threading.active_count()
    stages = [
        source("s", range(3)),
        batch("b", 2),
        consumer("c", lambda _: seen.add(threading.current_thread())),
    ]
    Stand(*stages).outputs()
    assert seen == {threading.current_thread()}
    assert threading.active_count() == before


def test_a_failure_ends_the_run_and_nothing_is_drawn_after_it() -> None:
    drawn: list[int] = []

    def numbers() -> Iterator[int]:
        for n in range(10):
            drawn.append(n)
            yield n

    stand = Stand(source("s", numbers), processor("a", lambda n: 1 // (n - 2)), wanted=False)
    assert stand.outputs() == []
    assert drawn == [0, 1, 2]
    assert [type(error) for error in stand.verdict.errors] == [ZeroDivisionError]
    assert stand.ledger.imbalances() == []


def test_items_on_their_way_to_other_segments_are_cancelled_by_a_failure() -> None:
    stand = Stand(
        source("s", [1], to=["a", "b"]),
        source("t", [2], to=["a", "b"]),
        consumer("a", lambda n: 1 // 0),
        consumer("b"),
    )
    assert stand.outputs() == []
    page = stand.ledger.snapshot()
    assert (page["a"].failed, page["b"].cancelled) == (1, 1)
    assert stand.ledger.imbalances() == []


def test_a_forgiven_failure_leaves_one_item_out() -> None:
    stand = Stand(source("s", [1, 0, 2]), processor("a", lambda n: 2 // n), policy="skip")
    assert stand.outputs() == [2, 1]
    assert stand.ledger.snapshot()["a"].skipped == 1


def test_a_cancelled_run_draws_no_more() -> None:
    stand = Stand(source("s", range(10)), processor("a"))
    outputs = one_by_one(stand.run)
    assert next(outputs) == 0
    stand.token.cancel("enough")
    assert list(outputs) == []


def test_a_cancelled_run_gives_up_what_its_batches_hold() -> None:
    stand = Stand(source("s", range(3)), batch("b", 2))
    outputs = one_by_one(stand.run)
    next(outputs)
    stand.token.cancel("enough")
    assert list(outputs) == []


def test_a_run_that_drains_ends_well_with_what_it_has() -> None:
    stand = Stand(source("s", range(10)), batch("b", 2))
    outputs = one_by_one(stand.run)
    got = [next(outputs)]
    stand.run.drain()
    got += outputs
    assert got == [[0, 1]]


def test_observers_hear_that_each_stage_has_ended() -> None:
    stand = Stand(source("s", range(3)), processor("a"), batch("b", 2))
    stand.outputs()
    ended = [event.stage for event in stand.events if isinstance(event, StageEnded)]
    assert sorted(ended) == ["a", "b", "s"]


# --------------------------------------------------------------------------- setup and teardown


class Life:
    """Options of a stage that notes when it is set up and torn down."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def of(self, name: str) -> dict[str, Any]:
        return {
            "setup": lambda: self.notes.append(f"set {name} up"),
            "teardown": lambda state: self.notes.append(f"tear {name} down"),
        }


def test_every_stage_is_set_up_before_the_first_item_and_torn_down_after_the_last() -> None:
    life = Life()

    def numbers() -> Iterator[int]:
        yield 1
        life.notes.append("drawn")

    stand = Stand(
        source("s", numbers, **life.of("s")),
        batch("b", 1),
        processor("a", lambda n: n, **life.of("a")),
    )
    assert stand.outputs() == [[1]]
    assert life.notes == ["set s up", "set a up", "drawn", "tear a down", "tear s down"]


def test_all_is_torn_down_when_the_outputs_are_left() -> None:
    life = Life()
    stand = Stand(source("s", range(9)), batch("b", 1), processor("a", len, **life.of("a")))
    outputs = one_by_one(stand.run)
    next(outputs)
    assert life.notes == ["set a up"]
    outputs.close()  # type: ignore[attr-defined]
    assert life.notes == ["set a up", "tear a down"]


def test_a_setup_that_raises_ends_the_run_before_anything_is_drawn() -> None:
    drawn: list[int] = []
    life = Life()

    def fail() -> None:
        raise OSError("no room")

    stand = Stand(
        source("s", map(drawn.append, [1]), **life.of("s")),
        batch("b", 1),
        processor("a", len, setup=fail),
    )
    assert stand.outputs() == []
    (error,) = stand.verdict.errors
    assert (str(error), error.__notes__) == ("no room", ["in the setup of stage 'a'"])
    assert drawn == []
    assert life.notes == ["set s up", "tear s down"]
    assert stand.ledger.imbalances() == []


def test_a_teardown_that_raises_is_an_error_of_the_run_and_the_others_follow() -> None:
    life = Life()

    def fail(state: None) -> None:
        raise OSError("no room")

    stand = Stand(
        source("s", [1], **life.of("s")),
        batch("b", 1),
        processor("a", len, setup=lambda: None, teardown=fail),
    )
    assert stand.outputs() == [1]
    (error,) = stand.verdict.errors
    assert (str(error), error.__notes__) == ("no room", ["in the teardown of stage 'a'"])
    assert life.notes == ["set s up", "tear s down"]


async def told_here(told: Any) -> Any:
    await asyncio.sleep(0)
    return [*(told[0] if isinstance(told, list) else []), current().stage]


INLINE_COROUTINES = (
    source("s", [0]),
    processor("a", told_here, execution="inline"),
    batch("b", 1),
    processor("c", told_here, execution="inline"),
)


def test_coroutines_of_every_segment_are_told_their_own_stage() -> None:
    assert Stand(*INLINE_COROUTINES).outputs() == [["a", "c"]]


def test_they_are_where_a_loop_runs_already() -> None:
    async def run() -> list[Any]:
        return Stand(*INLINE_COROUTINES).outputs()

    assert asyncio.run(run()) == [["a", "c"]]


def test_whoever_takes_the_outputs_is_no_stage() -> None:
    stand = Stand(source("s", range(3)), processor("a", lambda n: current().stage))
    for name in one_by_one(stand.run):
        assert name == "a"
        with pytest.raises(UsageError):
            current()


def test_a_stage_reaches_its_run_through_current() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        current().drain()
        yield 2
        raise AssertionError("drawn")

    stand = Stand(source("s", numbers), processor("a", lambda n: current().cancel is stand.token))
    assert stand.outputs() == [True, True]


# --------------------------------------------------------------------------- any pipeline


@st.composite
def pipelines(draw: st.DrawFn) -> list[DeclaredStage]:
    """Stages that are fed by any of those before them, some of which fail or filter."""
    stages: list[DeclaredStage] = [source("s0", range(draw(st.integers(0, 6))), to=[])]
    for number in range(1, draw(st.integers(2, 7))):
        feeders = sorted(draw(st.sets(st.integers(0, number - 1), min_size=1, max_size=2)))
        routing = draw(st.sampled_from(["broadcast", "round_robin"]))
        options: dict[str, Any] = {
            "from_": [f"s{n}" for n in feeders], "to": [], "routing": routing,
        }  # fmt: skip
        kind = draw(st.sampled_from(["batch", "processor", "filter", "fails", "consumer"]))
        if kind == "batch":
            stages.append(batch(f"s{number}", draw(st.integers(1, 3)), **options))
        else:
            make = consumer if kind == "consumer" else processor
            stages.append(make(f"s{number}", FUNCTIONS.get(kind, lambda item: item), **options))
    return stages


def odd_ones(item: Any) -> Any:
    return None if len(repr(item)) % 2 else item


def fails_on_some(item: Any) -> Any:
    if len(repr(item)) % 3 == 0:
        raise ValueError(item)
    return (item,)


FUNCTIONS = {"filter": odd_ones, "fails": fails_on_some}


@given(pipelines(), st.sampled_from(["skip", "fail"]))
def test_the_books_balance_whatever_the_pipeline(stages: list[DeclaredStage], policy: str) -> None:
    stand = Stand(*stages, policy=policy)
    outputs = stand.outputs()
    pages = stand.ledger.snapshot()
    assert stand.ledger.imbalances() == []
    graph = plan_of(*stages).graph.dag
    if not stand.verdict.errors:
        assert len(outputs) == sum(pages[name].emitted for name in graph.sinks())


@given(pipelines())
def test_it_is_the_same_every_time(stages: list[DeclaredStage]) -> None:
    assert Stand(*stages, policy="skip").outputs() == Stand(*stages, policy="skip").outputs()


@given(pipelines())
def test_every_stage_receives_what_was_sent_to_it(stages: list[DeclaredStage]) -> None:
    stand = Stand(*stages, policy="skip")
    stand.outputs()
    pages, graph = stand.ledger.snapshot(), plan_of(*stages).graph
    for name in graph.stages:
        feeders = graph.dag.predecessors(name)
        if feeders and all(graph.stages[f].options.routing == "broadcast" for f in feeders):
            assert pages[name].received == sum(pages[f].emitted for f in feeders)


def test_outputs_that_are_taken_one_by_one_are_in_the_books() -> None:
    def numbers() -> Iterator[int]:
        for number in range(40):
            drawn.append(number)
            yield number

    drawn: list[int] = []
    stand = Stand(source("s", numbers), processor("third", lambda n: n if n % 3 == 0 else None))
    for place, output in enumerate(outputs := one_by_one(stand.run)):
        assert (output, drawn[-1]) == (3 * place, 3 * place)  # nothing was drawn beyond it
        if place == 10:
            break
    outputs.close()
    assert stand.ledger.imbalances() == []
    book = stand.ledger.snapshot()["third"]
    assert (book.received, book.completed, book.filtered) == (31, 11, 20)


def test_a_failure_is_judged_before_the_next_item_is_drawn() -> None:
    def fails(number: int) -> int:
        if number == 3:
            raise ValueError(number)
        return number

    drawn: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(9):
            drawn.append(number)
            yield number

    stand = Stand(source("s", numbers), processor("fails", fails))
    assert list(one_by_one(stand.run)) == [0, 1, 2]
    assert drawn == [0, 1, 2, 3]
    assert [str(error) for error in stand.verdict.errors] == ["3"]

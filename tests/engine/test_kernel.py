"""A kernel runs items through a tree of stages, blames the right one, and counts every item."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from engine.growing import chain, grow
from engine.working import going_on, opened
from minigun_py import Pipeline, To
from minigun_py.contexts.answer import Harvest, StageCounts
from minigun_py.engine.kernel import SegmentKernel
from minigun_py.errors import UsageError, WorkerDied
from minigun_py.plan.segment import Exit, Segment
from minigun_py.testing.clock import VirtualClock
from plan.drawing import consumer, processor


def run(
    segment: Segment,
    items: Sequence[Any] = (),
    policy: str = "fail",
    wanted: Sequence[int] | None = None,
) -> Harvest:
    """Run one chunk and harvest it."""
    if wanted is None:
        wanted = range(len(segment.exits))
    kernel = SegmentKernel(segment, wanted, going_on(segment, policy))
    with opened(kernel) as worker:
        worker.run(segment.head.shape.call() if segment.is_source else list(items))  # type: ignore[attr-defined]
        return worker.harvest(0 if segment.is_source else len(items))


def double(n: int) -> int:
    return 2 * n


def even(n: int) -> int | None:
    return n if n % 2 == 0 else None


def up_to(n: int) -> Iterator[int]:
    yield from range(n)


def not_three(n: int) -> int:
    if n == 3:
        raise ValueError("three")
    return n


def blamed(harvest: Harvest) -> list[tuple[str, int, Any]]:
    return [(f.stage, f.index, f.item) for f in harvest.failures]


# --------------------------------------------------------------------------- what comes out


def test_an_item_falls_through_a_chain() -> None:
    assert run(chain({"double": double, "text": str}), [1, 2]).outputs == [["2", "4"]]


def test_none_ends_the_way_of_an_item() -> None:
    harvest = run(chain({"even": even, "double": double}), [1, 2, 3, 4])
    assert harvest.outputs == [[4, 8]]
    assert harvest.counts == [
        StageCounts(received=4, completed=2, filtered=2, emitted=2),
        StageCounts(received=2, completed=2, emitted=2),
    ]


@pytest.mark.parametrize("value", [False, 0, "", [], (), {}])
def test_empty_values_are_items_like_any_other(value: Any) -> None:
    assert run(chain({"a": lambda item: item, "b": lambda item: item}), [value]).outputs == [
        [value]
    ]


def test_none_is_an_item_where_it_is_yielded() -> None:
    def twice(item: object) -> Iterator[None]:
        yield None
        yield None

    assert run(chain({"twice": twice, "text": repr}), [1]).outputs == [["None", "None"]]


def test_a_generator_gives_many() -> None:
    harvest = run(chain({"up_to": up_to, "double": double}), [0, 1, 3])
    assert harvest.outputs == [[0, 0, 2, 4]]
    assert harvest.counts == [
        StageCounts(received=3, completed=2, filtered=1, emitted=4),
        StageCounts(received=4, completed=4, emitted=4),
    ]


def test_generators_nest() -> None:
    assert run(chain({"a": up_to, "b": up_to, "c": up_to}), [4]).outputs == [[0, 0, 0, 1]]


def test_output_gives_many_without_yielding() -> None:
    def both(item: int, output: Callable[[int], None]) -> None:
        output(item)
        output(-item)

    assert run(chain({"both": both}), [1, 2]).outputs == [[1, -1, 2, -2]]


def test_every_branch_of_a_fan_out_gets_every_item_in_turn() -> None:
    seen: list[tuple[str, int]] = []
    stages = [
        processor("double", double),
        consumer("a", lambda n: seen.append(("a", n))),
        consumer("b", lambda n: seen.append(("b", n))),
    ]
    run(grow(stages, [[1, 2], [], []]), [1, 2])
    assert seen == [("a", 2), ("b", 2), ("a", 4), ("b", 4)]


def test_a_filter_in_one_branch_takes_nothing_from_its_siblings() -> None:
    stages = [processor("a"), processor("even", even), processor("b")]
    assert run(grow(stages, [[1, 2], [], []]), [1, 2]).outputs == [[2], [1, 2]]


def test_a_fan_out_behind_a_generator_gets_each_value() -> None:
    stages = [processor("up_to", up_to), processor("a"), processor("b", double)]
    assert run(grow(stages, [[1, 2], [], []]), [3]).outputs == [[0, 1, 2], [0, 2, 4]]


def test_a_stage_in_the_middle_may_have_an_exit() -> None:
    stages = [processor("double", double), processor("text", str)]
    exits = [Exit(0, ("x",), "broadcast"), Exit(1, (), "broadcast")]
    assert run(grow(stages, [[1], []], exits), [1, 2]).outputs == [[2, 4], ["2", "4"]]


def test_an_exit_that_is_not_wanted_is_counted_and_not_kept() -> None:
    harvest = run(chain({"double": double}), [1, 2], wanted=[])
    assert harvest.outputs == []
    assert harvest.counts[0].emitted == 2


def test_a_consumer_filters_nothing() -> None:
    harvest = run(chain({"store": even}, ends=True), [1, 2], wanted=[])
    assert harvest.counts == [StageCounts(received=2, completed=2, emitted=1)]


def test_a_source_runs_its_items_through_its_segment() -> None:
    harvest = run(chain({"even": even}, items=[1, 2, 3]))
    assert harvest.outputs == [[2]]
    assert [counts.emitted for counts in harvest.counts] == [3, 1]
    assert harvest.counts[1].received == 3


def test_a_source_alone_gives_its_items() -> None:
    assert run(chain({}, items=[1, None])).outputs == [[1, None]]


def test_a_thousand_stages_in_a_row_are_not_too_deep() -> None:
    functions = {f"s{n}": double for n in range(1000)}
    assert run(chain(functions), [1]).outputs == [[2**1000]]


def test_exits_given_to_bind_get_the_outputs_at_once() -> None:
    segment = chain({"double": double})
    way_out: list[int] = []

    class Exitway:
        append = staticmethod(way_out.append)
        extend = staticmethod(way_out.extend)

    with opened(SegmentKernel(segment, [0], ()), [Exitway()]) as worker:
        worker.run([1, 2])
        assert way_out == [2, 4]
        assert worker.harvest(2).outputs == [[]]


def test_workers_share_nothing() -> None:
    kernel = SegmentKernel(chain({"double": double}), [0], ())
    with opened(kernel) as one, opened(kernel) as other:
        one.run([1])
        assert other.harvest(0).outputs == [[]]
        assert one.harvest(1).outputs == [[2]]


def test_a_harvest_begins_anew() -> None:
    with opened(SegmentKernel(chain({"three": not_three}), [0], ["three"])) as worker:
        worker.run([1, 3])
        first = worker.harvest(2)
        worker.run([2])
        second = worker.harvest(1)
    assert (first.outputs, second.outputs) == ([[1]], [[2]])
    assert second.failures == []
    assert second.counts == [StageCounts(received=1, completed=1, emitted=1)]


def test_the_time_of_a_chunk_is_measured() -> None:
    clock = VirtualClock()
    segment = chain({"slow": clock.advance})
    with opened(SegmentKernel(segment, [], (), clock)) as worker:
        worker.run([2, 3])
        assert worker.harvest(2).seconds == 5
        assert worker.harvest(0).seconds == 0


# --------------------------------------------------------------------------- failures


def test_a_failing_item_is_left_out_and_the_rest_goes_on() -> None:
    harvest = run(chain({"three": not_three, "double": double}), [1, 3, 2, 3], "skip")
    assert harvest.outputs == [[2, 4]]
    assert blamed(harvest) == [("three", 1, 3), ("three", 3, 3)]
    assert harvest.counts == [
        StageCounts(received=4, completed=2, failed=2, emitted=2),
        StageCounts(received=2, completed=2, emitted=2),
    ]


def test_a_failure_that_is_not_forgiven_ends_the_chunk() -> None:
    harvest = run(chain({"three": not_three}), [1, 3, 2, 4, 5])
    assert harvest.outputs == [[1]]
    assert harvest.counts == [
        StageCounts(received=5, completed=1, failed=1, cancelled=3, emitted=1)
    ]


def test_the_stage_that_failed_is_blamed_with_the_item_that_it_got() -> None:
    functions = {"plus": lambda n: n + 1, "three": not_three, "text": str}
    assert blamed(run(chain(functions), [0, 2, 5])) == [("three", 1, 3)]


def test_a_failure_behind_a_generator_has_the_index_of_the_item_it_came_from() -> None:
    harvest = run(chain({"up_to": up_to, "three": not_three}), [1, 2, 5, 4], "skip")
    assert blamed(harvest) == [("three", 2, 3), ("three", 3, 3)]
    assert harvest.outputs == [[0, 0, 1, 0, 1, 2, 4, 0, 1, 2]]


def test_a_generator_that_fails_midway_emits_nothing_of_that_item() -> None:
    def halves(n: int) -> Iterator[int]:
        yield n
        yield not_three(n)

    harvest = run(chain({"halves": halves}), [3, 1], "skip")
    assert harvest.outputs == [[1, 1]]
    assert blamed(harvest) == [("halves", 0, 3)]


def test_a_failure_in_one_branch_takes_nothing_from_its_siblings() -> None:
    stages = [processor("a"), processor("three", not_three), processor("b")]
    harvest = run(grow(stages, [[1, 2], [], []]), [1, 3], "skip")
    assert harvest.outputs == [[1], [1, 3]]


def test_an_end_cancels_the_branches_that_had_not_begun() -> None:
    stages = [processor("a"), processor("first"), processor("three", not_three), processor("last")]
    harvest = run(grow(stages, [[1, 2, 3], [], [], []]), [1, 3, 2])
    assert [(c.completed, c.failed, c.cancelled) for c in harvest.counts] == [
        (2, 0, 1),
        (2, 0, 0),
        (1, 1, 0),
        (1, 0, 1),
    ]


def test_an_end_deep_inside_cancels_what_every_loop_still_held() -> None:
    harvest = run(chain({"a": up_to, "three": not_three}), [2, 6, 9])
    assert [(c.received, c.completed, c.cancelled) for c in harvest.counts] == [
        (3, 2, 1),
        (8, 5, 2),
    ]


def test_the_traceback_of_a_failure_begins_in_the_stage() -> None:
    (failure,) = run(chain({"three": not_three}), [3]).failures
    traceback = failure.error.__traceback__
    assert traceback is not None
    assert traceback.tb_frame.f_code is not_three.__code__


def test_a_builtin_that_fails_is_blamed_too() -> None:
    assert blamed(run(chain({"number": int}), ["1", "x"])) == [("number", 1, "x")]


def test_wrong_use_of_the_library_is_not_forgiven() -> None:
    def wrong(n: int) -> None:
        raise UsageError("wrong")

    harvest = run(chain({"wrong": wrong}), [1, 2], "skip")
    assert harvest.counts == [StageCounts(received=2, failed=1, cancelled=1)]


@pytest.mark.parametrize(("code", "status"), [(3, 3), (None, 0), ("sorry", 1)])
def test_a_stage_that_exits_is_a_worker_that_died(code: Any, status: int) -> None:
    (failure,) = run(chain({"leave": lambda _: sys.exit(code)}), [1]).failures
    assert isinstance(failure.error, WorkerDied)
    assert failure.error.status == status
    assert str(failure.error) == f"the stage called sys.exit({code!r})"


def test_a_stage_that_exits_may_be_forgiven() -> None:
    def leave(n: int) -> int:
        return sys.exit(1) if n == 3 else n

    assert run(chain({"leave": leave}), [1, 3, 2], "skip").outputs == [[1, 2]]


@pytest.mark.parametrize("policy", ["fail", "skip"])
def test_what_is_no_exception_passes_through(policy: str) -> None:
    def stop(n: int) -> int:
        if n == 3:
            raise KeyboardInterrupt
        return n

    kernel = SegmentKernel(chain({"a": up_to, "stop": stop}), [0], ["a"] * (policy == "skip"))
    with opened(kernel) as worker:
        with pytest.raises(KeyboardInterrupt):
            worker.run([2, 6, 9])
        harvest = worker.harvest(3)
    assert harvest.outputs == [[0, 1, 0, 1, 2]]
    assert [(c.completed, c.failed, c.cancelled) for c in harvest.counts] == [(2, 0, 1), (5, 0, 3)]


def test_a_source_that_fails_ends() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    harvest = run(chain({"double": double}, items=numbers))
    assert harvest.outputs == [[2]]
    assert blamed(harvest) == [("items", 0, None)]
    assert (harvest.counts[0].emitted, harvest.counts[0].failed) == (1, 1)


def test_a_failure_far_down_the_chain_of_a_source_is_blamed() -> None:
    harvest = run(
        chain({"double": double, "three": not_three, "text": str}, items=[1, 1.5, 2]), (), "skip"
    )
    assert blamed(harvest) == [("three", 0, 3)]
    assert harvest.outputs == [["2", "4"]]


def test_a_source_is_drawn_no_further_after_an_end() -> None:
    drawn: list[int] = []

    def numbers() -> Iterator[int]:
        for n in range(10):
            drawn.append(n)
            yield n

    run(chain({"three": not_three}, items=numbers))
    assert drawn == [0, 1, 2, 3]


def twice(n: int) -> Iterator[int]:
    yield n
    yield -n


def three_by_output(n: int, output: Callable[[int], None]) -> int:
    output(n)
    output(n + 1)
    return n + 2


@pytest.mark.parametrize("deep", [1, 4, 5, 9, 12])
def test_loops_stand_in_each_other_however_deep(deep: int) -> None:
    segment = chain({f"s{n}": twice for n in range(deep)})
    harvest = run(segment, [1, 2])
    assert len(harvest.outputs[0]) == 2 * 2**deep
    assert harvest.counts[-1] == StageCounts(
        received=2**deep, completed=2**deep, emitted=2 * 2**deep
    )


@pytest.mark.parametrize("deep", [1, 4, 5, 9, 12])
@pytest.mark.parametrize("policy", ["fail", "skip"])
def test_the_innermost_stage_is_blamed_with_its_own_item(deep: int, policy: str) -> None:
    def fails(n: int) -> int:
        if n < 0:
            raise ValueError(n)
        return n

    stages = {f"s{n}": twice for n in range(deep)}
    harvest = run(chain({**stages, "fails": fails}), [1, 2], policy)
    first = harvest.failures[0]
    assert (first.stage, first.item, str(first.error)) == ("fails", -1, "-1")
    counts = harvest.counts[-1]
    assert counts.failed == len(harvest.failures) == (1 if policy == "fail" else 2**deep)
    assert counts.received == counts.completed + counts.failed + counts.cancelled


def once(n: int) -> Iterator[int]:
    yield n


@pytest.mark.parametrize("generators", [[once], [once, twice], [twice, once], [once] * 12])
def test_a_stage_behind_generators_may_say_where_its_values_go(
    generators: list[Callable[[int], Iterator[int]]],
) -> None:
    pipe, odd, even = Pipeline(), list[int](), list[int]()
    pipe.source([1, 2])
    for number, generator in enumerate(generators):
        pipe.processor(generator, name=f"generator {number}")

    @pipe.processor(routes=["odd"], to="even")
    def sort(n: int) -> int | To[int]:
        return To("odd", n) if n % 2 else n

    pipe.consumer(even.append, name="even")
    pipe.consumer(odd.append, name="odd")
    pipe.run(execution="inline")
    both = [-1] if twice in generators else []
    assert (odd, even) == ([1, *both], [2, *(2 * n for n in both)])


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 100])
def test_a_generator_may_give_any_number(count: int) -> None:
    segment = chain({"many": lambda n: (yield from range(n)), "text": str})
    assert run(segment, [count, 1]).outputs[0] == [*map(str, range(count)), "0"]


@pytest.mark.parametrize("after", [0, 1, 15, 16, 40])
def test_a_generator_that_fails_has_given_nothing(after: int) -> None:
    def breaks(n: int) -> Iterator[int]:
        yield from range(after)
        if n == 1:
            raise ValueError("broken")

    harvest = run(chain({"breaks": breaks, "text": str}), [1, 2], "skip")
    assert harvest.outputs[0] == [*map(str, range(after))]
    assert [(f.stage, f.item) for f in harvest.failures] == [("breaks", 1)]


def test_outputs_come_before_what_is_returned() -> None:
    segment = chain({"three": three_by_output, "again": three_by_output})
    assert run(segment, [0]).outputs[0] == [0, 1, 2, 1, 2, 3, 2, 3, 4]


def test_one_that_emits_and_then_fails_has_emitted_nothing() -> None:
    def breaks(n: int, output: Callable[[int], None]) -> None:
        output(n)
        raise ValueError("broken")

    harvest = run(chain({"breaks": breaks, "text": str}), [1], "skip")
    assert harvest.outputs[0] == []
    assert harvest.counts[1].received == 0


class Thing:
    """Something that somebody would notice if it was kept."""


@pytest.mark.parametrize("others", [0, 20], ids=["in place", "in functions"])
def test_of_an_item_that_gave_several_values_nothing_is_kept_when_the_next_one_runs(
    others: int,
) -> None:
    known = weakref.WeakSet[Thing]()
    alive: list[int] = []

    def split(n: int) -> Iterator[Thing]:
        things = [Thing() for _ in range(15 if n == 3 else 1)]
        known.update(things)
        yield from things

    def again(thing: Thing) -> Iterator[Thing]:
        yield thing

    def number(thing: Thing) -> int:
        return 0

    def look(n: int) -> None:
        gc.collect()
        alive.append(len(known))

    between = {f"double {n}": double for n in range(others)}
    run(
        chain({"split": split, "again": again, "number": number, **between, "look": look}), range(6)
    )
    assert len(alive) == 20
    assert max(alive[-2:]) <= 2  # its own, and the one before


@pytest.mark.parametrize("generators", [1, 9])
def test_the_code_of_many_stages_is_not_written_many_times(generators: int) -> None:
    stages: dict[str, Any] = {f"g{n}": once for n in range(generators)}
    segment = chain({**stages, **{f"s{n}": double for n in range(2000)}})
    kernel = SegmentKernel(segment, range(len(segment.exits)))
    assert sum(map(len, kernel.loops.blame)) < 1.5 * 2000

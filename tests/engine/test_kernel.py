"""A kernel runs items through a tree of stages, blames the right one, and counts every item."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.growing import chain, grow
from minigun_py.contexts.context import Harvest, StageCounts
from minigun_py.engine.kernel import SegmentKernel
from minigun_py.errors import UsageError, WorkerDied
from minigun_py.plan.segment import Exit, Segment
from minigun_py.plan.stage import Stage
from plan.drawing import consumer, processor, source
from support.clock import VirtualClock


def run(
    segment: Segment,
    items: Sequence[Any] = (),
    policy: str = "fail",
    wanted: Sequence[int] | None = None,
) -> Harvest:
    """Run one chunk and harvest it."""
    if wanted is None:
        wanted = range(len(segment.exits))
    kernel = SegmentKernel(segment, wanted, dict.fromkeys(segment.names, policy))
    worker = kernel.bind()
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


def balanced(counts: StageCounts) -> bool:
    return counts.received == counts.completed + counts.filtered + counts.failed + counts.cancelled


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

    worker = SegmentKernel(segment, [0], {}).bind([Exitway()])
    worker.run([1, 2])
    assert way_out == [2, 4]
    assert worker.harvest(2).outputs == [[]]


def test_workers_share_nothing() -> None:
    kernel = SegmentKernel(chain({"double": double}), [0], {})
    one, other = kernel.bind(), kernel.bind()
    one.run([1])
    assert other.harvest(0).outputs == [[]]
    assert one.harvest(1).outputs == [[2]]


def test_a_harvest_begins_anew() -> None:
    worker = SegmentKernel(chain({"three": not_three}), [0], {"three": "skip"}).bind()
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
    worker = SegmentKernel(segment, [], {}, clock).bind()
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

    kernel = SegmentKernel(chain({"a": up_to, "stop": stop}), [0], dict.fromkeys("ab", policy))
    worker = kernel.bind()
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


# --------------------------------------------------------------------------- a model


@dataclass
class Plant:
    """A stage of a random tree: what it makes of a number, when it fails, and what is below it."""

    kind: str
    policy: str
    fails_on: int | None
    below: list[int] = field(default_factory=list)
    consumes: bool = False
    has_exit: bool = False

    def gives(self, item: int) -> list[int]:
        """What it emits. Raises if it fails."""
        if self.fails_on is not None and item % 7 == self.fails_on:
            raise ValueError(item)
        if self.kind == "filter":
            return [item + 1] if item % 3 else []
        return [item + 2] if self.kind == "value" else [item + n for n in range(item % 4)]

    def function(self) -> Callable[..., Any]:
        """The same as a stage's function."""
        if self.kind == "many":
            return self._yields
        return lambda item: next(iter(self.gives(item)), None)

    def _yields(self, item: int) -> Iterator[int]:
        yield from self.gives(item)


@st.composite
def trees(draw: st.DrawFn) -> list[Plant]:
    kinds = st.sampled_from(["value", "value", "filter", "many"])
    fails_on = st.none() | st.integers(0, 6)
    policies = st.sampled_from(["skip", "skip", "fail"])
    plants: list[Plant] = []
    for number in range(draw(st.integers(1, 9))):
        plants.append(
            Plant(draw(kinds), draw(policies), draw(fails_on), has_exit=draw(st.booleans()))
        )
        if number:
            plants[draw(st.integers(0, number - 1))].below.append(number)
    for plant in plants:
        plant.consumes = draw(st.booleans())
    return plants


class Stop(Exception):
    """A failure that is not forgiven."""


class Model:
    """The same, one item after the other, in the plainest way."""

    def __init__(self, plants: list[Plant]) -> None:
        self.plants = plants
        self.outputs: dict[int, list[int]] = {n: [] for n, p in enumerate(plants) if p.has_exit}
        self.begun, self.failed, self.emitted, self.empty = (
            Counter(),
            Counter(),
            Counter(),
            Counter(),
        )
        self.failures: list[tuple[str, int, int]] = []

    def run(self, items: list[int]) -> None:
        try:
            for index, item in enumerate(items):
                self.visit(0, item, index)
        except Stop:
            pass

    def visit(self, number: int, item: int, index: int) -> None:
        plant = self.plants[number]
        self.begun[number] += 1
        try:
            given = plant.gives(item)
        except ValueError:
            self.failed[number] += 1
            self.failures.append((f"s{number}", index, item))
            if plant.policy == "fail":
                raise Stop from None
            return
        self.emitted[number] += len(given)
        self.empty[number] += not given
        if plant.has_exit:
            self.outputs[number] += given
        for value in given:
            for below in plant.below:
                self.visit(below, value, index)

    def counts(self, items: int) -> list[StageCounts]:
        above = {below: n for n, plant in enumerate(self.plants) for below in plant.below}
        return [
            self._counts(n, self.emitted[above[n]] if n else items) for n in range(len(self.plants))
        ]

    def _counts(self, n: int, received: int) -> StageCounts:
        filtered = 0 if self.plants[n].consumes else self.empty[n]
        return StageCounts(
            received=received,
            completed=self.begun[n] - self.failed[n] - filtered,
            filtered=filtered,
            failed=self.failed[n],
            cancelled=received - self.begun[n],
            emitted=self.emitted[n],
        )


def kernel_of(plants: list[Plant], *first: Stage) -> SegmentKernel:
    """The kernel of a tree, below `first` if given."""
    shift = len(first)
    stages = [
        *first,
        *(
            (consumer if plant.consumes else processor)(f"s{n}", plant.function())
            for n, plant in enumerate(plants)
        ),
    ]
    below = [*([[1]] * shift), *([n + shift for n in plant.below] for plant in plants)]
    exits = [
        Exit(n + shift, ("x",), "broadcast") for n, plant in enumerate(plants) if plant.has_exit
    ]
    policies = {f"s{n}": plant.policy for n, plant in enumerate(plants)}
    return SegmentKernel(grow(stages, below, exits), range(len(exits)), policies)


numbers = st.lists(st.integers(0, 50), max_size=8)


@given(trees(), numbers)
def test_a_kernel_does_what_its_stages_do_one_by_one(plants: list[Plant], items: list[int]) -> None:
    model = Model(plants)
    model.run(items)
    worker = kernel_of(plants).bind()
    worker.run(items)
    harvest = worker.harvest(len(items))
    assert harvest.outputs == list(model.outputs.values())
    assert blamed(harvest) == model.failures
    assert harvest.counts == model.counts(len(items))
    assert all(map(balanced, harvest.counts))


@given(trees(), numbers)
def test_it_does_the_same_when_only_an_iterator_tells_the_index(
    plants: list[Plant], items: list[int]
) -> None:
    model = Model(plants)
    model.run(items)
    running = [-1]

    def each() -> Iterator[int]:
        for running[0], item in enumerate(items):
            yield item

    worker = kernel_of(plants).bind()
    worker.run(each(), lambda: running[0])
    harvest = worker.harvest(len(items))
    assert blamed(harvest) == model.failures
    assert harvest.counts == model.counts(len(items))


@given(trees(), numbers)
def test_it_does_the_same_below_a_source(plants: list[Plant], items: list[int]) -> None:
    model = Model(plants)
    model.run(items)
    worker = kernel_of(plants, source("items")).bind()
    worker.run(iter(items))
    harvest = worker.harvest(0)
    drawn = harvest.counts[0].emitted
    assert harvest.outputs == list(model.outputs.values())
    assert drawn == model.begun[0]
    assert harvest.counts[1:] == model.counts(drawn)


@given(trees(), st.lists(numbers, max_size=4))
def test_chunks_make_no_difference_while_nothing_ends(
    plants: list[Plant], chunks: list[list[int]]
) -> None:
    for plant in plants:
        plant.policy = "skip"
    model = Model(plants)
    worker = kernel_of(plants).bind()
    outputs: list[list[int]] = [[] for _ in model.outputs]
    total = [StageCounts() for _ in plants]
    for chunk in chunks:
        model.run(chunk)
        worker.run(chunk)
        harvest = worker.harvest(len(chunk))
        for mine, new in zip(outputs, harvest.outputs, strict=True):
            mine.extend(new)
        for counts, more in zip(total, harvest.counts, strict=True):
            counts.add(more)
    assert outputs == list(model.outputs.values())
    assert total == model.counts(sum(map(len, chunks)))


@given(trees(), numbers, st.integers(0, 6))
def test_the_books_balance_when_the_run_is_interrupted(
    plants: list[Plant], items: list[int], fatal: int
) -> None:
    last = plants[-1]
    gives = last.gives

    def interrupted(item: int) -> list[int]:
        if item % 7 == fatal:
            raise KeyboardInterrupt
        return gives(item)

    last.gives = interrupted  # type: ignore[method-assign]
    worker = kernel_of(plants).bind()
    with contextlib.suppress(KeyboardInterrupt):
        worker.run(items)
    assert all(map(balanced, worker.harvest(len(items)).counts))

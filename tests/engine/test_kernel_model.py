"""Whatever the tree of stages, a kernel does what they do one by one, called or awaited."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import astuple, dataclass, field
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.growing import grow
from engine.working import Awaiting, awaiting, opened
from minigun_py.contexts.answer import Harvest, StageCounts
from minigun_py.engine.bound_segment import BoundSegment
from minigun_py.engine.kernel import SegmentKernel
from minigun_py.plan.segment import Exit
from minigun_py.plan.stage import DeclaredStage
from plan.drawing import consumer, processor, source


class Mode(Enum):
    """How the stages are written, and how a worker runs them."""

    CALLED = "plain functions, called"
    RUN_TO_THE_END = "coroutines, each run to its end by a worker that calls"
    AWAITED = "coroutines, awaited on a loop"


@dataclass
class Plant:
    """A stage of a random tree: what it makes of a number, when it fails, and what is below it."""

    kind: str
    policy: str
    fails_on: int | None
    too_late: int = 0
    """So many values are emitted before it fails, and are nobody's."""
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

    def function(self, mode: Mode) -> Callable[..., Any]:
        """The same as a stage's function."""
        called, later = {
            "many": (self._yields, self._yields_later),
            "emit": (self._emits, self._emits_later),
        }.get(self.kind, (self._returns, self._returns_later))
        return called if mode is Mode.CALLED else later

    def _returns(self, item: int) -> int | None:
        return next(iter(self.gives(item)), None)

    def _before_it_fails(self, item: int) -> list[int]:
        fails = self.fails_on is not None and item % 7 == self.fails_on
        return [item] * self.too_late if fails else []

    def _yields(self, item: int) -> Iterator[int]:
        yield from self._before_it_fails(item)
        yield from self.gives(item)

    def _emits(self, item: int, output: Callable[[int], None]) -> int | None:
        for value in self._before_it_fails(item):
            output(value)
        *most, last = self.gives(item) or [None]
        for value in most:
            output(value)
        return last

    async def _returns_later(self, item: int) -> int | None:
        await asyncio.sleep(0)
        return self._returns(item)

    async def _yields_later(self, item: int) -> AsyncIterator[int]:
        for value in self._before_it_fails(item):
            yield value
        for value in self.gives(item):
            await asyncio.sleep(0)
            yield value

    async def _emits_later(self, item: int, output: Callable[[int], None]) -> int | None:
        await asyncio.sleep(0)
        return self._emits(item, output)


@st.composite
def trees(draw: st.DrawFn) -> list[Plant]:
    kinds = st.sampled_from(["value", "value", "filter", "many", "emit"])
    fails_on = st.none() | st.integers(0, 6)
    policies = st.sampled_from(["skip", "skip", "fail"])
    plants: list[Plant] = []
    for number in range(draw(st.integers(1, 9))):
        plants.append(Plant(draw(kinds), draw(policies), draw(fails_on), draw(st.integers(0, 2))))
        plants[number].has_exit = draw(st.booleans())
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
        self.begun, self.failed, self.emitted, self.empty = (Counter() for _ in range(4))
        self.interrupted: Counter[int] = Counter()
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
        except KeyboardInterrupt:
            self.interrupted[number] += 1
            raise
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
            completed=self.begun[n] - self.failed[n] - self.interrupted[n] - filtered,
            filtered=filtered,
            failed=self.failed[n],
            cancelled=received - self.begun[n] + self.interrupted[n],
            emitted=self.emitted[n],
        )


def kernel_of(plants: list[Plant], *first: DeclaredStage, mode: Mode) -> SegmentKernel:
    """The kernel of a tree, below `first` if given."""
    shift = len(first)
    stages = [
        *first,
        *(
            (consumer if plant.consumes else processor)(f"s{n}", plant.function(mode))
            for n, plant in enumerate(plants)
        ),
    ]
    below = [*([[1]] * shift), *([n + shift for n in plant.below] for plant in plants)]
    exits = [
        Exit(n + shift, ("x",), "broadcast") for n, plant in enumerate(plants) if plant.has_exit
    ]
    going_on = {f"s{n}" for n, plant in enumerate(plants) if plant.policy == "skip"}
    segment = grow(stages, below, exits)
    return SegmentKernel(segment, range(len(exits)), going_on, awaits=mode is Mode.AWAITED)


def worker_of(
    plants: list[Plant], mode: Mode
) -> AbstractContextManager[BoundSegment] | AbstractContextManager[Awaiting]:
    """A worker that is ready for a tree."""
    kernel = kernel_of(plants, mode=mode)
    return awaiting(kernel) if mode is Mode.AWAITED else opened(kernel)


def blamed(harvest: Harvest) -> list[tuple[str, int, Any]]:
    return [(f.stage, f.index, f.item) for f in harvest.failures]


def balanced(counts: StageCounts) -> bool:
    return counts.received == counts.completed + counts.filtered + counts.failed + counts.cancelled


numbers = st.lists(st.integers(0, 50), max_size=8)
in_every_mode = pytest.mark.parametrize("mode", Mode)
where_stages_are_called = pytest.mark.parametrize("mode", [Mode.CALLED, Mode.RUN_TO_THE_END])


@in_every_mode
@given(trees(), numbers)
def test_a_kernel_does_what_its_stages_do_one_by_one(
    mode: Mode, plants: list[Plant], items: list[int]
) -> None:
    model = Model(plants)
    model.run(items)
    with worker_of(plants, mode) as worker:
        worker.run(items)
        harvest = worker.harvest(len(items))
    assert harvest.outputs == list(model.outputs.values())
    assert blamed(harvest) == model.failures
    assert harvest.counts == model.counts(len(items))
    assert all(map(balanced, harvest.counts))


@where_stages_are_called
@given(trees(), numbers)
def test_it_does_the_same_when_only_an_iterator_tells_the_index(
    mode: Mode, plants: list[Plant], items: list[int]
) -> None:
    model = Model(plants)
    model.run(items)
    running = [-1]

    def each() -> Iterator[int]:
        for running[0], item in enumerate(items):
            yield item

    with opened(kernel_of(plants, mode=mode)) as worker:
        worker.run(each(), lambda: running[0])
        harvest = worker.harvest(len(items))
    assert blamed(harvest) == model.failures
    assert harvest.counts == model.counts(len(items))


@where_stages_are_called
@given(trees(), numbers)
def test_it_does_the_same_below_a_source(mode: Mode, plants: list[Plant], items: list[int]) -> None:
    model = Model(plants)
    model.run(items)
    with opened(kernel_of(plants, source("items"), mode=mode)) as worker:
        worker.run(iter(items))
        harvest = worker.harvest(0)
    drawn = harvest.counts[0].emitted
    assert harvest.outputs == list(model.outputs.values())
    assert drawn == model.begun[0]
    assert harvest.counts[1:] == model.counts(drawn)


@in_every_mode
@given(trees(), st.lists(numbers, max_size=4))
def test_chunks_make_no_difference_while_nothing_ends(
    mode: Mode, plants: list[Plant], chunks: list[list[int]]
) -> None:
    for plant in plants:
        plant.policy = "skip"
    model = Model(plants)
    outputs: list[list[int]] = [[] for _ in model.outputs]
    total = [StageCounts() for _ in plants]
    with worker_of(plants, mode) as worker:
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


@in_every_mode
@given(trees(), numbers, st.integers(0, 6))
def test_an_interruption_cancels_the_item_it_hit_and_what_had_not_begun(
    mode: Mode, plants: list[Plant], items: list[int], fatal: int
) -> None:
    last = plants[-1]
    gives = last.gives

    def interrupted(item: int) -> list[int]:
        if item % 7 == fatal:
            raise KeyboardInterrupt
        return gives(item)

    last.gives = interrupted  # type: ignore[method-assign]
    model = Model(plants)
    with contextlib.suppress(KeyboardInterrupt):
        model.run(items)
    with worker_of(plants, mode) as worker:
        with contextlib.suppress(KeyboardInterrupt):
            worker.run(items)
        harvest = worker.harvest(len(items))
    assert harvest.counts == model.counts(len(items))
    assert blamed(harvest) == model.failures
    assert all(map(balanced, harvest.counts))


@given(trees(), numbers, st.integers(0, 6))
def test_the_books_balance_when_the_task_is_cancelled(
    plants: list[Plant], items: list[int], cut: int
) -> None:
    last = plants[-1]
    gives = last.gives
    tasks: list[asyncio.Task[None]] = []

    def cancelling(item: int) -> list[int]:
        if item % 7 == cut:
            tasks[0].cancel()
        return gives(item)

    last.gives = cancelling  # type: ignore[method-assign]
    kernel = kernel_of(plants, mode=Mode.AWAITED)

    async def run_in_a_task(worker: Awaiting) -> None:
        tasks.append(asyncio.create_task(worker.worker.run(items)))
        await asyncio.wait(tasks)

    with awaiting(kernel) as worker:
        worker.runner.run(run_in_a_task(worker))
        harvest = worker.harvest(len(items))
    assert all(map(balanced, harvest.counts))
    assert all(min(astuple(counts)) >= 0 for counts in harvest.counts)
    assert not any(isinstance(f.error, RuntimeError) for f in harvest.failures)

"""A stage that takes an iterator draws its items itself, turn by turn."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from engine.growing import grow
from engine.working import going_on
from minigun_py import current
from minigun_py.contexts.answer import Harvest, StageCounts
from minigun_py.engine.bound_stream import BoundStream
from minigun_py.engine.kernel import SegmentKernel
from minigun_py.errors import ChannelAborted
from minigun_py.testing.clock import VirtualClock
from plan.drawing import accumulator, consumer, processor


class Turns:
    """Chunks one after the other; what came of each is kept when the next is asked for."""

    def __init__(self, *chunks: Sequence[Any] | BaseException) -> None:
        self._chunks = iter(chunks)
        self._size: int | None = None
        self.worker: BoundStream
        self.harvests: list[Harvest] = []

    def next(self) -> Iterable[Any] | None:
        chunk = next(self._chunks, None)
        if chunk is None:  # what comes in the end belongs to the last one
            return None
        self.hand_in()
        if isinstance(chunk, BaseException):
            raise chunk
        self._size = len(chunk)
        return chunk

    def hand_in(self) -> None:
        if self._size is not None:
            self.harvests.append(self.worker.harvest(self._size))
            self._size = None

    flush, attempt = False, 1

    def put_out(self, way_out: int, values: list[Any]) -> None:
        raise AssertionError("nothing leaves at once here")

    def running(self) -> int:
        return 0

    @property
    def outputs(self) -> list[Any]:
        """What came of each chunk."""
        return [harvest.outputs[0] for harvest in self.harvests]


@contextmanager
def drawing(
    function: Callable[..., Any], *below: Any, policy: str = "fail", **options: Any
) -> Iterator[BoundStream]:
    """A worker whose first stage is this function; stages below it are a chain."""
    stages = [accumulator("a", function, **options), *below]
    children = [[n + 1] for n in range(len(below))]
    segment = grow(stages, [*children, []])
    kernel = SegmentKernel(segment, [0], going_on(segment, policy), VirtualClock())
    worker = kernel.bind()
    assert isinstance(worker, BoundStream)
    try:
        worker.open()
        yield worker
    finally:
        worker.close()


def worked(worker: BoundStream, *chunks: Sequence[Any] | BaseException) -> Turns:
    """The turns of a worker that has worked through these chunks."""
    turns = Turns(*chunks)
    turns.worker = worker
    worker.work(turns)
    turns.hand_in()
    return turns


def double(items: Iterator[int]) -> Iterator[int]:
    for item in items:
        yield 2 * item


def total(items: Iterator[int]) -> Iterator[int]:
    yield sum(items)


def first(items: Iterator[int]) -> Iterator[int]:
    yield next(items)


# --------------------------------------------------------------------------- what it gives


def test_an_output_belongs_to_the_turn_in_which_it_was_given() -> None:
    with drawing(double) as worker:
        assert worked(worker, [1, 2], [3]).outputs == [[2, 4], [6]]


def test_what_is_given_in_the_end_belongs_to_the_last_turn() -> None:
    with drawing(total) as worker:
        assert worked(worker, [1, 2], [3], []).outputs == [[], [], [6]]


def test_a_stage_that_gets_nothing_still_gives_what_it_has_to() -> None:
    with drawing(total) as worker:
        assert worked(worker, []).outputs == [[0]]


def test_a_stage_that_wants_no_more_ends_and_its_items_are_done_with() -> None:
    with drawing(first) as worker:
        turns = worked(worker, [1, 2], [3])
    assert turns.outputs == [[1], []]
    assert [h.counts[0].received for h in turns.harvests] == [2, 1]


def test_none_and_empty_values_are_given_like_any_other() -> None:
    def nothings(items: Iterator[Any]) -> Iterator[Any]:
        for _ in items:
            yield from (None, [], False)

    with drawing(nothings) as worker:
        assert worked(worker, [1]).outputs == [[None, [], False]]


def test_a_function_that_returns_an_iterable_is_as_good() -> None:
    with drawing(lambda items: map(str, items)) as worker:
        assert worked(worker, [1, 2]).outputs == [["1", "2"]]


def test_an_asynchronous_one_is_driven_too() -> None:
    async def double(items: AsyncIterator[int]) -> AsyncIterator[int]:
        async for item in items:
            yield 2 * item

    with drawing(double) as worker:
        assert worked(worker, [1, 2], [3]).outputs == [[2, 4], [6]]


def test_an_output_is_dealt_with_before_the_next_is_asked_for() -> None:
    diary: list[str] = []

    def note(items: Iterator[int]) -> Iterator[int]:
        for item in items:
            diary.append(f"a{item}")
            yield item

    def after(item: int) -> None:
        diary.append(f"b{item}")

    with drawing(note, consumer("b", after)) as worker:
        worked(worker, [1, 2])
    assert diary == ["a1", "b1", "a2", "b2"]


def test_it_gets_the_state_that_its_setup_made() -> None:
    def with_state(items: Iterator[int], state: list[str]) -> Iterator[tuple[str, int]]:
        for item in items:
            yield state[0], item

    with drawing(with_state, setup=lambda: ["mine"]) as worker:
        assert worked(worker, [1]).outputs == [[("mine", 1)]]


def test_code_in_it_and_after_it_learns_where_it_runs() -> None:
    def where(items: Iterator[int]) -> Iterator[str]:
        for _ in items:
            yield current().stage

    seen: list[str] = []

    def after(name: str) -> None:
        seen.append(f"{name} {current().stage}")

    with drawing(where, consumer("b", after)) as worker:
        worked(worker, [1])
    assert seen == ["a b"]


# --------------------------------------------------------------------------- what it counts


def test_items_are_completed_and_outputs_are_emitted() -> None:
    with drawing(total) as worker:
        (harvest,) = worked(worker, [1, 2, 3]).harvests
    assert harvest.counts == [StageCounts(received=3, completed=3, emitted=1)]


def test_what_follows_received_what_it_emitted() -> None:
    with drawing(double, processor("b", lambda n: n if n > 2 else None)) as worker:
        (harvest,) = worked(worker, [1, 2]).harvests
    assert harvest.counts[1] == StageCounts(received=2, completed=1, filtered=1, emitted=1)


def test_it_tells_how_many_items_it_has_drawn_since_it_gave_something() -> None:
    def pairs(items: Iterator[int]) -> Iterator[tuple[int, int]]:
        for item in items:
            yield item, next(items)

    with drawing(pairs) as worker:
        turns = worked(worker, [1], [2, 3], [])
    assert [harvest.held for harvest in turns.harvests][:2] == [1, 1]


def test_items_that_it_wants_no_more_it_does_not_keep() -> None:
    with drawing(first) as worker:
        turns = worked(worker, [1, 2], [3])
    assert turns.harvests[-1].held == 0


# --------------------------------------------------------------------------- what goes wrong


def failing(items: Iterator[int]) -> Iterator[int]:
    for item in items:
        if item == 2:
            raise ValueError(item)
        yield item


def test_an_error_fails_the_item_that_was_drawn_last() -> None:
    with drawing(failing) as worker:
        (harvest,) = worked(worker, [1, 2, 3]).harvests
    (failure,) = harvest.failures
    assert (failure.stage, failure.item, failure.index) == ("a", 2, 1)
    assert harvest.outputs == [[1]]


def test_an_error_leaves_the_rest_of_the_turn_cancelled_and_the_books_balanced() -> None:
    with drawing(failing) as worker:
        (harvest,) = worked(worker, [1, 2, 3]).harvests
    counts = harvest.counts[0]
    assert counts == StageCounts(received=3, completed=1, failed=1, cancelled=1, emitted=1)


def test_an_error_in_what_follows_is_of_that_stage() -> None:
    def refuse(item: int) -> int:
        raise ValueError(item)

    with drawing(double, processor("b", refuse), policy="skip") as worker:
        (harvest,) = worked(worker, [1, 2]).harvests
    assert [(f.stage, f.item) for f in harvest.failures] == [("b", 2), ("b", 4)]
    assert harvest.counts[0].completed == 2


def test_what_a_turn_raises_goes_past_the_stage() -> None:
    caught: list[BaseException] = []

    def catches(items: Iterator[int]) -> Iterator[int]:
        try:
            yield from items
        except Exception as error:
            caught.append(error)

    with drawing(catches) as worker, pytest.raises(ChannelAborted):
        worked(worker, [1], ChannelAborted("enough"))
    assert caught == []


# --------------------------------------------------------------------------- its end


def closing(closed: list[str]) -> Callable[[Iterator[int]], Iterator[int]]:
    def stage(items: Iterator[int]) -> Iterator[int]:
        try:
            yield from items
        finally:
            closed.append("closed")

    return stage


def test_a_stage_that_was_let_to_its_end_is_not_closed_again() -> None:
    closed: list[str] = []
    with drawing(closing(closed)) as worker:
        worked(worker, [1])
        assert closed == ["closed"]
    assert closed == ["closed"]


def test_a_stage_that_was_not_let_to_its_end_is_closed_with_its_worker() -> None:
    closed: list[str] = []
    with drawing(closing(closed)) as worker:
        turns = Turns([1, 2])
        turns.worker = worker
        worker.begin(turns)
        worker.advance(1)
        assert closed == []
    assert closed == ["closed"]


def test_an_asynchronous_stage_is_closed_with_its_worker() -> None:
    closed: list[str] = []

    async def stage(items: AsyncIterator[int]) -> AsyncIterator[int]:
        try:
            async for item in items:
                yield item
        finally:
            closed.append("closed")

    with drawing(stage) as worker:
        turns = Turns([1, 2])
        turns.worker = worker
        worker.begin(turns)
        worker.advance(1)
    assert closed == ["closed"]


def test_a_stage_is_closed_before_its_state_is_torn_down() -> None:
    order: list[str] = []

    def stage(items: Iterator[int], state: None) -> Iterator[int]:
        try:
            yield from items
        finally:
            order.append("closed")

    with drawing(stage, setup=lambda: None, teardown=lambda _: order.append("torn down")) as worker:
        turns = Turns([1, 2])
        turns.worker = worker
        worker.begin(turns)
        worker.advance(1)
    assert order == ["closed", "torn down"]


def test_a_stage_that_asks_for_more_while_it_is_closed_gets_nothing() -> None:
    def greedy(items: Iterator[int]) -> Iterator[int]:
        try:
            yield next(items)
        finally:
            list(items)

    with drawing(greedy) as worker:
        turns = Turns([1], ChannelAborted("enough"))
        turns.worker = worker
        worker.begin(turns)
        worker.advance(1)

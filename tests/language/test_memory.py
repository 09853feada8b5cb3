"""Memory is bounded: by the bytes that wait in queues, and by what comes of one item."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from minigun_py import Output, Pipeline, PipelineFailed, To, UsageError

KINDS = ("inline", "thread", "fork", "process")
COUNT, SIZE = 220, 100_000
"""What comes of an item: more than stays in memory."""

in_some_kinds = pytest.mark.parametrize("kind", KINDS)


def parts(number: int) -> Iterator[bytes]:
    for part in range(COUNT):
        yield part.to_bytes(2, "little") + number.to_bytes(2, "little") + bytes(SIZE)


def told(values: Iterable[bytes]) -> list[tuple[int, int]]:
    """The item that each value came of, and which of its parts it is."""
    return [(int.from_bytes(v[2:4], "little"), int.from_bytes(v[:2], "little")) for v in values]


def all_of(*numbers: int) -> list[tuple[int, int]]:
    return [(number, part) for number in numbers for part in range(COUNT)]


# --------------------------------------------------------------------------- what comes of an item


@in_some_kinds
def test_however_much_comes_of_an_item_arrives_in_order(kind: str) -> None:
    pipe = Pipeline("large")
    pipe.source([1, 2])
    pipe.processor(parts, execution=kind, ordered=True)
    assert told(pipe.collect()) == all_of(1, 2)


def test_coroutines_may_give_as_much() -> None:
    pipe = Pipeline("large")
    pipe.source([1])

    @pipe.processor
    async def spread(number: int) -> AsyncIterator[bytes]:
        for part in parts(number):
            yield part

    assert told(pipe.collect()) == all_of(1)


@in_some_kinds
def test_so_may_what_emits_by_output(kind: str) -> None:
    pipe = Pipeline("large")
    pipe.source([1])

    @pipe.processor(execution=kind)
    def spread(number: int, output: Output[bytes]) -> None:
        for part in parts(number):
            output(part)

    assert told(pipe.collect()) == all_of(1)


@in_some_kinds
def test_a_small_item_beside_a_large_one_keeps_its_place(kind: str) -> None:
    def some(number: int) -> Iterator[bytes]:
        yield from parts(number) if number == 2 else [bytes([0, 0, number, 0])]

    pipe = Pipeline("large")
    pipe.source(range(5))
    pipe.processor(some, execution=kind, chunk=5, ordered=True)
    assert told(pipe.collect()) == [(0, 0), (1, 0), *all_of(2), (3, 0), (4, 0)]


@in_some_kinds
def test_of_an_item_that_fails_late_nothing_is_delivered(kind: str) -> None:
    def fails_late(number: int) -> Iterator[bytes]:
        yield from parts(number)
        if number == 2:
            raise ValueError(number)

    pipe = Pipeline("large")
    pipe.source([1, 2, 3])
    pipe.processor(fails_late, execution=kind, on_error="skip", ordered=True)
    assert told(pipe.collect()) == all_of(1, 3)


@in_some_kinds
def test_what_is_made_of_it_in_the_same_context_is_as_large(kind: str) -> None:
    pipe = Pipeline("large")
    pipe.source([1])
    pipe.processor(parts, execution=kind)
    pipe.processor(bytearray, name="copy")
    pipe.processor(bytes, name="again")
    assert len(pipe.plan().segments) <= 2
    assert told(pipe.collect()) == all_of(1)


@in_some_kinds
def test_several_stages_may_get_it(kind: str) -> None:
    pipe = Pipeline("large")
    pipe.source([1])
    pipe.processor(parts, execution=kind, to=["one", "other"])
    pipe.processor(len, name="one", to=[])
    pipe.consumer(lambda value: told([value])[0], name="other", execution="thread")
    given = pipe.collect()
    assert sorted(v for v in given if isinstance(v, tuple)) == all_of(1)
    assert len(given) == 2 * COUNT


@in_some_kinds
def test_it_may_be_sent_by_name(kind: str) -> None:
    def sorted_out(number: int) -> Iterator[Any]:
        for place, part in enumerate(parts(number)):
            yield To("aside", part) if place % 2 else part

    pipe = Pipeline("large")
    pipe.source([1])
    pipe.processor(sorted_out, execution=kind, to="usual", routes="aside")
    pipe.processor(bytes, name="usual", to=[])
    pipe.processor(bytes, name="aside", to=[])
    assert sorted(told(pipe.collect())) == all_of(1)


@in_some_kinds
def test_it_may_come_back_in_a_loop(kind: str) -> None:
    def round_about(number: Any) -> Iterator[Any]:
        if isinstance(number, bytes):
            yield number
        else:
            yield from (To("round_about", part) for part in parts(number))

    pipe = Pipeline("large")
    pipe.source([1])
    pipe.processor(round_about, execution=kind, feedback="round_about", to=[])
    assert sorted(told(pipe.collect())) == all_of(1)


@in_some_kinds
def test_it_is_told_apart_where_items_are_tracked(kind: str, tmp_path: Path) -> None:
    pipe = Pipeline("large")
    pipe.source([1, 2])
    pipe.processor(parts, execution=kind, chunk=2)

    @pipe.consumer(on_error="skip")
    def check(value: bytes) -> None:
        if told([value]) == [(2, COUNT - 1)]:
            raise ValueError("the last part")

    pipe.run(checkpoint=tmp_path / "job.db")
    assert pipe.run(checkpoint=tmp_path / "job.db").already_finished == 1


@pytest.mark.parametrize("kind", ["fork", "process"])
def test_a_part_that_cannot_cross_fails_its_item_and_no_other(kind: str) -> None:
    def unsendable(number: int) -> Iterator[Any]:
        yield from parts(number)
        if number == 2:
            yield threading.Lock()

    pipe = Pipeline("large")
    pipe.source([1, 2, 3])
    pipe.processor(unsendable, execution=kind, on_error="skip", chunk=3, ordered=True)
    with pipe.stream() as stream:
        assert told(stream) == all_of(1, 3)
    assert [failed.item for failed in stream.report.failures] == [2]


def test_a_stream_stage_may_give_much_for_one_item() -> None:
    def spread(numbers: Iterator[int]) -> Iterator[bytes]:
        for number in numbers:
            for _ in range(10):
                yield from parts(number)

    pipe = Pipeline("large")
    pipe.source([1])
    pipe.processor(spread, stream=True, execution="fork")
    assert told(pipe.collect()) == all_of(1) * 10


def test_what_is_left_at_a_cut_is_in_the_books() -> None:
    pipe = Pipeline("large")
    pipe.source([1])
    pipe.processor(parts, to=["one", "other"])
    pipe.processor(len, name="one", to=[])

    @pipe.consumer
    def other(value: bytes) -> None:
        raise ValueError("enough")

    with pytest.raises(PipelineFailed) as caught:
        pipe.run(execution="inline")
    assert len(caught.value.exceptions) == 1
    report = caught.value.report
    assert report["one"].received == report["other"].received == COUNT


GROWTH = """
import resource, sys
from minigun_py import Pipeline

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

pipe = Pipeline("growing")
pipe.source([10_000, 100_000])
heights = []

@pipe.processor(execution=sys.argv[1])
def spread(count):
    for n in range(count):
        yield n.to_bytes(8, "little") + bytes(1000)

pipe.processor(bytes, name="copy")
pipe.batch(100)

@pipe.consumer
def store(rows):
    heights.append(peak())

pipe.run()
print(heights[-1] - heights[0], resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""


@in_some_kinds
def test_memory_does_not_grow_with_what_comes_of_an_item(kind: str) -> None:
    """Of the second item come 100 MB, ten times as much as of the first."""
    done = subprocess.run(
        [sys.executable, "-c", GROWTH, kind], capture_output=True, text=True, check=True
    )
    growth, children = map(int, done.stdout.split())
    assert growth < 45
    assert children < 100


# --------------------------------------------------------------------------- what waits


def test_a_queue_is_bounded_in_bytes() -> None:
    pipe = Pipeline("bounded")
    pipe.source(bytes(1_000_000) for _ in range(30))
    pipe.processor(len, name="measure", execution="thread", queue_bytes="3MB", chunk=1)
    assert pipe.run()["measure"].peak_queue <= 3


def test_an_item_that_is_larger_than_its_queue_goes_alone() -> None:
    pipe = Pipeline("bounded", queue_bytes=1000)
    pipe.source(bytes(1_000_000) for _ in range(5))
    pipe.processor(len, name="measure", execution="thread")
    report = pipe.run()
    assert (report["measure"].completed, report["measure"].peak_queue) == (5, 1)


@pytest.mark.parametrize("wrong", [0, "many", 1.5, None, True])
def test_the_bound_is_a_number_of_bytes(wrong: Any) -> None:
    with pytest.raises(UsageError, match="queue_bytes is a number of bytes"):
        Pipeline("bounded").processor(len, queue_bytes=wrong)

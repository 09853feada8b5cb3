"""A worker that dies takes nothing with it of what its stage has kept: it is given again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from faults.deeds import be_killed
from faults.kinds import kinds_with
from minigun_py import Pipeline, Stage

DEADLY = (9, 30, 31)
ITEMS = [*range(40)]
SURVIVORS = sorted({*ITEMS} - {*DEADLY})

pytestmark = [
    pytest.mark.parametrize("kind", kinds_with("survives_crash", "not one_lease_each")),
    pytest.mark.parametrize("chunk", [1, 7]),
]


def last_digit(number: int) -> int:
    if number in DEADLY:
        be_killed(number)
    return number % 3


@dataclass(frozen=True)
class Twice:
    """A list of one number, twice."""

    number: int

    def __iter__(self) -> Iterator[int]:
        last_digit(self.number)
        return iter((self.number, self.number))


class Pairs(Stage):
    """Keeps an item until the next one of its kind has come."""

    def setup(self) -> None:
        self.first: int | None = None

    def process(self, item: int) -> tuple[int, int] | None:
        last_digit(item)
        if self.first is None:
            self.first = item
            return None
        pair, self.first = (self.first, item), None
        return pair

    def flush(self) -> Iterator[tuple[int, ...]]:
        if self.first is not None:
            yield (self.first,)


def given(pipe: Pipeline) -> list[Any]:
    with pipe.stream() as stream:
        numbers = [number for part in stream for number in part]
    assert len(stream.report.failures) == len(DEADLY)
    return sorted(numbers)


def test_a_batch_by_key_gives_each_item_once(kind: str, chunk: int) -> None:
    """Lists of other keys have gone since, and say nothing of those that are kept."""
    pipe = Pipeline("kept")
    pipe.source(ITEMS)
    pipe.batch(5, key=last_digit, execution=kind, chunk=chunk, on_error="skip")
    assert given(pipe) == SURVIVORS


def test_a_stage_that_keeps_items_gives_each_once(kind: str, chunk: int) -> None:
    pipe = Pipeline("kept")
    pipe.source(ITEMS)
    pipe.add(Pairs(), name="pairs", execution=kind, chunk=chunk, on_error="skip")
    assert given(pipe) == SURVIVORS


def test_lists_of_another_size_lose_no_element(kind: str, chunk: int) -> None:
    """Of a list that has gone in part, that part may come again."""
    pipe = Pipeline("kept")
    pipe.source(map(Twice, ITEMS))
    pipe.rebatch(3, execution=kind, chunk=chunk, on_error="skip")
    numbers = Counter(given(pipe))
    assert sorted(numbers) == SURVIVORS
    assert set(numbers.values()) <= {2, 3}


def odd_ones(numbers: Iterator[int]) -> Iterator[int]:
    return (number for number in numbers if number % 2)


def test_a_stage_that_has_ended_keeps_nothing_of_what_it_took_in_last(
    kind: str, chunk: int
) -> None:
    pipe = Pipeline("kept")
    pipe.source(range(11))
    pipe.processor(odd_ones, stream=True, execution=kind, chunk=chunk)
    with pipe.stream() as stream:
        assert list(stream) == [1, 3, 5, 7, 9]
    book = stream.report["odd_ones"]
    assert (book.received, book.completed, book.cancelled) == (11, 11, 0)

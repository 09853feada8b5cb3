"""What can be drawn from without anybody noticing."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterable, Iterator
from operator import length_hint
from typing import Any

import pytest

from minigun_py import Pipeline, PipelineFailed
from minigun_py.engine.passive import is_passive


@pytest.mark.parametrize("items", [
    range(3), range(1 << 70), [1], (1,), {1: 2}, {1: 2}.values(), {1}, frozenset([1]), "ab", "é",
    b"ab", collections.deque([1]), itertools.count(), itertools.repeat(1),
], ids=lambda items: type(items).__name__)  # fmt: skip
def test_what_is_there_already_is_passive(items: Iterable[Any]) -> None:
    assert is_passive(iter(items))


class Own(list[int]):
    """A list that gives its items in its own way."""

    def __iter__(self) -> Iterator[int]:
        yield from (1, 2)


@pytest.mark.parametrize("items", [
    (n for n in range(3)), map(abs, [1]), filter(None, [1]), zip([1], strict=True),
    iter(int, 1), Own(), itertools.chain([1], [2]),
], ids=lambda items: type(items).__name__)  # fmt: skip
def test_what_may_call_something_is_not(items: Iterable[Any]) -> None:
    assert not is_passive(iter(items))


def test_no_more_are_drawn_at_once_than_may_wait() -> None:
    numbers = iter(range(2000))
    ahead: list[int] = []
    pipe = Pipeline("bounded")
    pipe.source(numbers)

    @pipe.processor(execution="thread", queue_size=3)
    def look(number: int) -> None:
        ahead.append(2000 - length_hint(numbers) - number)

    pipe.run()
    assert max(ahead) <= 3 + 3 + 2 * 3  # what the source holds, what waits, and what is lent out


@pytest.mark.parametrize("execution", ["inline", "thread", "fork"])
def test_every_item_comes_once_and_in_order(execution: str) -> None:
    pipe = Pipeline("whole")
    pipe.source(range(5000))
    pipe.processor(lambda n: -n, name="negate", execution=execution)
    with pipe.stream() as stream:
        assert list(stream) == [-n for n in range(5000)]
    assert stream.report["source"].emitted == 5000


@pytest.mark.parametrize("execution", ["inline", "thread"])
def test_an_error_in_drawing_names_the_producer_and_loses_nothing(execution: str) -> None:
    items = dict.fromkeys(range(5000))
    seen: list[int] = []
    pipe = Pipeline("changed")
    pipe.source(items, name="numbers")

    @pipe.consumer(execution=execution)
    def look(number: int) -> None:
        seen.append(number)
        items[-1] = None

    with pytest.raises(PipelineFailed, match="in producer 'numbers'") as caught:
        pipe.run()
    assert "changed size during iteration" in str(caught.value.exceptions[0])
    assert 0 < len(seen) < 5000
    assert seen == list(range(len(seen)))
    assert caught.value.report["look"].received == len(seen)

"""A backlog gives back what it took, in order, however much of it had to go to disk."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from minigun_py.primitives.backlog import MEMORY_BYTES, Backlog

Make = Callable[..., Backlog]


@pytest.fixture
def backlog() -> Iterator[Make]:
    """Makes backlogs, of texts if nothing else is said, and closes their files after the test."""
    made: list[Backlog] = []

    def make(memory_bytes: int = 10, size_of: Callable[[Any], int] = len) -> Backlog:
        made.append(Backlog(size_of, memory_bytes))
        return made[-1]

    yield make
    for log in made:
        log.clear()


def five(item: object) -> int:
    """The size of anything."""
    return 5


def test_the_oldest_comes_first(backlog: Make) -> None:
    log = backlog()
    log.put(["a", "b", "c"])
    assert log.take(2) == ["a", "b"]
    assert log.take(2) == ["c"]


def test_nothing_comes_out_of_an_empty_one(backlog: Make) -> None:
    assert backlog().take(3) == []


def test_it_knows_how_many_wait(backlog: Make) -> None:
    log = backlog()
    log.put(["a", "bb", "c" * 20])
    log.take(1)
    assert len(log) == 2


def test_what_fits_stays_in_memory(backlog: Make) -> None:
    log = backlog(10)
    log.put(["12345", "67890"])
    assert log.on_disk == 0


def test_what_does_not_fit_goes_to_disk(backlog: Make) -> None:
    log = backlog(10)
    log.put(["12345", "67890", "x"])
    assert log.on_disk == 1


def test_after_something_on_disk_all_goes_there_so_that_order_is_kept(backlog: Make) -> None:
    log = backlog(10)
    log.put(["12345", "large enough", "x"])
    assert log.on_disk == 2
    assert log.take(3) == ["12345", "large enough", "x"]


def test_when_the_disk_is_read_memory_is_used_again(backlog: Make) -> None:
    log = backlog(10)
    log.put(["12345", "large enough"])
    log.take(2)
    log.put(["x"])
    assert log.on_disk == 0


def test_what_cannot_be_pickled_stays_in_memory_in_its_place(backlog: Make) -> None:
    function = lambda: None  # noqa: E731 - one that cannot be pickled
    log = backlog(10, five)
    log.put([1, 2, function, 3])
    assert log.on_disk == 0
    assert log.take(4) == [1, 2, function, 3]


def test_what_follows_on_disk_is_older_than_what_could_not_be_pickled(backlog: Make) -> None:
    function = lambda: None  # noqa: E731
    log = backlog(5, five)
    log.put([1, 2, function, 3])
    assert log.on_disk == 1
    assert log.take(4) == [1, 2, function, 3]


def test_an_item_comes_back_from_disk_as_it_went(backlog: Make) -> None:
    log = backlog(0, five)
    log.put([{"text": "ä", "numbers": (1, 2)}, None, b"bytes"])
    assert log.on_disk == 3
    assert log.take(3) == [{"text": "ä", "numbers": (1, 2)}, None, b"bytes"]


def test_clearing_tells_how_many_were_there(backlog: Make) -> None:
    log = backlog(2)
    log.put(["a", "b", "c", "d"])
    assert log.clear() == 4
    assert (len(log), log.on_disk, log.take(1)) == (0, 0, [])


def test_it_can_be_used_after_it_was_cleared(backlog: Make) -> None:
    log = backlog(2)
    log.put(["aaa", "b"])
    log.clear()
    log.put(["c", "ddd"])
    assert log.take(5) == ["c", "ddd"]


def test_usually_much_stays_in_memory() -> None:
    log = Backlog(len)
    log.put(["x" * 1000] * 100)
    assert log.on_disk == 0
    assert MEMORY_BYTES > 100_000


@pytest.mark.parametrize("memory_bytes", [10, 10**6])
def test_threads_may_put_and_take_at_once(backlog: Make, memory_bytes: int) -> None:
    log = backlog(memory_bytes, five)
    numbers, taken = range(2000), []

    def put() -> None:
        for start in range(0, 2000, 7):
            log.put(numbers[start : start + 7])

    writer = threading.Thread(target=put)
    writer.start()
    while len(taken) < len(numbers):
        taken += log.take(5)
    writer.join()
    assert taken == list(numbers)


class Backlogs(RuleBasedStateMachine):
    """A backlog beside a plain deque."""

    def __init__(self) -> None:
        super().__init__()
        self.log = Backlog(lambda item: item[1], 20)
        self.model: deque[Any] = deque()
        self.number = 0

    def teardown(self) -> None:
        self.log.clear()

    @rule(sizes=st.lists(st.integers(0, 15), max_size=5), stubborn=st.integers(0, 9))
    def put(self, sizes: list[int], stubborn: int) -> None:
        items = []
        for size in sizes:
            self.number += 1
            extra = threading.Lock() if self.number % 10 == stubborn else None  # no pickle of it
            items.append((self.number, size, extra))
        self.log.put(items)
        self.model.extend(items)

    @rule(most=st.integers(0, 6))
    def take(self, most: int) -> None:
        wanted = [self.model.popleft() for _ in range(min(most, len(self.model)))]
        assert self.log.take(most) == wanted

    @rule()
    def clear(self) -> None:
        assert self.log.clear() == len(self.model)
        self.model.clear()

    @invariant()
    def it_holds_as_many(self) -> None:
        assert len(self.log) == len(self.model)
        assert 0 <= self.log.on_disk <= len(self.model)


TestBacklogBehavesLikeADeque = Backlogs.TestCase

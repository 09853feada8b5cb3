"""A batch goes when it is full, or when its first item has waited long enough."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from minigun_py.engine.batcher import Batcher


def test_a_batch_goes_when_it_is_full() -> None:
    assert Batcher[int](2).add([1, 2, 3, 4, 5], 0.0) == [[1, 2], [3, 4]]


def test_what_is_left_goes_at_the_end() -> None:
    batcher = Batcher[int](2)
    batcher.add([1, 2, 3], 0.0)
    assert batcher.flush() == [[3]]


def test_nothing_is_left_of_nothing() -> None:
    batcher = Batcher[int](2)
    batcher.add([1, 2], 0.0)
    assert batcher.flush() == []


def test_an_item_waits_over_several_calls() -> None:
    batcher = Batcher[int](3)
    assert [batcher.add([n], 0.0) for n in range(3)] == [[], [], [[0, 1, 2]]]


def test_without_max_wait_nothing_is_ever_due() -> None:
    batcher = Batcher[int](3)
    batcher.add([1], 0.0)
    assert batcher.due is None
    assert batcher.add([], 1e9) == []


def test_an_empty_batch_is_never_due() -> None:
    assert Batcher[int](3, 1.0).due is None


def test_a_batch_is_due_when_its_first_item_has_waited() -> None:
    batcher = Batcher[int](3, 1.0)
    batcher.add([1], 5.0)
    batcher.add([2], 5.9)
    assert batcher.due == 6.0


def test_a_batch_that_is_due_goes_though_no_item_comes() -> None:
    batcher = Batcher[int](3, 1.0)
    batcher.add([1], 5.0)
    assert batcher.add([], 5.9) == []
    assert batcher.add([], 6.0) == [[1]]
    assert batcher.due is None


def test_an_item_that_comes_late_is_no_part_of_what_was_due_before() -> None:
    batcher = Batcher[int](3, 1.0)
    batcher.add([1], 5.0)
    assert batcher.add([2], 7.0) == [[1]]
    assert (batcher.pending, batcher.due) == (1, 8.0)


def test_the_wait_begins_anew_with_each_batch() -> None:
    batcher = Batcher[int](2, 1.0)
    batcher.add([1], 5.0)
    assert batcher.add([2, 3], 5.5) == [[1, 2]]
    assert batcher.due == 6.5


def test_a_batch_is_a_list_of_its_own() -> None:
    batcher = Batcher[int](1)
    first, second = batcher.add([1, 2], 0.0)
    first.append(0)
    assert second == [2]


steps = st.lists(st.tuples(st.lists(st.integers(), max_size=7), st.floats(0, 2)), max_size=10)


@given(st.integers(1, 5), st.none() | st.floats(0.1, 3), steps)
def test_every_item_comes_out_once_and_in_order(
    size: int, max_wait: float | None, steps: list[tuple[list[int], float]]
) -> None:
    batcher = Batcher[int](size, max_wait)
    now, given_items, batches = 0.0, [], []
    for items, seconds in steps:
        now += seconds
        given_items += items
        batches += batcher.add(items, now)
    batches += batcher.flush()
    assert [item for batch in batches for item in batch] == given_items
    assert all(1 <= len(batch) <= size for batch in batches)


@given(st.integers(1, 5), st.floats(0.1, 3), steps)
def test_nothing_waits_that_is_due(
    size: int, max_wait: float, steps: list[tuple[list[int], float]]
) -> None:
    batcher, now = Batcher[int](size, max_wait), 0.0
    for items, seconds in steps:
        now += seconds
        batcher.add(items, now)
        assert batcher.due is None or batcher.due > now

"""A batch goes when it is full, or when its first item has waited long enough."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigun_py.engine.batcher import Batcher
from minigun_py.primitives.size import estimated_bytes


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


# --------------------------------------------------------------------------- by key and by size


def parity(n: int) -> int:
    return n % 2


def test_items_of_different_keys_go_into_different_batches() -> None:
    batcher = Batcher[int](2, key=parity)
    assert batcher.add([1, 2, 3, 4, 5], 0.0) == [[1, 3], [2, 4]]
    assert batcher.flush() == [[5]]


def test_the_batch_that_began_first_goes_first_at_the_end() -> None:
    batcher = Batcher[int](9, key=parity)
    batcher.add([2, 1, 4], 0.0)
    assert batcher.flush() == [[2, 4], [1]]


def test_each_key_waits_for_itself() -> None:
    batcher = Batcher[int](9, 2.0, parity)
    batcher.add([1], 5.0)
    batcher.add([2], 6.0)
    assert batcher.due == 7.0
    assert batcher.take_due(7.0) == [[1]]
    assert (batcher.due, batcher.pending) == (8.0, 1)


def test_a_batch_grows_to_the_bytes_that_it_may_have() -> None:
    batcher = Batcher[str](9, max_bytes=4)
    assert batcher.add(["aa", "bb", "c"], 0.0) == [["aa", "bb"]]
    assert batcher.flush() == [["c"]]


def test_an_item_that_does_not_fit_begins_another_batch() -> None:
    batcher = Batcher[str](9, max_bytes=4)
    assert batcher.add(["aaa", "bb"], 0.0) == [["aaa"]]
    assert batcher.flush() == [["bb"]]


def test_an_item_that_is_too_large_goes_alone() -> None:
    batcher = Batcher[str](9, max_bytes=4)
    assert batcher.add(["a", "b" * 50, "c"], 0.0) == [["a"], ["b" * 50]]
    assert batcher.flush() == [["c"]]


def test_all_batches_go_when_there_are_as_many_items_as_may_wait() -> None:
    batcher = Batcher[int](9, key=lambda n: n, max_pending=3)
    assert batcher.add([1, 2], 0.0) == []
    assert batcher.add([3, 4], 0.0) == [[1], [2], [3]]
    assert batcher.pending == 1


def test_none_is_a_key_like_any_other() -> None:
    batcher = Batcher[int | None](9, key=lambda item: item)
    batcher.add([None, 1, None], 0.0)
    assert batcher.flush() == [[None, None], [1]]


@pytest.mark.parametrize(
    ("item", "bytes_"),
    [("four", 4), (b"four", 4), (bytearray(b"four"), 4), (memoryview(b"four"), 4)],
)
def test_the_bytes_of_text_and_buffers_are_their_length(item: Any, bytes_: int) -> None:
    assert estimated_bytes(item) == bytes_


@pytest.mark.parametrize("made", [list, tuple, set, lambda items: dict.fromkeys(items, "x" * 99)])
def test_what_a_collection_holds_counts(made: Any) -> None:
    few, many = made(["a" * 99]), made(["b" * 99, "c" * 999])
    assert estimated_bytes(few) > 99
    assert estimated_bytes(many) > estimated_bytes(few) + 999


@given(
    st.lists(st.text(max_size=6)),
    st.integers(1, 5),
    st.none() | st.integers(1, 9),
    st.none() | st.integers(1, 9),
)
def test_whatever_bounds_a_batch_each_item_comes_out_once_and_in_the_order_of_its_key(
    items: list[str], size: int, max_bytes: int | None, max_pending: int | None
) -> None:
    batcher = Batcher[str](size, None, len, max_bytes, max_pending)
    batches = []
    for item in items:
        batches += batcher.add([item], 0.0)
        assert max_pending is None or batcher.pending < max_pending
    batches += batcher.flush()
    assert batcher.pending == 0
    for key in range(7):
        of_key = [item for batch in batches for item in batch if len(item) == key]
        assert of_key == [item for item in items if len(item) == key]
    for batch in batches:
        assert len({len(item) for item in batch}) == 1
        assert 1 <= len(batch) <= size
        assert max_bytes is None or len(batch) == 1 or sum(map(len, batch)) <= max_bytes


# --------------------------------------------------------------------------- any items, any times


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


@given(
    st.integers(1, 5),
    st.none() | st.integers(1, 7),
    st.none() | st.floats(1.0, 3.0),
    st.lists(st.tuples(st.lists(st.integers(), max_size=12), st.floats(0.0, 2.0)), max_size=8),
)
def test_many_at_once_are_as_one_by_one(
    size: int,
    max_pending: int | None,
    max_wait: float | None,
    chunks: list[tuple[list[int], float]],
) -> None:
    def batcher() -> Batcher[int]:
        return Batcher(size, max_wait, max_pending=max_pending)

    together, single = batcher(), batcher()
    now, number = 0.0, 0
    for items, later in chunks:
        now += later
        assert together.takes_many
        mine = together.add_many(items, now, number)
        theirs = single.take_due(now)  # as a worker asks before a chunk without items
        for place, item in enumerate(items):
            theirs += single.add((item,), now, number + place)
        number += len(items)
        assert (mine, together.pending, together.due) == (theirs, single.pending, single.due)
    assert together.flush() == single.flush()
    assert [n for span in together.let_go for n in span] == [n for s in single.let_go for n in s]


@pytest.mark.parametrize("arguments", [{"key": str}, {"max_bytes": 10}])
def test_where_each_item_is_looked_at_they_are_taken_one_by_one(arguments: dict[str, Any]) -> None:
    assert not Batcher(3, **arguments).takes_many

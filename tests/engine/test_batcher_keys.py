"""Batches by key, by bytes, and all at once when together they hold enough."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigun_py.engine.batcher import Batcher
from minigun_py.primitives.size import LOOKED_AT, estimated_bytes


def odd(number: int) -> int:
    return number % 2


# --------------------------------------------------------------------------- by key


def test_items_of_different_keys_go_into_different_batches() -> None:
    assert Batcher(2, key=odd).add([1, 2, 3, 4], 0.0) == [[1, 3], [2, 4]]


def test_batches_of_all_keys_go_at_the_end_the_oldest_first() -> None:
    batcher = Batcher(9, key=odd)
    batcher.add([2, 1, 4], 0.0)
    assert batcher.flush() == [[2, 4], [1]]


def test_the_oldest_batch_says_when_something_is_due() -> None:
    batcher = Batcher(9, 1.0, key=odd)
    batcher.add([1], 5.0)
    batcher.add([2], 5.5)
    assert batcher.due == 6.0
    assert batcher.take_due(6.0) == [[1]]
    assert batcher.due == 6.5


def test_several_that_are_due_go_together() -> None:
    batcher = Batcher(9, 1.0, key=odd)
    batcher.add([1, 2], 5.0)
    assert batcher.take_due(6.0) == [[1], [2]]


def test_the_wait_of_a_key_begins_anew_with_its_next_batch() -> None:
    batcher = Batcher(2, 1.0, key=odd)
    batcher.add([1], 5.0)
    batcher.add([2], 5.2)
    batcher.add([3], 5.4)
    batcher.add([5], 5.6)
    assert batcher.due == 6.2


@pytest.mark.parametrize("key", [len, lambda item: [item]], ids=["raises", "cannot be hashed"])
def test_where_a_key_cannot_be_told_all_stays_as_it_was(key: Any) -> None:
    batcher = Batcher[Any](9, 1.0, key=lambda item: key(item) if item == 3 else "known")
    batcher.add(["a"], 0.0)
    with pytest.raises(TypeError):
        batcher.add(["b", 3], 5.0)
    assert batcher.take_due(5.0) == [["a"]]
    assert batcher.flush() == []


# --------------------------------------------------------------------------- by bytes


def test_a_batch_goes_before_it_grows_too_large() -> None:
    batcher = Batcher[str](9, max_bytes=5)
    assert batcher.add(["abc", "de", "f"], 0.0) == [["abc", "de"]]
    assert batcher.flush() == [["f"]]


def test_a_batch_of_the_right_size_goes_at_once() -> None:
    assert Batcher[str](9, max_bytes=5).add(["abcde"], 0.0) == [["abcde"]]


def test_an_item_that_is_too_large_goes_alone() -> None:
    batcher = Batcher[str](9, max_bytes=5)
    assert batcher.add(["a", "much too large", "b"], 0.0) == [["a"], ["much too large"]]
    assert batcher.flush() == [["b"]]


def test_bytes_are_counted_by_key() -> None:
    batcher = Batcher[str](9, key=len, max_bytes=4)
    assert batcher.add(["aa", "bbb", "cc"], 0.0) == [["aa", "cc"]]


@given(st.lists(st.text(max_size=8), max_size=20), st.integers(1, 10))
def test_no_batch_of_several_is_larger_than_it_may_be(items: list[str], most: int) -> None:
    batcher = Batcher[str](99, max_bytes=most)
    batches = batcher.add(items, 0.0) + batcher.flush()
    assert [item for each in batches for item in each] == items
    assert all(len(each) == 1 or sum(map(len, each)) <= most for each in batches)


@pytest.mark.parametrize(
    ("item", "size"),
    [("abc", 3), (b"abcd", 4), (bytearray(2), 2), (memoryview(b"abc"), 3), ("", 0)],
)
def test_texts_and_buffers_are_as_large_as_they_are_long(item: Any, size: int) -> None:
    assert estimated_bytes(item) == size


@pytest.mark.parametrize("many", [["x" * 1000], ("x" * 1000,), {"x" * 1000}, {"a": "x" * 1000}])
def test_a_container_is_as_large_as_what_is_in_it(many: Any) -> None:
    assert estimated_bytes(many) > 1000


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset, dict.fromkeys])
def test_of_a_large_container_only_some_is_looked_at(kind: Any) -> None:
    looked_at = 0

    class Seen:
        def __sizeof__(self) -> int:
            nonlocal looked_at
            looked_at += 1
            return 1000

    many = 10_000
    assert estimated_bytes(kind([Seen() for _ in range(many)])) > many * 1000
    assert looked_at <= LOOKED_AT


def test_what_is_looked_at_of_a_list_lies_all_over_it() -> None:
    rising = ["x" * n for n in range(10_000)]
    assert estimated_bytes(rising) == pytest.approx(sum(map(sys.getsizeof, rising)), rel=0.05)


def test_an_array_is_as_large_as_its_buffer() -> None:
    class Array:
        nbytes = 4096

    assert estimated_bytes(Array()) == 4096


def test_anything_else_is_as_large_as_python_says() -> None:
    assert estimated_bytes(7) > 0


# --------------------------------------------------------------------------- all at once


def test_when_all_together_hold_enough_all_of_them_go() -> None:
    batcher = Batcher(9, key=odd, max_pending=3)
    assert batcher.add([2, 1, 4, 3], 0.0) == [[2, 4], [1]]
    assert batcher.flush() == [[3]]


def test_what_went_full_does_not_count() -> None:
    batcher = Batcher(2, key=odd, max_pending=3)
    assert batcher.add([1, 3, 2, 5], 0.0) == [[1, 3]]


@given(
    st.lists(st.integers(0, 9), max_size=40),
    st.integers(1, 5),
    st.none() | st.integers(1, 6),
    st.booleans(),
)
def test_every_item_comes_out_once_in_the_order_of_its_key(
    items: list[int], size: int, pending: int | None, keyed: bool
) -> None:
    batcher = Batcher(size, key=odd if keyed else None, max_pending=pending)
    batches = [each for item in items for each in batcher.add([item], 0.0)]
    batches += batcher.flush()
    for key in (0, 1):
        came = [n for each in batches for n in each if odd(n) == key]
        assert came == [n for n in items if odd(n) == key]
    assert all(1 <= len(each) <= size for each in batches)
    assert not keyed or all(len(set(map(odd, each))) == 1 for each in batches)


@given(st.lists(st.integers(0, 9), max_size=40), st.integers(1, 6))
def test_never_more_is_kept_than_may_be(items: list[int], most: int) -> None:
    batcher, out = Batcher(4, key=lambda n: n, max_pending=most), 0
    for count, item in enumerate(items, start=1):
        out += sum(map(len, batcher.add([item], 0.0)))
        assert count - out < most

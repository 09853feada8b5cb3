"""Chunks grow with cheap items, and leave a share of what waits to every worker."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigun_py.engine.chunking import (
    GROWTH,
    LARGEST_CHUNK,
    TARGET_BYTES,
    TARGET_SECONDS,
    ChunkSizer,
    bytes_to_copy,
    fair_share,
)


def test_a_chunk_begins_with_one_item() -> None:
    assert ChunkSizer().limit == 1


def test_cheap_items_make_it_grow_by_steps() -> None:
    sizer, limits = ChunkSizer(), []
    for _ in range(4):
        sizer.measured(sizer.limit, 0.0)
        limits.append(sizer.limit)
    assert limits == [4, 16, 64, 256]


def test_it_does_not_grow_beyond_the_largest() -> None:
    sizer = ChunkSizer(largest=10)
    for _ in range(5):
        sizer.measured(1, 0.0)
    assert sizer.limit == 10


def test_the_time_that_they_fill_can_be_another() -> None:
    sizer = ChunkSizer(seconds=1.0)
    for _ in range(3):
        sizer.measured(1, 0.1)
    assert sizer.limit == 10


def test_items_of_a_known_cost_fill_the_target_time() -> None:
    sizer = ChunkSizer()
    for _ in range(5):
        sizer.measured(10, 10 * TARGET_SECONDS / 50)
    assert sizer.limit in (49, 50)


def test_items_that_get_dear_shrink_it_at_once() -> None:
    sizer = ChunkSizer()
    for _ in range(5):
        sizer.measured(1, 0.0)
    sizer.measured(1, 60.0)
    assert sizer.limit == 1


def test_a_tick_teaches_nothing() -> None:
    sizer = ChunkSizer()
    sizer.measured(0, 0.0)
    assert sizer.limit == 1


def test_a_fixed_chunk_stays() -> None:
    sizer = ChunkSizer(fixed=7)
    sizer.measured(7, 0.0)
    sizer.measured(7, 60.0)
    assert sizer.limit == 7


@given(st.lists(st.tuples(st.integers(1, 2000), st.floats(0, 100))))
def test_whatever_is_measured_it_stays_in_its_bounds(
    measures: list[tuple[int, float]],
) -> None:
    sizer = ChunkSizer()
    for items, seconds in measures:
        before = sizer.limit
        sizer.measured(items, seconds)
        assert 1 <= sizer.limit <= min(LARGEST_CHUNK, before * GROWTH)


@pytest.mark.parametrize(
    ("waiting", "workers", "share"),
    [(0, 2, 1), (0, 4, 1), (1, 4, 1), (100, 2, 25), (100, 4, 12), (15, 4, 1), (16, 4, 2)],
)
def test_a_share_leaves_some_to_the_others(waiting: int, workers: int, share: int) -> None:
    assert fair_share(waiting, workers) == share


def test_where_others_will_come_it_may_be_larger() -> None:
    assert fair_share(100, 4, ending=False) == 25
    assert fair_share(3, 4, ending=False) == 1


@given(st.integers(0, 10_000), st.integers(2, 100))
def test_every_worker_may_have_a_second_share(waiting: int, workers: int) -> None:
    assert fair_share(waiting, workers) * workers * 2 <= max(waiting, 2 * workers)


def test_items_that_are_copied_travel_in_chunks_of_so_many_bytes() -> None:
    sizer = ChunkSizer()
    for _ in range(10):
        sizer.measured(1, 0.0, TARGET_BYTES // 8)
    assert sizer.limit == 8
    sizer.measured(8, 0.0, 10 * TARGET_BYTES)
    assert sizer.limit == 1


def test_bytes_to_copy_are_those_of_the_larger_of_item_and_output() -> None:
    assert bytes_to_copy([b"abc", b"a"], [[], [b"12345"]]) == 5
    assert bytes_to_copy([bytes(9)], [[b"1"]]) == 9
    assert bytes_to_copy([], [[]]) == 0

"""What is too large for memory is in a file, and comes back as it was."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigun_py.primitives.spool import CHUNK_BYTES, FEW, MEMORY_BYTES, Spool, gathered, is_large

BIG = b"x" * 300_000


@given(
    st.lists(st.lists(st.one_of(st.integers(), st.text(), st.binary(), st.none()))),
    st.integers(0, 500),
)
def test_it_gives_what_was_put_in_in_order_and_as_often_as_wanted(
    parts: list[list[Any]], memory_bytes: int
) -> None:
    spool = Spool(memory_bytes)
    for part in parts:
        spool.put(part)
    everything = [value for part in parts for value in part]
    assert len(spool) == len(everything)
    assert list(spool) == everything
    assert list(spool) == everything


def test_small_values_stay_in_memory() -> None:
    spool = Spool()
    spool.put(range(1000))
    assert spool._file is None


def test_beyond_the_bound_values_go_to_a_file() -> None:
    spool = Spool(memory_bytes=1_000_000)
    spool.put([BIG] * 10)
    assert sum(map(len, spool._first)) <= 1_000_000
    assert list(spool) == [BIG] * 10


def test_a_chunk_is_about_a_megabyte() -> None:
    spool = Spool(memory_bytes=0)
    spool.put([BIG] * 20)
    assert {len(chunk) for chunk in spool.chunks()} == {CHUNK_BYTES // len(BIG) + 1, 20 % 4} - {0}


def test_what_cannot_be_pickled_keeps_its_place_in_memory() -> None:
    lock = threading.Lock()
    spool = Spool(memory_bytes=0)
    for part in ([1, 2], [lock], [3]):
        spool.put(part)
    assert list(spool) == [1, 2, lock, 3]


@pytest.mark.parametrize("count", [0, 1, FEW - 1, FEW, FEW + 1, 10_000])
def test_few_or_small_values_are_gathered_in_a_list(count: int) -> None:
    assert gathered(iter(range(count))) == list(range(count))


def test_many_large_values_are_gathered_in_a_spool() -> None:
    def values() -> Any:
        for _ in range(200):
            yield b"x" * 300_000

    spool = gathered(values())
    assert isinstance(spool, Spool)
    assert [len(value) for value in spool] == [300_000] * 200
    assert sum(map(len, spool._first)) <= MEMORY_BYTES


def test_an_error_on_the_way_is_raised() -> None:
    def values() -> Any:
        yield from [BIG] * 100
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        gathered(values())


def test_whether_a_list_is_large_is_told_by_a_few_of_its_values() -> None:
    assert not is_large([])
    assert not is_large(range(10_000))
    assert is_large([BIG] * 100)

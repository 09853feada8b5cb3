"""What is packed is a sequence that is unpickled only when somebody looks into it."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from decimal import Decimal
from enum import IntEnum
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigun_py.primitives.packed import Packed, joined, packed


class Colour(IntEnum):
    RED = 1


class Pair(NamedTuple):
    left: int
    right: int


PLAIN: list[Any] = [
    None,
    True,
    1,
    2**80,
    1.5,
    "text",
    b"bytes",
    bytearray(b"more"),
    (1, "a"),
    [1, [2]],
]
PLAIN += [{"a": {1, 2}, "b": frozenset({3})}]
NOT_PLAIN: list[Any] = [
    1j,
    Colour.RED,
    Pair(1, 2),
    OrderedDict(a=1),
    Decimal(1),
    len,
    int,
    memoryview(b""),
    object(),
]


AROUND = [lambda v: v, lambda v: [v], lambda v: {"a": (1, v)}]


def pack(values: list[Any], parts: int = 1) -> Packed:
    result = packed(values, parts)
    assert isinstance(result, Packed)
    return result


@pytest.mark.parametrize("parts", [1, 2, 5, 100])
def test_plain_data_is_packed_and_stays_what_it_was(parts: int) -> None:
    pack_ = pack(PLAIN, parts)
    assert len(pack_) == len(PLAIN)
    assert pack_.unpacked() == [*pack_] == PLAIN


@pytest.mark.parametrize("value", NOT_PLAIN, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("around", AROUND, ids=["bare", "in a list", "in a dict"])
def test_what_might_not_come_back_stays_as_it_is(value: Any, around: Any) -> None:
    values = [1, around(value)]
    assert packed(values) is values


def test_nothing_is_packed_as_nothing() -> None:
    assert [*pack([])] == []
    assert pack([]).each_bytes == 0


def test_it_is_counted_and_weighed_without_a_look_into_it() -> None:
    nobody_can = Packed((2, b"no pickle"), (3, b"none"))
    assert (len(nobody_can), nobody_can.each_bytes, bool(nobody_can)) == (5, 2, True)
    assert [len(part) for part in nobody_can.parts()] == [2, 3]
    assert [nobody_can.within(most) for most in range(7)] == [0, 0, 2, 2, 2, 5, 5]
    assert len(joined([nobody_can, nobody_can[2:]])) == 8


@given(st.lists(st.integers(), max_size=12), st.integers(1, 5), st.slices(12))
def test_a_slice_is_a_slice_of_the_values(values: list[int], parts: int, where: slice) -> None:
    assert [*pack(values, parts)[where]] == values[where]


def test_a_slice_of_whole_parts_stays_packed() -> None:
    pack_ = pack([1, 2, 3, 4, 5, 6], 3)
    assert isinstance(pack_[2:], Packed)
    assert isinstance(pack_[:4], Packed)
    assert isinstance(pack_[1:], list)
    assert pack_[3] == 4


def test_a_pickle_of_it_holds_its_pickles_and_a_large_one_goes_beside() -> None:
    large = pack(["a" * 300_000, 2, 3], 3)
    beside: list[pickle.PickleBuffer] = []
    written = pickle.dumps(large, protocol=5, buffer_callback=beside.append)
    assert len(beside) == 1
    assert len(written) < 1000
    again = pickle.loads(written, buffers=beside)
    assert isinstance(again, Packed)
    assert [*again] == [*large]

"""A key has the same share in every run, and keys that are equal have the same."""

from __future__ import annotations

import datetime
import decimal
import enum
import fractions
import os
import pathlib
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigun_py.engine.partition import share_of
from minigun_py.errors import UsageError

SHARES = 1000


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Mood(enum.IntEnum):
    GOOD = 1


class Word(enum.StrEnum):
    YES = "yes"


@dataclass(frozen=True)
class Place:
    city: str
    street: tuple[str, int]


@dataclass(frozen=True)
class Noted:
    key: str
    note: str = field(compare=False)


NOON = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)

KEYS: list[Any] = [
    None,
    "text",
    "",
    "\ud800",
    b"bytes",
    0,
    -7,
    10**40,
    2.5,
    float("inf"),
    1 + 2j,
    True,
    decimal.Decimal("1.25"),
    fractions.Fraction(1, 3),
    Colour.RED,
    datetime.date(2026, 11, 21),
    NOON,
    datetime.time(8, 30),
    datetime.timedelta(days=2),
    uuid.UUID(int=7),
    pathlib.PurePosixPath("/a/b"),
    ("a", 1, ("b", None)),
    frozenset({"a", "b", 3}),
    Place("Berlin", ("Ring", 3)),
]

PROGRAM = """
import sys
sys.path[:0] = {path!r}
from engine.test_partition import KEYS, SHARES, share_of
print([share_of(key, SHARES) for key in KEYS])
"""


@pytest.mark.parametrize("seed", ["1", "2"])
def test_shares_are_the_same_in_another_process_with_other_hashes(seed: str) -> None:
    program = PROGRAM.format(path=sys.path)
    environment = os.environ | {"PYTHONHASHSEED": seed}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str([share_of(key, SHARES) for key in KEYS])


def test_shares_are_the_same_in_every_version() -> None:
    assert [share_of(key, SHARES) for key in ("text", 7, None)] == [745, 864, 146]


@given(st.fractions())
def test_numbers_that_are_equal_have_the_same_share(number: fractions.Fraction) -> None:
    twins: list[Any] = [float(number), complex(float(number)), decimal.Decimal(float(number))]
    twins += [int(number)]
    equal = [twin for twin in twins if twin == number]
    assert {share_of(twin, SHARES) for twin in equal} <= {share_of(number, SHARES)}


def test_what_is_not_a_number_has_one_share() -> None:
    shares = {share_of(float(text), SHARES) for text in ("nan", "-nan", "NaN")}
    assert len(shares) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        (1, decimal.Decimal(1)),
        ((1, "a"), (1.0, "a")),
        (frozenset("abc"), frozenset("cba")),
        (Place("a", ("b", 1)), Place("a", ("b", 1))),
        (Noted("a", note="one"), Noted("a", note="other")),
        (Mood.GOOD, 1),
        (Word.YES, "yes"),
        (NOON, NOON.astimezone(datetime.timezone(datetime.timedelta(hours=2)))),
        (pathlib.PureWindowsPath("A/b"), pathlib.PureWindowsPath("a\\B")),
    ],
)
def test_keys_that_are_equal_have_the_same_share(one: Any, other: Any) -> None:
    assert one == other
    assert share_of(one, SHARES) == share_of(other, SHARES)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", 1),
        ("a", b"a"),
        (("a", "b"), ("ab",)),
        (("a", ("b",)), ("a", "b")),
        ("", None),
        (frozenset("a"), ("a",)),
        (Colour.RED, Colour.BLUE),
        (Colour.RED, "RED"),
        (Place("a", ("b", 1)), Place("a", ("b", 2))),
    ],
)
def test_keys_that_look_alike_are_told_apart(one: Any, other: Any) -> None:
    assert share_of(one, 10**6) != share_of(other, 10**6)


@given(st.text() | st.binary() | st.integers(), st.integers(1, 50))
def test_a_share_is_one_of_those_that_there_are(key: Any, shares: int) -> None:
    assert 0 <= share_of(key, shares) < shares


def test_keys_spread_over_all_shares() -> None:
    counts = [0] * 8
    for number in range(8000):
        counts[share_of(f"user-{number}", 8)] += 1
    assert min(counts) > 800


@pytest.mark.parametrize("key", [object(), [1], {"a": 1}, {1}, print, (1, [2]), Place])
def test_a_key_that_looks_different_everywhere_is_refused(key: Any) -> None:
    with pytest.raises(UsageError, match=r"a key is text, bytes, a number, .* and not a "):
        share_of(key, 2)

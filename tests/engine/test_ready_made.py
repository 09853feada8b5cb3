"""The stages that are ready do what they say, one item at a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigun_py.engine.ready_made import Batch, Deduplicate, Rebatch, unbatch
from minigun_py.errors import UsageError
from minigun_py.plan.own_stage import Stage


def batch(**said: Any) -> Batch:
    usual = {"size": 2, "max_wait": None, "key": None, "max_bytes": None, "max_pending": None}
    return Batch("here", **(usual | said))


def given_by(stage: Stage, items: Iterable[Any]) -> list[Any]:
    """All that a stage gives for these items, and in the end."""
    stage.setup()
    during = [value for item in items for value in stage.process(item)]
    return [*during, *(stage.flush() or ())]


# --------------------------------------------------------------------------- batch


def test_a_batch_gives_full_lists_and_what_is_left() -> None:
    assert given_by(batch(), [1, 2, 3]) == [[1, 2], [3]]


def test_a_batch_keeps_keys_apart() -> None:
    assert given_by(batch(key=lambda n: n % 2), [1, 2, 3, 4]) == [[1, 3], [2, 4]]


def test_a_batch_begins_anew_with_each_setup() -> None:
    stage = batch(size=3)
    stage.setup()
    list(stage.process(1))
    assert given_by(stage, [2]) == [[2]]


def test_a_batch_is_due_by_the_time_that_it_is_told() -> None:
    stage = batch(size=9, max_wait=2.0)
    stage.setup()
    stage.now = 100.0
    list(stage.process(1))
    assert stage.due == 102.0
    stage.now = 102.0
    assert stage.take_due() == [[1]]
    assert stage.due is None


@pytest.mark.parametrize("max_wait", [None, 1.0])
def test_a_batch_watches_the_time_if_its_lists_go_after_one(max_wait: float | None) -> None:
    assert batch(max_wait=max_wait).watches_time is (max_wait is not None)


@pytest.mark.parametrize(
    ("argument", "value", "told"),
    [
        ("size", 0, "size is a whole number from 1 on, not 0"),
        ("size", True, "size is a whole number from 1 on, not True"),
        ("max_wait", 0, "max_wait is a number of seconds above 0, not 0"),
        ("key", 3, "key is a function, not 3"),
        ("max_bytes", "1MB", "max_bytes is a whole number from 1 on, not '1MB'"),
        ("max_pending", -1, "max_pending is a whole number from 1 on, not -1"),
    ],
)
def test_a_wrong_argument_is_refused_where_it_is_written(
    argument: str, value: Any, told: str
) -> None:
    with pytest.raises(UsageError) as raised:
        batch(**{argument: value})
    assert str(raised.value) == f"here: {told}"


def test_arguments_can_be_changed_afterwards_and_the_others_stay() -> None:
    changed = batch(size=2, max_bytes=7).with_arguments("there", size=3)
    assert isinstance(changed, Batch)
    assert (changed.arguments["size"], changed.arguments["max_bytes"]) == (3, 7)


def test_a_change_leaves_what_it_was_made_from() -> None:
    stage = batch(size=2)
    stage.with_arguments("there", size=3)
    assert stage.arguments["size"] == 2


def test_changed_arguments_are_checked() -> None:
    with pytest.raises(UsageError, match="there: size is a whole number"):
        batch().with_arguments("there", size=0)


# --------------------------------------------------------------------------- rebatch, unbatch


@given(st.lists(st.lists(st.integers(), max_size=6), max_size=8), st.integers(1, 5))
def test_a_rebatch_gives_the_same_elements_in_lists_of_its_size(
    lists: list[list[int]], size: int
) -> None:
    found = given_by(Rebatch("here", size=size), lists)
    assert [n for each in found for n in each] == [n for each in lists for n in each]
    assert all(len(each) == size for each in found[:-1])
    assert all(found)


def test_a_rebatch_takes_single_items_too() -> None:
    assert given_by(Rebatch("here", size=2), ["ab", [1, 2], "c"]) == [["ab", 1], [2, "c"]]


@pytest.mark.parametrize(
    ("item", "elements"),
    [
        ([1, 2], [1, 2]),
        ((), []),
        (range(2), [0, 1]),
        ("text", ["text"]),
        (b"bytes", [b"bytes"]),
        (bytearray(b"a"), [bytearray(b"a")]),
        ({"a": 1}, [{"a": 1}]),
        (None, [None]),
        (7, [7]),
        ([[1], [2]], [[1], [2]]),
    ],
)
def test_an_unbatch_gives_elements_and_leaves_whole_what_has_none(
    item: Any, elements: list[Any]
) -> None:
    assert list(unbatch(item)) == elements


# --------------------------------------------------------------------------- deduplicate


@given(st.lists(st.integers(0, 5)))
def test_a_deduplicate_lets_the_first_of_each_pass(items: list[int]) -> None:
    assert given_by(Deduplicate("here", key=None), items) == list(dict.fromkeys(items))


def test_a_deduplicate_tells_items_apart_by_their_key() -> None:
    found = given_by(Deduplicate("here", key=str.lower), ["A", "b", "a", "B", "c"])
    assert found == ["A", "b", "c"]


def test_a_deduplicate_has_seen_nothing_after_another_setup() -> None:
    stage = Deduplicate("here", key=None)
    assert given_by(stage, [1]) == given_by(stage, [1]) == [1]


def test_what_cannot_be_a_key_raises_for_that_item() -> None:
    stage = Deduplicate("here", key=None)
    stage.setup()
    with pytest.raises(TypeError):
        list(stage.process([1]))
    assert list(stage.process(1)) == [1]

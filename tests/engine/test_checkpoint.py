"""What is said of a checkpoint, and how it tells items apart."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigun_py import Checkpoint, To, UsageError
from minigun_py.engine.checkpoint import key_text

simple = st.one_of(
    st.text(),
    st.binary(),
    st.integers(),
    st.text(st.characters(exclude_characters="\0/")).map(Path),
)
keys = st.recursive(simple, lambda parts: st.lists(parts, max_size=3).map(tuple), max_leaves=5)


def told_apart(key: Any) -> Any:
    """The same for two keys that are one key."""
    if isinstance(key, tuple):
        return ("tuple", *map(told_apart, key))
    return (type(key).__name__, key)


@given(keys, keys)
def test_keys_have_one_text_if_they_are_equal_and_of_one_type(one: Any, other: Any) -> None:
    assert (key_text(one) == key_text(other)) == (told_apart(one) == told_apart(other))


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("a", '"a"'),
        (1, "1"),
        (2**80, "1208925819614629174706176"),
        (b"\xff", '{"bytes":"/w=="}'),
        (PurePosixPath("a/b"), '{"path":"a/b"}'),
        (PureWindowsPath("a/b"), '{"path":"a\\\\b"}'),
        (("a", (1, b"")), '["a",[1,{"bytes":""}]]'),
        ("\ud800", '"\\ud800"'),
    ],
)
def test_a_key_can_be_read_in_the_file(key: Any, text: str) -> None:
    assert key_text(key) == text


@pytest.mark.parametrize("key", [None, True, 1.0, ["a"], {"a": 1}, ("a", None), object()])
def test_what_is_no_key_is_refused(key: Any) -> None:
    with pytest.raises(UsageError, match="a key is text, bytes, a whole number, a path"):
        key_text(key)


def test_an_item_may_be_its_own_key() -> None:
    assert Checkpoint("job.db").key_of("a") == key_text("a")


def test_what_is_sent_somewhere_by_name_is_known_by_itself() -> None:
    assert Checkpoint("job.db").key_of(To("there", 7)) == key_text(7)


def test_else_it_is_said_that_a_key_is_needed() -> None:
    with pytest.raises(UsageError, match=r"not a dict: .*Checkpoint\(path, key=f\)"):
        Checkpoint("job.db").key_of({"id": 1})
    assert Checkpoint("job.db", key=lambda row: row["id"]).key_of({"id": 1}) == "1"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"path": 7}, "path is the path of a file, not 7"),
        ({"path": ""}, "path is the path of a file, not ''"),
        ({"path": "job.db", "key": "id"}, "key is a function of an item, not 'id'"),
        ({"path": "job.db", "fresh": 1}, "fresh is True or False, not 1"),
        ({"path": "job.db", "retry_failed": None}, "retry_failed is True or False, not None"),
    ],
)
def test_wrong_values_are_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        Checkpoint(**arguments)

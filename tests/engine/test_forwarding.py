"""Between workers that are apart nothing is looked at where nobody has to."""

from __future__ import annotations

from typing import Any

import pytest

from minigun_py.engine.forwarding import forwarded
from minigun_py.plan.stage import DeclaredStage
from plan.drawing import batch, processor, segments_of, source


def ways(*stages: DeclaredStage) -> dict[str, dict[int, int]]:
    """By the first stage of a segment, what it forwards."""
    segments = segments_of(stages)
    return {
        segments[number].head.name: dict(places)
        for number, places in forwarded(segments).items()
        if places
    }


def between(first: dict[str, Any], second: dict[str, Any]) -> dict[str, dict[int, int]]:
    """What is forwarded from one stage to another, which say this of themselves."""
    return ways(source("s"), processor("a", **first), processor("b", **second))


APART = {"execution": "fork", "workers": 1}


def test_what_goes_from_fork_to_fork_is() -> None:
    assert between(APART, APART) == {"a": {0: 1}}


def test_for_several_workers_it_goes_in_parts_of_which_each_can_have_a_share() -> None:
    assert between(APART, APART | {"workers": 3}) == {"a": {0: 6}}


@pytest.mark.parametrize("kind", ["inline", "thread", "cow_fork"])
def test_at_both_ends_there_are_workers_apart_that_take_many(kind: str) -> None:
    other = {"execution": kind} if kind == "inline" else {"execution": kind, "workers": 1}
    assert between(other, APART) == between(APART, other) == {}


def test_an_item_with_a_key_is_looked_at_if_there_are_several_to_choose_from() -> None:
    keyed = APART | {"key": len}
    assert between(APART, keyed) == {"a": {0: 1}}
    assert between(APART, keyed | {"workers": 2}) == {}


def test_a_stage_that_keeps_items_gets_them_itself() -> None:
    assert ways(source("s"), processor("a", **APART), batch("b", **APART)) == {}


@pytest.mark.parametrize("routing", ["broadcast", "round_robin", "least_loaded", "partition"])
def test_of_several_targets_none_gets_them_unseen(routing: str) -> None:
    key = {"key": len} if routing == "partition" else {}
    first = processor("a", to=["b", "c"], routing=routing, **APART, **key)
    after = [processor(name, from_="a", **APART) for name in "bc"]
    assert ways(source("s"), first, *after) == {}


def test_what_is_sent_by_name_or_back_is_looked_at() -> None:
    named = [processor("a", routes=["b"], **APART), processor("b", **APART)]
    assert ways(source("s"), *named) == {}
    back = [processor("a", **APART), processor("b", feedback="a", **APART)]
    assert ways(source("s"), *back) == {}

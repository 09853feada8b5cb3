"""What a stage emits goes where the stage says, all of an item or nothing."""

from __future__ import annotations

from typing import Any

import pytest

from minigun_py import To, UsageError
from minigun_py.engine.partition import share_of
from minigun_py.engine.router import Router
from minigun_py.plan.segment import Exit
from plan.drawing import processor


def parse(item: Any) -> Any:
    """A stage that may be named by its function."""


class Ways:
    """The ways out of a stage ``a``: routes, or targets of which its routing chooses."""

    def __init__(self, *names: str, chosen: bool = False, flows: bool = False, **said: Any) -> None:
        self.sinks: dict[str, list[Any]] = {name: [] for name in names}
        exits = [
            (Exit(0, (name,), references=(name, name.rpartition(".")[2]), chosen=chosen), sink)
            for name, sink in self.sinks.items()
        ]
        self.router = Router(processor("a", **said), exits, flows)

    def deal(self, *values: Any) -> tuple[int, list[Any]]:
        """Deal what came of one item."""
        return self.router.deal(values)

    def refusal(self, *values: Any) -> str:
        """Why it cannot be dealt."""
        with pytest.raises(UsageError) as raised:
            self.deal(*values)
        return str(raised.value)


# --------------------------------------------------------------------------- To


def test_a_value_goes_where_it_is_sent() -> None:
    ways = Ways("x", "y")
    assert ways.deal(To("y", 1), To("x", 2), To("y", 3)) == (3, [])
    assert ways.sinks == {"x": [2], "y": [1, 3]}


def test_a_value_sent_to_several_is_one_that_was_emitted() -> None:
    ways = Ways("x", "y")
    assert ways.deal(To(["x", "y"], 1)) == (1, [])
    assert ways.sinks == {"x": [1], "y": [1]}


def test_a_value_sent_to_nobody_was_not_emitted() -> None:
    assert Ways("x").deal(To([], 1)) == (0, [])


def test_none_and_false_are_sent_like_any_other() -> None:
    ways = Ways("x")
    ways.deal(To("x", None), To("x", False), To("x", []))
    assert ways.sinks["x"] == [None, False, []]


def test_a_target_may_be_called_by_its_path_or_its_own_name() -> None:
    ways = Ways("clean.strip")
    ways.deal(To("clean.strip", 1), To("strip", 2))
    assert ways.sinks["clean.strip"] == [1, 2]


def test_a_name_that_two_targets_share_means_none_of_them() -> None:
    ways = Ways("one.strip", "two.strip")
    assert "it sends to 'strip', which it has not declared" in ways.refusal(To("strip", 1))
    ways.deal(To("two.strip", 1))
    assert ways.sinks["two.strip"] == [1]


def test_a_path_is_never_shared() -> None:
    ways = Ways("strip", "one.strip")
    ways.deal(To("strip", 1), To("one.strip", 2))
    assert ways.sinks == {"strip": [1], "one.strip": [2]}


def test_a_target_may_be_called_by_its_function_or_as_a_stage() -> None:
    sink: list[int] = []
    stage = processor("parse", parse)
    way_out = Exit(0, ("parse",), references=("parse", parse))
    router = Router(processor("a"), [(way_out, sink)], False)
    router.deal([To(parse, 1), To(stage, 2)])
    assert sink == [1, 2]


def test_a_function_that_cannot_be_hashed_is_no_obstacle() -> None:
    way_out = Exit(0, ("x",), references=("x", []))
    sink: list[int] = []
    Router(processor("a"), [(way_out, sink)], False).deal([To("x", 1)])
    assert sink == [1]


@pytest.mark.parametrize("target", ["z", parse, [], 3])
def test_what_is_not_declared_is_refused_with_what_to_add(target: Any) -> None:
    refused = Ways("x").refusal(To((target,), 1))
    assert refused.startswith("stage 'a': it sends to ")
    assert "which it has not declared; add routes=[" in refused


def test_an_item_that_cannot_be_dealt_sends_nothing_at_all() -> None:
    ways = Ways("x")
    ways.refusal(To("x", 1), To("z", 2))
    assert ways.sinks["x"] == []


# --------------------------------------------------------------------------- what is not sent


def test_what_is_not_sent_flows_on_in_its_order() -> None:
    assert Ways("x", flows=True).deal(1, To("x", 2), 3) == (3, [1, 3])


def test_what_is_not_sent_and_has_nowhere_to_go_is_refused() -> None:
    assert Ways("x").refusal(1) == (
        "stage 'a': it has only routes, so it sends To(name, value); for values of their own add "
        "to="
    )


def test_a_stage_that_emits_nothing_deals_nothing() -> None:
    assert Ways("x").deal() == (0, [])


# --------------------------------------------------------------------------- chosen by a function


def chooser(choice: Any) -> Ways:
    """Two targets, of which a function chooses."""
    return Ways("x", "y", chosen=True, routing=choice)


def test_a_function_names_the_target() -> None:
    ways = chooser(lambda value: "x" if value > 0 else "y")
    assert ways.deal(1, -1) == (2, [])
    assert ways.sinks == {"x": [1], "y": [-1]}


@pytest.mark.parametrize("many", [["x", "y"], ("x", "y")])
def test_a_function_names_several_targets(many: Any) -> None:
    ways = chooser(lambda value: many)
    assert ways.deal(1) == (1, [])
    assert ways.sinks == {"x": [1], "y": [1]}


@pytest.mark.parametrize("nothing", [None, [], ()])
def test_a_value_for_which_a_function_names_nobody_is_dropped(nothing: Any) -> None:
    ways = chooser(lambda value: nothing)
    assert ways.deal(1) == (0, [])
    assert ways.sinks == {"x": [], "y": []}


def test_a_function_that_names_no_target_is_refused_with_the_nearest() -> None:
    assert chooser(lambda value: "xx").refusal(1) == (
        "stage 'a': its routing gave 'xx', which is none of its targets; did you mean 'x'?"
    )


def test_what_a_function_raises_sends_nothing_of_the_item() -> None:
    ways = chooser(lambda value: ["x"] * (6 // value))
    with pytest.raises(ZeroDivisionError):
        ways.deal(1, 0)
    assert ways.sinks["x"] == []


# --------------------------------------------------------------------------- partitions


def test_a_value_goes_to_the_share_of_its_key() -> None:
    ways = Ways("x", "y", "z", chosen=True, routing="partition", key=lambda value: value[0])
    ways.deal(*[(f"k{n}", n) for n in range(20)])
    for share, sink in enumerate(ways.sinks.values()):
        assert all(share_of(key, 3) == share for key, _ in sink)
    assert sum(map(len, ways.sinks.values())) == 20


def test_without_a_key_a_value_is_its_own() -> None:
    ways = Ways("x", "y", chosen=True, routing="partition")
    ways.deal("a", "a", "a")
    assert sorted(map(len, ways.sinks.values())) == [0, 3]


def test_a_value_may_be_sent_past_a_partition() -> None:
    chosen = Exit(0, ("x",), references=("x",), chosen=True)
    routed = Exit(0, ("y",), references=("y",))
    sinks: tuple[list[int], list[int]] = ([], [])
    router = Router(
        processor("a", routing="partition"), list(zip((chosen, routed), sinks, strict=True)), False
    )
    assert router.deal([1, To("y", 2)]) == (2, [])
    assert sinks == ([1], [2])


def test_a_target_of_the_routing_is_no_route() -> None:
    ways = chooser(lambda value: "x")
    assert "which it has not declared" in ways.refusal(To("x", 1))

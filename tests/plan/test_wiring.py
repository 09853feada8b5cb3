"""Edges follow from what is said and from the order of definition, also into pipelines."""

from __future__ import annotations

import pytest

from minigun_py.errors import UsageError
from minigun_py.plan.scope import Level
from minigun_py.plan.wiring import wire
from plan.drawing import accumulator, consumer, processor, source
from plan.nesting import Member, level_of, nested, scope_of


def edges(*members: Member, **reroutes: object) -> list[str]:
    """Static edges, as "a>b", in the order in which they are dealt to."""
    wires = wire(Level(scope_of(*members, **reroutes)))
    return [f"{start}>{end}" for start, ends in wires.static.items() for end in ends]


def refusal(*members: Member) -> str:
    with pytest.raises(UsageError) as raised:
        wire(level_of(*members))
    return str(raised.value)


# --------------------------------------------------------------------------- one pipeline


def test_a_stage_feeds_the_next_that_is_no_producer() -> None:
    assert set(edges(source("s"), source("t"), processor("a"), consumer("z"))) == {
        "s>a", "t>a", "a>z",
    }  # fmt: skip


def test_a_stage_is_not_fed_by_the_one_before_it_if_it_is_only_routed_to() -> None:
    assert edges(source("s"), processor("a", routes="b"), processor("b"), consumer("z")) == [
        "s>a", "b>z",
    ]  # fmt: skip


def test_a_stage_that_is_routed_to_and_named_in_to_is_skipped_no_more() -> None:
    found = edges(source("s", to=["a", "b"]), processor("a", routes="b", to="b"), processor("b"))
    assert set(found) == {"s>a", "s>b", "a>b"}


def test_a_stage_with_routes_and_no_to_has_no_implicit_edge() -> None:
    assert edges(source("s"), processor("a", routes="z"), processor("b", to=[]), consumer("z")) == [
        "s>a"
    ]


def test_feedback_alone_leaves_the_implicit_edge() -> None:
    assert set(edges(source("s"), processor("a"), processor("b", feedback="a"), consumer("z"))) == {
        "s>a", "a>b", "b>z",
    }  # fmt: skip


def test_an_accumulator_feeds_the_next_stage() -> None:
    assert set(edges(source("s"), accumulator("a"), consumer("z"))) == {"s>a", "a>z"}


def test_siblings_of_two_fan_outs_skip_all_of_both() -> None:
    found = edges(
        source("s", to=["a", "b"]),
        source("t", to=["b", "c"]),
        processor("a"),
        processor("b"),
        processor("c"),
        consumer("z"),
    )
    assert {"a>c", "b>z", "c>z"} <= set(found)
    assert "b>c" not in found


def test_a_chain_of_explicit_edges_makes_no_siblings() -> None:
    found = edges(source("s", to="a"), processor("a", to="b"), processor("b"), consumer("z"))
    assert set(found) == {"s>a", "a>b", "b>z"}


def test_targets_keep_the_order_in_which_they_were_named() -> None:
    assert edges(source("s", to=["c", "a", "b"]), *map(consumer, "abc")) == ["s>c", "s>a", "s>b"]


def test_targets_at_several_depths_keep_that_order_too() -> None:
    found = edges(
        consumer("z"),
        nested("one", source("s", to=["z", "a", "b"]), consumer("a"), nested("two", consumer("b"))),
    )
    assert found == ["one.s>z", "one.s>one.a", "one.s>one.two.b"]


# --------------------------------------------------------------------------- reroutes


def test_a_reroute_replaces_the_targets_of_a_stage() -> None:
    found = edges(source("s"), processor("a"), consumer("y"), consumer("z"), a=["z"])
    assert set(found) == {"s>a", "a>z"}


def test_a_reroute_to_nothing_makes_an_end() -> None:
    assert edges(source("s"), processor("a"), consumer("z"), a=[]) == ["s>a"]


def test_a_reroute_leaves_what_other_stages_feed() -> None:
    found = edges(source("s"), source("t", to="z"), processor("a"), consumer("z"), a=[])
    assert set(found) == {"s>a", "t>z"}


def test_a_reroute_of_an_unknown_stage_is_refused() -> None:
    with pytest.raises(UsageError, match="reroutes of 'b': there is no stage 'b'"):
        edges(source("s"), processor("a"), b=["a"])


# --------------------------------------------------------------------------- nested pipelines


def test_a_nested_pipeline_stands_in_the_chain_as_one_member() -> None:
    found = edges(source("s"), nested("one", processor("a"), processor("b")), consumer("z"))
    assert set(found) == {"s>one.a", "one.a>one.b", "one.b>z"}


def test_the_outputs_of_its_consumers_flow_on() -> None:
    assert set(edges(source("s"), nested("one", consumer("a")), consumer("z"))) == {
        "s>one.a", "one.a>z",
    }  # fmt: skip


def test_every_stage_that_nothing_in_it_feeds_is_an_entry() -> None:
    found = edges(
        source("s"), nested("one", processor("a", to=[]), processor("b", to=[])), consumer("z")
    )
    assert {"s>one.a", "s>one.b"} <= set(found)


def test_every_stage_that_feeds_nothing_in_it_is_an_exit() -> None:
    found = edges(
        source("s"),
        nested("one", processor("a", to=["b", "c"]), consumer("b"), consumer("c")),
        consumer("z"),
    )
    assert {"one.b>z", "one.c>z"} <= set(found)


def test_a_stage_that_is_only_routed_to_is_no_entry() -> None:
    found = edges(source("s"), nested("one", processor("a", routes="b"), processor("b")))
    assert found == ["s>one.a"]


def test_a_pipeline_with_producers_of_its_own_takes_items_beside_theirs() -> None:
    found = edges(source("s"), nested("one", source("t"), processor("a")), consumer("z"))
    assert set(found) == {"s>one.a", "one.t>one.a", "one.a>z"}


def test_a_pipeline_of_producers_alone_is_skipped_as_a_producer_is() -> None:
    found = edges(source("s"), nested("one", source("t")), processor("a"))
    assert set(found) == {"s>a", "one.t>a"}


def test_items_go_round_the_producers_to_the_stages_that_nobody_feeds() -> None:
    found = edges(
        source("s"), nested("one", source("t", to="b"), processor("a", to="b"), consumer("b"))
    )
    assert "s>one.a" in found
    assert "s>one.b" not in found


def test_a_pipeline_may_be_a_target_and_an_origin() -> None:
    found = edges(
        source("s", to="one"),
        nested("two", consumer("b"), from_=["one"], to=[]),
        nested("one", processor("a"), to=["z"]),
        consumer("z"),
    )
    assert set(found) == {"s>one.a", "one.a>two.b", "one.a>z"}


def test_the_same_pipeline_twice_is_two_parts() -> None:
    found = edges(
        source("s", to=["one", "two"]),
        nested("one", processor("a")),
        nested("two", processor("a")),
        consumer("z"),
    )
    assert set(found) == {"s>one.a", "s>two.a", "one.a>z", "two.a>z"}


def test_an_edge_out_of_a_pipeline_leads_where_it_says() -> None:
    found = edges(source("s"), nested("one", processor("a", to="z")), processor("b"), consumer("z"))
    assert set(found) == {"s>one.a", "one.a>z", "b>z"}


def test_an_edge_into_a_pipeline_leads_past_its_entry() -> None:
    found = edges(source("s", to=["one.a", "one.b"]), nested("one", processor("a"), consumer("b")))
    assert {"s>one.a", "s>one.b"} <= set(found)


def test_pipelines_nest_to_any_depth() -> None:
    found = edges(source("s"), nested("x", nested("y", nested("z", processor("a")))), consumer("e"))
    assert set(found) == {"s>x.y.z.a", "x.y.z.a>e"}


def test_a_stage_that_feeds_the_pipeline_that_it_is_in_feeds_its_entry() -> None:
    found = edges(source("s"), nested("one", processor("a"), consumer("b", to="one")))
    assert "one.b>one.a" in found


def test_a_pipeline_that_takes_nothing_can_be_no_target() -> None:
    refused = refusal(source("s", to="one"), nested("one", source("t")))
    assert refused == "stage 's': a producer receives nothing, so 'one' has no input"

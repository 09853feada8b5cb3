"""A segment is a tree of stages that share a context, and its exits are what leaves it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigun_py.placement import ContextKind, ContextSpec
from minigun_py.plan.options import Options
from minigun_py.plan.segment import Exit, portable
from minigun_py.plan.stage import DeclaredStage
from plan.drawing import batch, consumer, plan_of, processor, segments_of, source

INLINE = ContextSpec(ContextKind.INLINE)


def test_a_chain_is_one_segment() -> None:
    (segment,) = segments_of([source("s"), processor("a"), consumer("c")])
    assert segment.names == ("s", "a", "c")
    assert segment.children == ((1,), (2,), ())
    assert segment.exits == (Exit(2, (), "broadcast"),)
    assert segment.spec == INLINE


def test_a_segment_with_a_producer_is_a_source() -> None:
    first, second = segments_of([source("s"), processor("a", workers=2)])
    assert (first.is_source, second.is_source) == (True, False)


def test_a_segment_begins_with_the_stage_that_receives() -> None:
    _, forked = segments_of([source("s"), processor("a", execution="fork"), processor("b")])
    assert (forked.head.name, forked.names) == ("a", ("a", "b"))


def test_a_fan_out_is_a_tree() -> None:
    (segment,) = segments_of(
        [source("s", to=["a", "b"]), processor("a", to="c"), consumer("b"), consumer("c")]
    )
    assert segment.names == ("s", "a", "b", "c")
    assert segment.children == ((1, 2), (3,), (), ())
    assert [way_out.stage for way_out in segment.exits] == [2, 3]


def test_what_another_segment_receives_is_an_exit() -> None:
    first, _ = segments_of([source("s"), processor("a", workers=2)])
    assert first.exits == (Exit(0, ("a",), "broadcast"),)


def test_a_stage_may_have_children_and_an_exit() -> None:
    first, *_ = segments_of([source("s", to=["a", "b"]), consumer("a", workers=2), consumer("b")])
    assert first.children == ((1,), ())
    assert first.exits == (Exit(0, ("a",), "broadcast"), Exit(1, (), "broadcast"))


def test_an_exit_keeps_the_order_of_its_targets_and_its_routing() -> None:
    first, *_ = segments_of(
        [source("s", to=["b", "a"], routing="round_robin"), consumer("a"), consumer("b")]
    )
    assert first.exits == (Exit(0, ("b", "a"), "round_robin"),)


@pytest.mark.parametrize("routing", ["round_robin", "least_loaded", "partition", len])
def test_what_an_end_emits_is_the_callers_however_it_would_be_dealt(routing: Any) -> None:
    (segment,) = segments_of([source("s"), processor("a", routing=routing)])
    assert segment.exits == (Exit(1, (), "broadcast"),)


def test_what_a_stage_chooses_has_an_exit_for_each_target() -> None:
    def end(item: Any) -> None: ...

    first, *_ = segments_of(
        [source("s", to=["a", "b"], routing=len), consumer("a", end), consumer("b")]
    )
    assert [(e.targets, e.chosen, e.feedback) for e in first.exits] == [
        (("a",), True, False), (("b",), True, False),
    ]  # fmt: skip
    assert {"a", end} <= set(first.exits[0].references)
    assert first.is_routed(0)


def test_a_route_is_an_exit_with_the_names_that_its_stage_may_use() -> None:
    end = consumer("b", abs)
    first, *_ = segments_of([source("s"), processor("a", routes=[end, "c"]), end, consumer("c")])
    assert [(e.stage, e.targets, e.chosen) for e in first.exits] == [
        (1, ("b",), False), (1, ("c",), False),
    ]  # fmt: skip
    assert set(first.exits[0].references) == {"b", abs}
    assert (first.is_routed(0), first.is_routed(1)) == (False, True)


def test_a_way_back_is_an_exit_and_what_flows_on_another() -> None:
    *_, last = segments_of([source("s"), processor("a"), processor("b", workers=2, feedback="a")])
    flows, back = last.exits
    assert (flows.targets, flows.feedback) == ((), False)
    assert (back.targets, back.feedback) == (("a",), True)


def test_its_functions_are_all_that_the_user_wrote_for_its_stages() -> None:
    (segment,) = segments_of(
        [source("s", list), processor("a", abs, setup=int, teardown=print), consumer("c", len)]
    )
    assert segment.functions == (list, abs, int, print, len)


def test_a_portable_segment_says_nothing_of_other_stages() -> None:
    (segment,) = segments_of(
        [source("s", to=["a"]), processor("a", abs, from_=["s"], setup=int, teardown=print)]
    )
    bare = portable(segment)
    assert [stage.options for stage in bare.stages] == [
        Options(),
        Options(setup=int, teardown=print),
    ]
    assert (bare.names, bare.children, bare.exits, bare.spec) == (
        segment.names, segment.children, segment.exits, segment.spec,
    )  # fmt: skip
    assert bare.functions == segment.functions


def test_a_function_that_chooses_targets_is_one_of_its_functions() -> None:
    first, *_ = segments_of([source("s", list, to=["a", "b"], routing="partition", key=len),
                             consumer("a", abs), consumer("b", abs)])  # fmt: skip
    assert first.functions == (list, len)


def test_a_portable_segment_keeps_what_chooses_targets() -> None:
    first, *_ = segments_of([source("s", to=["a", "b"], routing="partition", key=len),
                             consumer("a"), consumer("b")])  # fmt: skip
    assert portable(first).head.options == Options(routing="partition", key=len)


def test_segments_come_in_the_order_in_which_items_flow() -> None:
    heads = [
        s.head.name
        for s in segments_of(
            [source("s", to="c"), processor("b", workers=1, from_="c", to="d"),
             processor("c", workers=1, to=[]), batch("d"), consumer("e")]
        )
    ]  # fmt: skip
    assert heads == ["s", "c", "b", "d", "e"]


@st.composite
def pipelines(draw: st.DrawFn) -> list[DeclaredStage]:
    """A producer, then stages that are fed by any of those before them."""
    stages: list[DeclaredStage] = [source("s0", to=[])]
    for number in range(1, draw(st.integers(1, 8))):
        feeders = draw(st.sets(st.integers(0, number - 1), min_size=1, max_size=3))
        make = draw(st.sampled_from([processor, consumer, batch]))
        own = draw(st.sampled_from([{}, {}, {"execution": "fork"}, {"workers": 2}]))
        options = {} if make is batch else own
        from_ = [f"s{n}" for n in sorted(feeders)]
        stages.append(make(f"s{number}", from_=from_, to=[], **options))
    return stages


@given(pipelines())
def test_every_edge_is_in_exactly_one_place(stages: list[DeclaredStage]) -> None:
    plan = plan_of(*stages)
    found = []
    for segment in plan.segments:
        for index, stage in enumerate(segment.stages):
            found += [(stage.name, segment.names[child]) for child in segment.children[index]]
        for way_out in segment.exits:
            found += [(segment.names[way_out.stage], target) for target in way_out.targets]
    assert sorted(found) == sorted(plan.graph.dag.edges)


@given(pipelines())
def test_every_stage_is_in_exactly_one_segment(stages: list[DeclaredStage]) -> None:
    names = [name for segment in plan_of(*stages).segments for name in segment.names]
    assert sorted(names) == sorted(stage.name for stage in stages)


@given(pipelines())
def test_only_the_head_of_a_segment_is_fed_from_outside(stages: list[DeclaredStage]) -> None:
    segments = plan_of(*stages).segments
    heads = {segment.head.name for segment in segments}
    targets = {name for s in segments for way_out in s.exits for name in way_out.targets}
    assert targets <= heads


@given(pipelines())
def test_only_ends_give_to_the_caller(stages: list[DeclaredStage]) -> None:
    plan = plan_of(*stages)
    ends = {
        segment.names[way_out.stage]
        for segment in plan.segments
        for way_out in segment.exits
        if not way_out.targets
    }
    assert ends == set(plan.graph.dag.sinks())

"""A pipeline within another keeps its own shape, and gives and takes as one stage would."""

from __future__ import annotations

import pytest

from minigun_py.errors import UsageError
from minigun_py.plan.hooks import Hook
from plan.drawing import consumer, processor, source
from plan.nesting import graph_of, nested


def nothing() -> None:
    """A hook."""


def test_stages_are_known_by_their_paths() -> None:
    graph = graph_of(source("s"), nested("one", processor("a"), nested("two", consumer("b"))))
    assert list(graph.stages) == ["s", "one.a", "one.two.b"]


def test_a_stage_is_not_changed_by_the_pipelines_around_it() -> None:
    inner = processor("a")
    graph_of(source("s"), nested("one", inner))
    assert inner.name == "a"


def test_the_same_pipeline_under_two_names_has_two_sets_of_stages() -> None:
    inner = (processor("a"), consumer("b"))
    graph = graph_of(source("s"), nested("one", *inner), nested("two", *inner))
    assert list(graph.stages) == ["s", "one.a", "one.b", "two.a", "two.b"]
    assert graph.dag.successors("one.b") == ("two.a",)


def test_a_path_that_is_a_name_as_well_is_refused() -> None:
    with pytest.raises(UsageError, match=r"stage 'one\.a' has the path of stage 'one\.a'"):
        graph_of(source("s"), processor("one.a"), nested("one", consumer("a")))


def test_a_pipeline_with_its_own_producer_can_run() -> None:
    graph_of(nested("one", source("s"), processor("a")), consumer("z")).check_runnable()


def test_an_unreached_stage_of_a_nested_pipeline_is_told_by_its_path() -> None:
    graph = graph_of(source("s", to="one.b"), nested("one", consumer("a"), consumer("b")))
    with pytest.raises(UsageError, match=r"stage 'one\.a' can never receive an item"):
        graph.check_runnable()


def test_a_cycle_through_pipelines_is_told_by_paths() -> None:
    with pytest.raises(UsageError, match=r"form a cycle: one\.a -> two\.b -> one\.a"):
        graph_of(
            source("s", to="one"), nested("one", processor("a"), to=["two"]),
            nested("two", processor("b"), to=["one"]),
        )  # fmt: skip


def test_items_take_the_place_of_producers_at_every_depth() -> None:
    graph = graph_of(nested("one", source("s"), processor("a")), source("t"), consumer("z"))
    fed = graph.fed_by(source("items", [1]))
    assert list(fed.stages) == ["items", "one.a", "z"]
    assert set(fed.static("items")) == {"one.a", "z"}


def test_a_loop_may_lead_through_pipelines() -> None:
    graph = graph_of(
        source("s"), processor("a"), nested("one", processor("b", feedback="a")), consumer("z")
    )
    assert graph.comes_back_to("a")
    assert graph.static("one.b") == ("z",)


# --------------------------------------------------------------------------- what is cut off


def test_what_a_reroute_cuts_off_is_left_out_with_a_note() -> None:
    graph = graph_of(source("s"), processor("a"), processor("b"), consumer("z"), a=["z"])
    assert list(graph.stages) == ["s", "a", "z"]
    assert graph.notes == ("stage 'b' is left out: a reroute cut it off",)


def test_what_is_left_out_feeds_nobody() -> None:
    graph = graph_of(source("s"), processor("a"), processor("b"), consumer("z"), a=["z"])
    assert graph.dag.predecessors("z") == ("a",)


def test_a_pipeline_that_is_cut_off_is_left_out_as_a_whole() -> None:
    graph = graph_of(
        source("s"), processor("a"), nested("one", processor("b"), processor("c")), consumer("z"),
        a=["z"],
    )  # fmt: skip
    assert list(graph.stages) == ["s", "a", "z"]


def test_a_reroute_of_a_nested_pipeline_redirects_what_flows_out_of_it() -> None:
    graph = graph_of(
        source("s"), nested("one", processor("a"), processor("b")), consumer("y"), consumer("z"),
        one=["z"],
    )  # fmt: skip
    assert graph.static("one.b") == ("z",)
    assert "y" not in graph.stages


def test_a_reroute_within_a_nested_pipeline_counts_there() -> None:
    inner = nested("one", processor("a"), processor("b"), processor("c"), a=["c"])
    graph = graph_of(source("s"), inner, consumer("z"))
    assert graph.static("one.a") == ("one.c",)
    assert "one.b" not in graph.stages


def test_without_a_reroute_nothing_is_left_out() -> None:
    graph = graph_of(source("s", to="z"), processor("a"), consumer("z"))
    assert "a" in graph.stages
    assert graph.notes == ()


def test_without_a_producer_a_reroute_leaves_nothing_out() -> None:
    graph = graph_of(processor("a"), processor("b"), consumer("z"), a=["z"])
    assert list(graph.stages) == ["a", "b", "z"]


# --------------------------------------------------------------------------- hooks


def test_hooks_of_a_nested_pipeline_belong_to_the_whole() -> None:
    graph = graph_of(
        source("s"), nested("one", consumer("a"), hooks=(Hook("before_run", nothing),))
    )
    assert graph.hooks.of("before_run") == (nothing,)


def test_a_hook_of_a_stage_is_known_by_its_path() -> None:
    hook = Hook("before", nothing, "a")
    graph = graph_of(source("s"), nested("one", consumer("a"), hooks=(hook,)), consumer("a"))
    assert graph.hooks.of_stage("before", "one.a") == (nothing,)
    assert graph.hooks.of_stage("before", "a") == ()


def test_an_outer_pipeline_may_hook_a_stage_further_in() -> None:
    graph = graph_of(
        source("s"), nested("one", consumer("a")), hooks=(Hook("after", nothing, "a"),)
    )
    assert graph.hooks.of_stage("after", "one.a") == (nothing,)


def test_a_hook_of_an_unknown_stage_is_refused() -> None:
    with pytest.raises(UsageError, match=r"hook before \(.*nested_graph.py:\d+\): there is no"):
        graph_of(source("s"), hooks=(Hook("before", nothing, "a"),))


def test_a_hook_of_a_pipeline_is_refused() -> None:
    with pytest.raises(UsageError, match="'one' is a pipeline; name one of its stages"):
        graph_of(source("s"), nested("one", consumer("a")), hooks=(Hook("after", nothing, "one"),))


def test_hooks_stay_when_items_take_the_place_of_the_producers() -> None:
    graph = graph_of(source("s"), consumer("a"), hooks=(Hook("before_run", nothing),))
    assert graph.fed_by(source("items")).hooks.of("before_run") == (nothing,)

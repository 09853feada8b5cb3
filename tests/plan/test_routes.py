"""A stage may send where it has said that it might, and what it might do counts as an edge."""

from __future__ import annotations

import pytest

from minigun_py.errors import UsageError
from minigun_py.plan.graph import StageGraph
from minigun_py.plan.wiring import Route
from plan.drawing import accumulator, consumer, processor, source
from plan.nesting import Member, graph_of, nested


def double(number: int) -> int:
    return 2 * number


def refusal(*members: Member) -> str:
    with pytest.raises(UsageError) as raised:
        graph_of(*members)
    return str(raised.value)


def routes(graph: StageGraph, name: str) -> list[tuple[str, ...]]:
    """The targets of the routes of a stage."""
    return [route.targets for route in graph.routes(name)]


# --------------------------------------------------------------------------- routes


def test_a_route_is_no_static_edge() -> None:
    graph = graph_of(source("s"), processor("a", routes="z"), consumer("z"))
    assert graph.static("a") == ()
    assert routes(graph, "a") == [("z",)]


def test_a_route_is_an_edge_of_the_graph() -> None:
    graph = graph_of(source("s"), processor("a", routes="z"), consumer("z"))
    assert graph.dag.successors("a") == ("z",)


def test_routes_keep_their_order() -> None:
    graph = graph_of(source("s"), processor("a", routes=["z", "y"]), consumer("y"), consumer("z"))
    assert routes(graph, "a") == [("z",), ("y",)]


def test_a_stage_may_have_routes_and_targets() -> None:
    graph = graph_of(source("s"), processor("a", routes="z", to="y"), consumer("y"), consumer("z"))
    assert (graph.static("a"), routes(graph, "a")) == (("y",), [("z",)])


def test_a_producer_may_have_routes() -> None:
    graph = graph_of(source("s", routes=["y", "z"]), consumer("y"), consumer("z"))
    graph.check_runnable()
    assert graph.dag.sources() == ("s",)


def test_a_stage_that_is_only_routed_to_can_be_reached() -> None:
    graph_of(source("s"), processor("a", routes="z"), consumer("z")).check_runnable()


def test_a_target_may_be_called_by_its_name_or_its_function() -> None:
    graph = graph_of(source("s"), processor("a", routes=double), processor("z", double))
    (route,) = graph.routes("a")
    assert set(route.references) == {"z", double}


def test_a_target_further_in_may_be_called_by_its_path_too() -> None:
    graph = graph_of(
        source("s"), processor("a", routes="z", to=[]), nested("one", processor("z", double))
    )
    (route,) = graph.routes("a")
    assert set(route.references) == {"z", "one.z", double}


def test_a_route_to_a_pipeline_leads_to_all_its_entries() -> None:
    graph = graph_of(
        source("s"),
        processor("a", routes="one"),
        nested("one", consumer("y"), consumer("z")),
    )
    (route,) = graph.routes("a")
    assert route.targets == ("one.y", "one.z")
    assert "one" in route.references


def test_a_route_to_a_producer_is_refused() -> None:
    assert refusal(source("s"), processor("a", routes="s")) == (
        "stage 'a': a producer receives nothing, so 's' has no input"
    )


def test_routes_count_for_cycles() -> None:
    assert "form a cycle: a -> b -> a" in refusal(
        source("s"), processor("a"), processor("b", routes="a")
    )


# --------------------------------------------------------------------------- feedback


def test_feedback_is_a_route_that_leads_back() -> None:
    graph = graph_of(source("s"), processor("a"), processor("b", feedback="a"))
    (route,) = graph.routes("b")
    assert (route.targets, route.feedback) == (("a",), True)


def test_feedback_is_no_edge_of_the_graph() -> None:
    graph = graph_of(source("s"), processor("a"), processor("b", feedback="a"))
    assert graph.dag.edges == (("s", "a"), ("a", "b"))


def test_it_is_known_where_something_comes_back() -> None:
    graph = graph_of(source("s"), processor("a"), processor("b", feedback="a"))
    assert [graph.comes_back_to(name) for name in "sab"] == [False, True, False]


def test_a_stage_may_send_back_to_itself() -> None:
    graph = graph_of(source("s"), processor("a", feedback="a"))
    assert graph.comes_back_to("a")


def test_feedback_to_what_does_not_lead_there_is_refused() -> None:
    assert "feedback leads back, and 'b' does not lead to it; name 'b' in routes" in refusal(
        source("s", to=["a", "b"]), processor("a", feedback="b", to=[]), processor("b", to=[])
    )


def test_feedback_that_leads_back_only_by_other_feedback_is_refused() -> None:
    assert "'b' does not lead to it" in refusal(
        source("s"),
        processor("a", feedback="c", to=["b", "c"]),
        processor("b", feedback="a", to=[]),
        processor("c", feedback="a", to=[]),
    ).replace("'c' does", "'b' does")


def test_routes_count_as_ways_that_lead_to_feedback() -> None:
    graph = graph_of(source("s"), processor("a", routes="b"), processor("b", feedback="a"))
    assert graph.comes_back_to("a")


@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_iterator_cannot_be_in_a_loop_at_any_place(place: int) -> None:
    names = "abc"
    members = [
        (accumulator if n == place else processor)(name, feedback="a" if name == "c" else ())
        for n, name in enumerate(names)
    ]
    assert f"stage {names[place]!r}: it is in a loop with 'a'" in refusal(source("s"), *members)


def test_an_iterator_beside_a_loop_is_no_part_of_it() -> None:
    graph_of(
        source("s"),
        accumulator("before"),
        processor("a", to=["b", "beside"]),
        processor("b", feedback="a", to="after"),
        accumulator("beside", to=[]),
        accumulator("after"),
    )


def test_an_iterator_between_two_loops_that_feed_each_other_is_in_both() -> None:
    assert "stage 'x': it is in a loop" in refusal(
        source("s", to=["a", "c"]),
        processor("a", to=["b", "x"]),
        accumulator("x", to="d"),
        processor("b", feedback="a", to=[]),
        processor("c", to=["b", "d"]),
        processor("d", feedback="c", to=[]),
    )


# --------------------------------------------------------------------------- items, and reroutes


def test_routes_stay_when_items_take_the_place_of_the_producers() -> None:
    graph = graph_of(source("s"), processor("a", routes="z"), consumer("z"))
    fed = graph.fed_by(source("items", [1]))
    assert routes(fed, "a") == [("z",)]


def test_a_reroute_leaves_routes_as_they_are() -> None:
    graph = graph_of(
        source("s"), processor("a", routes="z", to="y"), consumer("y"), consumer("z"), a=[]
    )
    assert (graph.static("a"), routes(graph, "a")) == ((), [("z",)])


def test_a_graph_of_edges_alone_has_no_routes() -> None:
    graph = graph_of(source("s"), consumer("z"))
    assert StageGraph.of(graph.dag, graph.stages).routes("s") == ()


def test_a_route_is_a_value() -> None:
    assert Route(("a",), ("a",)) == Route(("a",), ("a",), feedback=False)

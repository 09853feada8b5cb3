"""A Dag answers in definition order, finds cycles, and is as deep as it likes."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigun_py.dag import CycleFound, Dag, circles
from support.effort import instructions

Edges = list[tuple[int, int]]


def build(nodes: int, edges: Edges) -> Dag[int]:
    dag: Dag[int] = Dag()
    for node in range(nodes):
        dag.add_node(node)
    for source, target in edges:
        dag.add_edge(source, target)
    return dag


def spell(nodes: str, *edges: str) -> Dag[str]:
    """A graph of one-letter nodes; the edge "ab" leads from a to b."""
    dag: Dag[str] = Dag()
    for node in nodes:
        dag.add_node(node)
    for edge in edges:
        dag.add_edge(*tuple(edge))
    return dag


@st.composite
def edge_lists(draw: st.DrawFn) -> tuple[int, Edges]:
    """Any graph."""
    nodes = draw(st.integers(1, 12))
    node = st.integers(0, nodes - 1)
    return nodes, draw(st.lists(st.tuples(node, node), max_size=30))


@st.composite
def acyclic_edge_lists(draw: st.DrawFn) -> tuple[int, Edges]:
    """Any graph without a cycle: all edges go up in a shuffled ranking."""
    nodes, edges = draw(edge_lists())
    rank = draw(st.permutations(range(nodes)))
    return nodes, [(a, b) if rank[a] < rank[b] else (b, a) for a, b in edges if rank[a] != rank[b]]


def test_nodes_and_edges_keep_the_order_they_were_added_in() -> None:
    dag = spell("cab", "ca", "cb", "ab")
    assert dag.nodes == ("c", "a", "b")
    assert dag.edges == (("c", "a"), ("c", "b"), ("a", "b"))
    assert dag.successors("c") == ("a", "b")
    assert dag.predecessors("b") == ("c", "a")


def test_adding_a_node_or_an_edge_twice_changes_nothing() -> None:
    dag = spell("aba", "ab", "ab")
    assert (dag.nodes, dag.edges) == (("a", "b"), (("a", "b"),))


def test_sources_have_no_predecessor_and_sinks_no_successor() -> None:
    dag = spell("abcd", "ab", "ac")
    assert (dag.sources(), dag.sinks()) == (("a", "d"), ("b", "c", "d"))


@pytest.mark.parametrize("edge", ["ax", "xa"])
def test_an_edge_needs_both_its_nodes(edge: str) -> None:
    dag = spell("a")
    with pytest.raises(KeyError, match=r"'x' is not a node of this graph: add it"):
        dag.add_edge(*edge)
    assert dag.edges == ()


def test_an_unknown_node_has_no_neighbours_and_reaches_nothing() -> None:
    dag = spell("a")
    for ask in (dag.successors, dag.predecessors, dag.reachable_from):
        with pytest.raises(KeyError, match="'x' is not a node"):
            ask("x")


def test_the_order_takes_the_first_defined_of_the_nodes_that_are_ready() -> None:
    assert spell("dcba", "ad").order() == ("c", "b", "a", "d")
    assert spell("abcd", "ad").order() == ("a", "b", "c", "d")


def test_a_layer_is_as_far_from_the_sources_as_the_longest_path() -> None:
    dag = spell("abcde", "ab", "bc", "ac", "ed")
    assert dag.layers() == [("a", "e"), ("b", "d"), ("c",)]


def test_reachable_are_the_nodes_themselves_and_all_behind_them() -> None:
    dag = spell("abcde", "ab", "bc", "de")
    assert dag.reachable_from("b") == {"b", "c"}
    assert dag.reachable_from(["b", "d"]) == {"b", "c", "d", "e"}
    assert dag.reachable_from([]) == frozenset()


def test_an_empty_graph_has_an_empty_order() -> None:
    dag: Dag[str] = Dag()
    assert (dag.order(), dag.layers(), dag.cycle()) == ((), [], None)


def test_a_cycle_is_told_whole_from_its_first_defined_node() -> None:
    dag = spell("xabc", "xb", "bc", "ca", "ab")
    assert dag.cycle() == ("a", "b", "c", "a")
    for ask in (dag.order, dag.layers):
        with pytest.raises(CycleFound, match=r"in a cycle: a -> b -> c -> a$") as found:
            ask()
        assert found.value.nodes == ("a", "b", "c", "a")


def test_an_edge_to_itself_is_a_cycle() -> None:
    assert spell("a", "aa").cycle() == ("a", "a")


def test_a_found_cycle_can_cross_to_another_process() -> None:
    found = pickle.loads(pickle.dumps(CycleFound(("a", "a"))))
    assert found.nodes == ("a", "a")


@given(acyclic_edge_lists())
def test_every_order_puts_each_node_after_its_predecessors(graph: tuple[int, Edges]) -> None:
    dag = build(*graph)
    place = {node: index for index, node in enumerate(dag.order())}
    assert sorted(place) == list(dag.nodes)
    assert all(place[source] < place[target] for source, target in dag.edges)


@given(acyclic_edge_lists())
def test_the_order_is_the_smallest_there_is(graph: tuple[int, Edges]) -> None:
    dag = build(*graph)
    done: list[int] = []
    for chosen in dag.order():
        ready = [n for n in dag.nodes if n not in done and {*dag.predecessors(n)} <= {*done}]
        assert chosen == min(ready)
        done.append(chosen)


@given(acyclic_edge_lists())
def test_each_node_is_one_layer_below_its_deepest_predecessor(graph: tuple[int, Edges]) -> None:
    dag = build(*graph)
    layer = {node: depth for depth, nodes in enumerate(dag.layers()) for node in nodes}
    for node in dag.nodes:
        assert layer[node] == 1 + max((layer[n] for n in dag.predecessors(node)), default=-1)


@given(edge_lists())
def test_a_graph_has_either_an_order_or_a_cycle_along_its_edges(graph: tuple[int, Edges]) -> None:
    dag = build(*graph)
    cycle = dag.cycle()
    if cycle is None:
        assert len(dag.order()) == len(dag.nodes)
    else:
        assert cycle[0] == cycle[-1] == min(cycle)
        assert {*pairwise(cycle)} <= {*dag.edges}


def row(count: int) -> Dag[int]:
    return build(count, [(node, node + 1) for node in range(count - 1)])


def test_ten_thousand_nodes_may_stand_in_a_row() -> None:
    dag = row(10_000)
    assert dag.order() == dag.nodes
    assert len(dag.layers()) == len(dag.reachable_from([0])) == 10_000
    dag.add_edge(9_999, 0)
    assert dag.cycle() == (*dag.nodes, 0)


ASKED: dict[str, Callable[[Dag[int]], object]] = {
    "order": Dag.order,
    "layers": Dag.layers,
    "reached": lambda dag: dag.reachable_from([0]),
    "cycle": Dag.cycle,
    "circles": lambda dag: circles({node: dag.successors(node) for node in dag.nodes}),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
def test_ten_times_the_nodes_are_ten_times_the_work(ask: Callable[[Dag[int]], object]) -> None:
    few, many = row(200), row(2_000)
    assert instructions(lambda: ask(many)) < 15 * instructions(lambda: ask(few))

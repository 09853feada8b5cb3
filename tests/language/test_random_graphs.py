"""Whatever the graph, a run gives what a program of ten lines gives, and its books balance.

Books that do not balance join what a run raises, so every run here is an audit as well.
"""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings

from language.random_graph import Graph, built, expected, graphs

USUAL = settings.default.max_examples if settings.default else 100
"""How many examples the profile asks for."""


def check(graph: Graph, execution: str | None = None) -> None:
    """Run a graph; compare what it gives with what it has to give."""
    wanted = expected(graph)
    with built(graph).stream(execution=execution, timeout=30) as stream:
        given_out = Counter(stream)
    assert given_out == wanted
    assert stream.report.ok
    assert stream.report.outputs == wanted.total()


@settings(max_examples=USUAL // 2)
@given(graphs())
def test_an_inline_run_of_any_graph_gives_what_its_stages_give_one_by_one(graph: Graph) -> None:
    check(graph, "inline")


@settings(max_examples=USUAL // 3)
@given(graphs())
def test_a_run_of_any_graph_in_threads_and_coroutines_gives_the_same(graph: Graph) -> None:
    check(graph)


@settings(max_examples=USUAL // 10)
@given(graphs(forks=2))
def test_a_run_of_any_graph_gives_the_same_where_stages_are_forked(graph: Graph) -> None:
    check(graph)

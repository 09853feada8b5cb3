"""Whatever the graph, a run gives what a program of ten lines gives, and its books balance.

Books that do not balance join what a run raises, so every run here is an audit as well.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings

from language.random_graph import SOURCES, Graph, built, expected, graphs

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


def check_finished(graph: Graph, execution: str | None = None) -> None:
    """Run a graph with a checkpoint, and once more when everything is finished."""
    wanted, drawn = expected(graph), drawn_from(graph)
    with TemporaryDirectory() as directory:
        path = Path(directory) / "job.db"
        with built(graph).stream(execution=execution, timeout=30, checkpoint=path) as stream:
            assert Counter(stream) == wanted
        assert recorded(path) == drawn
        again = built(graph).run(execution=execution, timeout=30, checkpoint=path)
        assert again.already_finished == drawn.total()


def drawn_from(graph: Graph) -> Counter[str]:
    """How many items each source gives."""
    sources = [node for node in graph.nodes if node.kind in SOURCES]
    return +Counter({n.name: len([*n.emits([*range(n.number)])]) for n in sources})


def recorded(path: Path) -> Counter[str]:
    """How many items of each source are finished."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        times = connection.execute("SELECT source, sum(times) FROM finished GROUP BY source")
        return Counter({source.rpartition(".")[2]: count for source, count in times})


@settings(max_examples=USUAL // 3)
@given(graphs())
def test_in_the_end_every_source_item_is_finished_inline(graph: Graph) -> None:
    check_finished(graph, "inline")


@settings(max_examples=USUAL // 4)
@given(graphs())
def test_in_the_end_every_source_item_is_finished(graph: Graph) -> None:
    check_finished(graph)


@settings(max_examples=USUAL // 10)
@given(graphs(forks=2))
def test_in_the_end_every_source_item_is_finished_where_stages_are_forked(graph: Graph) -> None:
    check_finished(graph)

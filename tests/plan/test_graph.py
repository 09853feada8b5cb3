"""A StageGraph has the edges that were meant, and refuses a shape that cannot run."""

from __future__ import annotations

import re

import pytest

from minigun_py.errors import UsageError
from minigun_py.plan.graph import StageGraph
from minigun_py.plan.stage import DeclaredStage
from plan.drawing import batch, consumer, processor, source


def edges(*stages: DeclaredStage) -> set[str]:
    """Edges of one-letter stages: "ab" leads from a to b."""
    return {"".join(edge) for edge in StageGraph(stages).dag.edges}


def refusal(*stages: DeclaredStage) -> str:
    """Why these stages are no graph."""
    with pytest.raises(UsageError) as raised:
        StageGraph(stages)
    return str(raised.value)


# --------------------------------------------------------------------------- implicit edges


def test_each_stage_feeds_the_one_defined_after_it() -> None:
    assert edges(source("s"), processor("a"), batch("b"), consumer("c")) == {"sa", "ab", "bc"}


def test_several_producers_all_feed_the_first_stage_that_is_none() -> None:
    assert edges(source("s"), source("t"), processor("a")) == {"sa", "ta"}


def test_a_producer_defined_later_is_skipped() -> None:
    assert edges(source("s"), processor("a"), source("t"), processor("b")) == {"sa", "ab", "tb"}


def test_every_branch_of_a_fan_out_feeds_the_stage_after_it() -> None:
    assert edges(
        source("s", to=["a", "b", "c"]),
        processor("a"),
        processor("b"),
        processor("c"),
        consumer("d"),
    ) == {"sa", "sb", "sc", "ad", "bd", "cd"}


def test_a_fan_out_made_by_from_has_siblings_too() -> None:
    assert edges(
        source("s", to=[]),
        processor("a", from_="s"),
        processor("b", from_="s"),
        consumer("c"),
    ) == {"sa", "sb", "ac", "bc"}


def test_a_branch_with_targets_of_its_own_does_not_join_its_siblings() -> None:
    assert edges(
        source("s", to=["a", "b"]),
        processor("a", to="d"),
        processor("b"),
        consumer("c"),
        consumer("d"),
    ) == {"sa", "sb", "ad", "bc"}


def test_a_consumer_is_an_end() -> None:
    assert edges(source("s", to=["a", "b"]), consumer("a"), consumer("b")) == {"sa", "sb"}


def test_a_consumer_with_targets_feeds_them() -> None:
    assert edges(source("s"), consumer("a", to="b"), consumer("b")) == {"sa", "ab"}


def test_no_targets_at_all_make_an_end() -> None:
    assert edges(source("s"), processor("a", to=[]), processor("b", from_="s")) == {"sa", "sb"}


def test_the_last_processor_is_an_end() -> None:
    assert edges(source("s"), processor("a")) == {"sa"}


# --------------------------------------------------------------------------- explicit edges


def test_explicit_targets_replace_the_implicit_one() -> None:
    assert edges(source("s", to="b"), processor("a", from_="b", to=[]), processor("b", to=[])) == {
        "sb",
        "ba",
    }


def test_from_adds_to_what_feeds_a_stage() -> None:
    assert edges(source("s"), processor("a"), processor("b", from_="s")) == {"sa", "ab", "sb"}


def test_a_target_may_be_defined_later() -> None:
    assert edges(source("s", to="c"), consumer("b", from_="c"), processor("c", to="b")) == {
        "sc",
        "cb",
    }


def test_an_edge_said_twice_is_one_edge() -> None:
    graph = StageGraph([source("s", to=["a", "a"]), consumer("a", from_=["s"])])
    assert graph.dag.edges == (("s", "a"),)


def test_edges_keep_the_order_in_which_they_were_said() -> None:
    graph = StageGraph([source("s", to=["b", "a"]), consumer("a"), consumer("b")])
    assert graph.dag.successors("s") == ("b", "a")


def test_a_stage_may_be_named_by_its_function() -> None:
    def double(n: int) -> int:
        return 2 * n

    assert edges(source("s", to=double), consumer("a"), processor("d", double)) >= {"sd"}


def test_a_stage_may_be_named_by_a_method() -> None:
    class Word:
        def shout(self, text: str) -> str:
            return text + "!"

    word = Word()
    graph = StageGraph([source("s", to=word.shout), processor("a", word.shout)])
    assert graph.dag.successors("s") == ("a",)


def test_a_producer_may_be_named_by_its_function() -> None:
    def numbers() -> None: ...

    assert edges(source("s", numbers, to=[]), consumer("a", from_=numbers)) == {"sa"}


def test_a_stage_may_be_named_by_itself() -> None:
    end = consumer("a")
    assert edges(source("s", to=end), end) == {"sa"}


def test_a_source_that_cannot_be_compared_hinders_nobody() -> None:
    class Array(list[int]):
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            raise ValueError("the truth of an array is ambiguous")

    def double(n: int) -> int:
        return 2 * n

    assert edges(source("s", Array(), to=double), processor("d", double)) == {"sd"}


# --------------------------------------------------------------------------- refusals


def test_a_cycle_is_told_whole_and_in_order() -> None:
    assert (
        refusal(source("s"), processor("a"), processor("b"), processor("c", to="a"))
        == "the stages form a cycle: a -> b -> c -> a; remove one of these edges, or name the one "
        "that leads back in feedback"
    )


def test_a_stage_that_feeds_itself_is_a_cycle() -> None:
    assert "a cycle: a -> a;" in refusal(source("s"), processor("a", to="a"))


def test_a_cycle_is_refused_where_no_producer_leads_to_it() -> None:
    assert "a cycle: a -> b -> a;" in refusal(processor("a", to="b"), processor("b", to="a"))


def test_a_name_twice_tells_where_both_are() -> None:
    first, second = processor("load"), processor("load")
    object.__setattr__(first, "location", "a.py:1")
    object.__setattr__(second, "location", "b.py:2")
    assert refusal(first, second) == "stage 'load' (b.py:2) has the name of stage 'load' (a.py:1)"


def test_an_unknown_target_is_told_with_the_nearest_names() -> None:
    assert (
        refusal(source("read", to="prase"), processor("parse"), consumer("store"))
        == "stage 'read': there is no stage 'prase'; did you mean 'parse'?"
    )


def test_an_unknown_target_that_is_like_no_other_is_told_with_all_names() -> None:
    message = refusal(source("read", to="xyz"), consumer("store"))
    assert message.endswith("there is no stage 'xyz'; there are 'read', 'store'")


def test_an_unknown_origin_is_told_like_an_unknown_target() -> None:
    message = refusal(source("read"), consumer("store", from_="reed"))
    assert message == "stage 'store': there is no stage 'reed'; did you mean 'read'?"


def test_a_function_that_is_no_stage_is_told_by_its_name() -> None:
    def stray(item: object) -> None: ...

    assert "there is no stage 'stray'" in refusal(source("s", to=stray))


@pytest.mark.parametrize(
    "stages",
    [
        (source("s"), processor("a", to="t"), source("t")),
        (source("s", to=[]), source("t", from_="s")),
    ],
    ids=["to", "from"],
)
def test_a_producer_is_nobodys_target(stages: tuple[DeclaredStage, ...]) -> None:
    assert re.search(r"a producer receives nothing, so 't' has no input", refusal(*stages))


# --------------------------------------------------------------------------- check_runnable


def test_a_graph_without_a_producer_cannot_run() -> None:
    with pytest.raises(UsageError, match="the pipeline has no producer; add one with @pipe"):
        StageGraph([processor("a")]).check_runnable()


def test_a_stage_that_no_producer_leads_to_cannot_run() -> None:
    graph = StageGraph([source("s", to="b"), processor("a"), consumer("b")])
    with pytest.raises(UsageError, match="stage 'a' can never receive an item; name it in"):
        graph.check_runnable()


def test_a_graph_in_which_all_hear_from_a_producer_can_run() -> None:
    StageGraph([source("s"), processor("a"), source("t"), consumer("b")]).check_runnable()


# --------------------------------------------------------------------------- fed_by


def fed(*stages: DeclaredStage) -> StageGraph:
    return StageGraph(stages).fed_by(source("items", [1, 2]))


def test_items_take_the_place_of_the_producer() -> None:
    graph = fed(source("s"), processor("a"), consumer("b"))
    assert set(graph.dag.edges) == {("items", "a"), ("a", "b")}
    assert list(graph.stages) == ["items", "a", "b"]


def test_items_take_the_place_of_every_producer() -> None:
    graph = fed(source("s", to="a"), processor("a"), source("t"), consumer("b"))
    assert set(graph.dag.edges) == {("items", "a"), ("items", "b"), ("a", "b")}


def test_items_make_a_graph_without_a_producer_runnable() -> None:
    graph = fed(processor("a"), consumer("b"))
    graph.check_runnable()
    assert graph.dag.predecessors("a") == ("items",)


def test_items_leave_the_graph_they_came_from_as_it_was() -> None:
    graph = StageGraph([source("s"), processor("a")])
    graph.fed_by(source("items"))
    assert list(graph.stages) == ["s", "a"]
    assert graph.dag.edges == (("s", "a"),)

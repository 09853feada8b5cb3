"""What goes round together is one loop, and what does not go round is in none."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import assume, given
from hypothesis import strategies as st

from minigun_py.dag import circles
from minigun_py.placement import ContextKind, ContextSpec
from minigun_py.plan.loops import ends_in_order, find_loops
from minigun_py.plan.segment import Exit, Segment
from plan.drawing import processor, segments_of, source


def segments(*edges: str) -> list[Segment]:
    """One-letter segments: "ab" leads forward, "ba<" leads back."""
    names = sorted({name for edge in edges for name in edge[:2]})
    exits = {
        name: tuple(
            Exit(0, (edge[1],), references=(edge[1],), feedback=edge.endswith("<"))
            for edge in edges
            if edge[0] == name
        )
        for name in names
    }
    spec = ContextSpec(ContextKind.INLINE)
    return [Segment((processor(n),), ((),), exits[n], spec) for n in names]


def loops(*edges: str) -> set[frozenset[str]]:
    return set(find_loops(segments(*edges)))


def order(*edges: str) -> str:
    return "".join(segment.head.name for segment in ends_in_order(segments(*edges)))


def sets(*words: str) -> set[frozenset[str]]:
    return set(map(frozenset, words))


def test_without_feedback_there_is_no_loop() -> None:
    assert loops("ab", "bc", "ac") == set()


def test_a_loop_is_all_between_its_ends() -> None:
    assert loops("ab", "bc", "cd", "cb<") == sets("bc")


def test_every_way_from_one_end_to_the_other_is_within() -> None:
    assert loops("ab", "ac", "bd", "cd", "da<", "de") == sets("abcd")


def test_a_way_out_of_a_loop_is_not_within() -> None:
    assert loops("ab", "ax", "ba<", "by") == sets("ab")


def test_a_segment_may_be_a_loop_by_itself() -> None:
    assert loops("ab", "bb<", "bc") == sets("b")


def test_loops_apart_stay_apart() -> None:
    assert loops("ab", "ba<", "bc", "cd", "dc<") == sets("ab", "cd")


def test_loops_that_overlap_are_one() -> None:
    assert loops("ab", "bc", "ba<", "cb<") == sets("abc")


def test_a_loop_within_a_loop_is_a_part_of_it() -> None:
    assert loops("ab", "bc", "cd", "cb<", "da<") == sets("abcd")


def test_loops_that_feed_each_other_are_one() -> None:
    assert loops("ab", "ad", "cb", "cd", "ba<", "dc<") == sets("abcd")


def test_what_leads_from_such_a_loop_to_the_other_is_within() -> None:
    assert loops("ab", "ax", "xd", "cb", "cd", "ba<", "dc<") == sets("abcdx")


def test_stages_that_share_a_segment_are_known_by_its_head() -> None:
    drawn = segments_of([source("s"), processor("a"), processor("b"), processor("c", feedback="a")])
    assert find_loops(drawn) == [frozenset({"a"})]


def test_without_a_loop_the_order_stays() -> None:
    assert order("ab", "bc", "ad") == "abcd"


def test_what_a_loop_feeds_ends_after_all_of_the_loop() -> None:
    assert order("ab", "bc", "bd", "db<") == "abdc"


def test_what_follows_two_loops_ends_after_both() -> None:
    assert order("ab", "bc", "ce", "ea<", "cd", "df", "fg", "fd<") == "abcedfg"


@st.composite
def graphs(draw: st.DrawFn) -> Mapping[int, list[int]]:
    count = draw(st.integers(1, 8))
    ends = st.lists(st.integers(0, count - 1), max_size=4)
    return {node: draw(ends) for node in range(count)}


def reached(edges: Mapping[int, list[int]], node: int) -> set[int]:
    """All that a node leads to, by at least one edge."""
    found: set[int] = set()
    unvisited = list(edges[node])
    while unvisited:
        following = unvisited.pop()
        if following not in found:
            found.add(following)
            unvisited += edges[following]
    return found


@given(graphs())
def test_circles_are_what_leads_to_each_other(edges: Mapping[int, list[int]]) -> None:
    leads = {node: reached(edges, node) for node in edges}
    wanted = {
        frozenset(other for other in edges if other in leads[node] and node in leads[other])
        for node in edges
        if node in leads[node]
    }
    found = circles(edges)
    assert set(found) == wanted
    assert len(found) == len(wanted)


@given(graphs())
def test_a_segment_ends_after_all_that_may_feed_it(edges: Mapping[int, list[int]]) -> None:
    letters = "abcdefgh"
    named = [letters[a] + letters[b] for a in edges for b in edges[a]]
    leads = {letters[node]: {letters[n] for n in reached(edges, node)} for node in edges}
    assume(loops(*named))  # else the order stays, and is said to be one
    ordered = order(*named)
    for place, name in enumerate(ordered):
        assert not [one for one in ordered[:place] if one in leads[name] and name not in leads[one]]

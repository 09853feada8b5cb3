"""Which segments go round in a circle, by what their stages send back. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from minigun_py.dag import Dag, circles
from minigun_py.plan.segment import Segment

__all__ = ["ends_in_order", "find_loops"]


def find_loops(segments: Sequence[Segment]) -> list[frozenset[str]]:
    """The loops of a plan, each as the heads of its segments.

    Loops that overlap are one, and so are loops that feed each other: none of them is over before
    the others.
    """
    return circles(_targets(segments))


def ends_in_order(segments: Sequence[Segment]) -> list[Segment]:
    """The segments in an order in which they can end: each after all that may still feed it.

    They come in an order in which items flow forward, which stays if there is no loop. Those of a
    loop are together, before all that the loop feeds.
    """
    loops = find_loops(segments)
    if not loops:
        return list(segments)
    targets = _targets(segments)
    place = {head: head for head in targets} | {head: min(loop) for loop in loops for head in loop}
    together: dict[str, list[Segment]] = {}
    for segment in segments:
        together.setdefault(place[segment.head.name], []).append(segment)
    dag = Dag[str]()
    for one in together:
        dag.add_node(one)
    for head, fed in targets.items():
        for target in fed:
            if place[head] != place[target]:
                dag.add_edge(place[head], place[target])
    return [segment for one in dag.order() for segment in together[one]]


def _targets(segments: Sequence[Segment]) -> dict[str, list[str]]:
    """The segments that each segment feeds, all by their heads."""
    head_of = {name: s.head.name for s in segments for name in s.names}
    return {
        segment.head.name: [
            head_of[target]
            for way_out in (*segment.exits, *segment.dead_letters)
            for target in way_out.targets
        ]
        for segment in segments
    }

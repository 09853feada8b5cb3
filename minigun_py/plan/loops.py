"""Which segments go round in a circle, by what their stages send back. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from minigun_py.dag import circles
from minigun_py.plan.segment import Segment

__all__ = ["find_loops"]


def find_loops(segments: Sequence[Segment]) -> list[frozenset[str]]:
    """The loops of a plan, each as the heads of its segments.

    Loops that overlap are one, and so are loops that feed each other: none of them is over before
    the others.
    """
    head_of = {name: s.head.name for s in segments for name in s.names}
    return circles(
        {
            segment.head.name: [head_of[t] for way_out in segment.exits for t in way_out.targets]
            for segment in segments
        }
    )

"""Which outputs go from worker to worker without a look at them in between. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

from minigun_py.contexts.registry import traits_of
from minigun_py.plan.loops import find_loops
from minigun_py.plan.segment import Exit, Segment

__all__ = ["forwarded"]


def forwarded(segments: Sequence[Segment]) -> Mapping[int, Mapping[int, int]]:
    """For each segment, by number, the places of such exits, and in how many parts they go.

    Both ends take many items at a time, and have a memory of their own. Nothing in between depends
    on what an item is: one target alone gets them all, any of its workers may have them, it keeps
    none of them, and no loop is to be counted.
    """
    by_name = {segment.head.name: segment for segment in segments}
    in_loops = frozenset(chain.from_iterable(find_loops(segments)))
    return {
        number: {
            place: _parts(by_name[way_out.targets[0]])
            for place, way_out in enumerate(segment.exits)
            if _leads_to_one(way_out, in_loops) and _takes_many(by_name[way_out.targets[0]])
        }
        for number, segment in enumerate(segments)
        if _is_apart(segment)
    }


def _leads_to_one(way_out: Exit, in_loops: frozenset[str]) -> bool:
    return (
        len(way_out.targets) == 1
        and not (way_out.references or way_out.feedback)
        and way_out.targets[0] not in in_loops
    )


def _takes_many(segment: Segment) -> bool:
    has_keys = segment.head.worker_key is not None and segment.spec.workers > 1
    return _is_apart(segment) and not (has_keys or segment.head.keeps_items)


def _parts(segment: Segment) -> int:
    """So many that each of its workers can have a fair share of what one worker gives."""
    return 1 if segment.spec.workers == 1 else 2 * segment.spec.workers


def _is_apart(segment: Segment) -> bool:
    traits = traits_of(segment.spec.kind)
    return not (segment.is_source or traits.shares_memory or traits.one_lease_each)

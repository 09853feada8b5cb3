"""What the stages of a segment did with a chunk, worked out from what its loops count. Pure.

The loops count as little as they can: what a stage received is what the stage before it emitted,
and a stage that gives one value has emitted all but those of which nothing came.
"""

from __future__ import annotations

from collections.abc import Sequence

from minigun_py.contexts.answer import StageCounts
from minigun_py.engine.loops import Loops
from minigun_py.plan.segment import Segment
from minigun_py.plan.stage import Consumer
from minigun_py.record import record

__all__ = ["Tally", "counted", "tallies"]


@record
class Tally:
    """How the numbers of one stage follow from the counters."""

    draws: bool
    """Whether it is a source, and has no items."""
    tells_emitted: bool
    """Whether a counter tells how much it emitted."""
    filters: bool
    """Whether an item of which nothing came was filtered."""
    is_routed: bool
    children: Sequence[int]


def tallies(segment: Segment, loops: Loops) -> list[Tally]:
    """One for each stage of a segment."""
    return [
        Tally(
            index == 0 and segment.is_source,
            loops.tells_emitted[index],
            not (stage.keeps_items or isinstance(stage, Consumer)),
            segment.is_routed(index),
            segment.children[index],
        )
        for index, stage in enumerate(segment.stages)
    ]


def counted(
    tallies: Sequence[Tally],
    received: int,
    nones: Sequence[int],
    emitted: Sequence[int],
    failed: Sequence[int],
    cancelled: Sequence[int],
    usual: Sequence[int],
) -> list[StageCounts]:
    """What each stage did, by the counters of a chunk of which the first `received` so many."""
    counts = [StageCounts() for _ in tallies]
    counts[0].received = received
    for index, tally in enumerate(tallies):
        mine = counts[index]
        mine.failed, mine.cancelled = failed[index], cancelled[index]
        if tally.draws:
            mine.emitted = emitted[index]
        else:
            ended_well = mine.received - mine.failed - mine.cancelled
            mine.emitted = emitted[index] if tally.tells_emitted else ended_well - nones[index]
            mine.filtered = nones[index] if tally.filters else 0
            mine.completed = ended_well - mine.filtered
        mine.usual = usual[index] if tally.is_routed else mine.emitted
        for child in tally.children:
            counts[child].received = mine.usual
    return counts

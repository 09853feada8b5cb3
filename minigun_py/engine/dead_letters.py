"""Dead letters: failed items on their way to the stages that are named to get them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minigun_py.engine.failure import Action
from minigun_py.engine.provenance import Tracked
from minigun_py.engine.report import FailedItem
from minigun_py.plan.segment import Segment

__all__ = ["LetterBoxes"]


class LetterBoxes:
    """Sorts the dead letters of a segment by where they go."""

    def __init__(self, segment: Segment) -> None:
        self._copies = {
            segment.names[way_out.stage]: len(way_out.targets) for way_out in segment.dead_letters
        }

    def sort(
        self,
        decided: Sequence[tuple[FailedItem[Any], Action]],
        origins: Sequence[int | None] = (),
    ) -> list[list[Any]]:
        """For each of the segment's ways out for dead letters, what goes there.

        Letters are tracked by the `origins` of the failed items, if there are any.
        """
        if not decided:
            return [[] for _ in self._copies]
        boxes: dict[str, list[Any]] = {name: [] for name in self._copies}
        for number, (failed, action) in enumerate(decided):
            if action is Action.DEAD_LETTER and failed.stage in boxes:
                origin = origins[number] if origins else None
                letter = failed if origin is None else Tracked(failed, origin)
                boxes[failed.stage].append(letter)
        return list(boxes.values())

    def copies(self, decided: Sequence[tuple[FailedItem[Any], Action]]) -> list[tuple[Action, int]]:
        """What becomes of each, and how many stages get it."""
        return [
            (action, self._copies.get(failed.stage, 0) if action is Action.DEAD_LETTER else 0)
            for failed, action in decided
        ]

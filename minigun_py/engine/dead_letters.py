"""Dead letters: failed items on their way to the stages that are named to get them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minigun_py.engine.report import FailedItem
from minigun_py.plan.segment import Segment

__all__ = ["LetterBoxes"]


class LetterBoxes:
    """Sorts the dead letters of a segment by where they go."""

    def __init__(self, segment: Segment) -> None:
        self._stages = [segment.names[way_out.stage] for way_out in segment.dead_letters]

    def sort(self, letters: Sequence[FailedItem[Any]]) -> list[list[Any]]:
        """For each of the segment's ways out for dead letters, what goes there."""
        return [[letter for letter in letters if letter.stage == name] for name in self._stages]

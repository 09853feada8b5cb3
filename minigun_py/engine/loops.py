"""The compiled loops of a segment, and what tells from a line of them which stage runs there."""

from __future__ import annotations

from collections.abc import Sequence
from types import CodeType

from minigun_py.record import record

__all__ = ["Loops"]


@record(frozen=False)
class Loops:
    """Compiled loops.

    `blame[n]` maps a line of loop n to the index of the stage that runs there, and the position
    of its item among the loop's values (-1: the source itself). `calls[n]` maps a line
    that enters another loop to the stages that come next, `heads[n]` are those that loop n begins
    with. `tells_emitted[i]` says whether stage i counts what it emits; otherwise it counts what it
    does not.
    """

    code: CodeType
    blame: list[dict[int, tuple[int, int]]]
    calls: list[dict[int, Sequence[int]]]
    heads: list[tuple[int, ...]]
    tells_emitted: list[bool]

    def stage_at(self, line: int | None) -> int:
        """The index of the stage that runs on a line; the head of the segment elsewhere."""
        for lines in self.blame:
            if line in lines:
                return lines[line][0]
        return 0

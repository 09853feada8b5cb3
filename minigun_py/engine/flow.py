"""The loops of a source as one generator, for who takes an inline run's outputs one by one.

As the loops of `codegen`, but where those put an output out, this one yields it: so nothing is done
with the next item before the output was taken, and there is no step of ours between the two. It
goes over pairs of anything and an item, which lets a run that stops end it from outside, before the
next item is drawn.

An error that leaves the loops is not raised to who takes the outputs, but held for the run.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from minigun_py.engine.codegen import LoopWriter
from minigun_py.engine.loops import Loops
from minigun_py.engine.open_loop import OpenLoop
from minigun_py.plan.segment import Segment

__all__ = ["generate_flow"]


def generate_flow(segment: Segment, gathered: Collection[int] = ()) -> Loops | None:
    """The generator. None where outputs leave in several ways, or need several functions."""
    last = [way_out.stage for way_out in segment.exits]
    if len(last) != 1 or segment.children[last[0]] or any(map(segment.is_routed, (0, *last))):
        return None
    writer = _FlowWriter(segment, "", frozenset(last), frozenset(gathered))
    try:
        writer.source_function()
    except _NoFlow:
        return None
    return writer.compiled()


class _NoFlow(Exception):
    """Something has to be called that cannot yield."""


class _FlowWriter(LoopWriter):
    def _stands_in_place(self, loop: OpenLoop, stages: Sequence[int]) -> bool:
        return True  # there is but one, as `_splits` says

    def _splits(self, index: int) -> bool:
        following = list(self.segment.children[index])
        for stage in following:
            following += self.segment.children[stage]
        return not any(map(self._may_give_many, following))  # else there were a function

    def _put_out(self, index: int, value: str) -> None:
        self._write(f"yield {value}")

    def _put_out_all(self, index: int) -> None:
        if index in self.exits:
            self._write("yield from many")
        else:
            super()._put_out_all(index)

    def _target(self, number: int) -> str:
        return f"{'' if number else '_, '}item_{number}"

    def _end_outermost(self) -> None:
        self._write("except GeneratorExit:")
        self._write("    raise")
        self._write("except BaseException as error:")
        self._write("    hold(error)")

    def _call_function(
        self, loop: object, items: str, stages: Sequence[int], others: Sequence[int] = ()
    ) -> None:
        raise _NoFlow

    def _streamed(self, loop: object, index: int) -> None:
        raise _NoFlow

"""Writes the source of a segment's loops; `kernel` shows what it looks like.

Loops are flat: a chain of stages that give one value each is a run of statements, however long. A
stage that may give many gives one more often than not, and then the run goes on; several values
have a loop of their own, within or in another function. What is called and counted for every item
stands in local variables of the outermost function.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from minigun_py.engine.loop_frame import LoopFrame
from minigun_py.engine.loops import Loops
from minigun_py.engine.open_loop import OpenLoop
from minigun_py.plan.segment import Segment
from minigun_py.plan.signature import Shape
from minigun_py.plan.stage import Consumer
from minigun_py.primitives.spool import FEW

__all__ = ["LoopWriter", "generate"]

DEEPEST_LOOP = 5
"""So many loops stand in each other; Python allows twenty blocks, and a loop has three."""

MOST_AGAIN = 200
"""So many stages may be written again. What follows one that may give many is written for a single
value and for several; beyond that there is a loop for both."""

MOST_IN_PLACE = 16
"""So many stages, with all that is written again, may stand in a loop over several values."""

_HELPERS = (
    # For what a stage gives without an item: like the loops, it shows on the stack whose it is.
    "def collect(values):",
    "    return list(values)",
    "from minigun_py.plan.signature import GatheringOutput",
    "from itertools import islice",
    "from minigun_py.primitives.spool import gathered_after",
)


def generate(
    segment: Segment,
    exit_stages: Sequence[int],
    awaits: bool = False,
    gathered: Collection[int] = (),
) -> Loops:
    """The loops of a segment whose stages `exit_stages` have exits.

    With `awaits` they are coroutine functions, and every call of a stage is awaited. What the
    functions of the stages `gathered` emit is gathered in the loop itself.
    """
    exits = frozenset(exit_stages)
    writer = LoopWriter(segment, "await " if awaits else "", exits, frozenset(gathered))
    if segment.is_source or segment.head.pulls:
        writer.source_function()
    else:
        writer.function([0])
    return writer.compiled()


class LoopWriter(LoopFrame):
    """Writes what becomes of an item in the loops of a segment.

    Args:
        segment: The stages.
        awaits: As of a `LoopFrame`.
        exits: The stages that have a way out.
        gathered: The stages whose functions' outputs are gathered here.
    """

    def __init__(
        self, segment: Segment, awaits: str, exits: frozenset[int], gathered: frozenset[int]
    ) -> None:
        super().__init__(segment, awaits)
        self.exits, self.gathered = exits, gathered
        stages = range(len(segment.stages))
        self.tells_emitted = [self._tells_emitted(index) for index in stages]
        behind = [0] * len(stages)
        for index in reversed(stages):
            behind[index] = sum(1 + behind[child] for child in segment.children[index])
        again = sum(behind[index] for index in stages if self._may_give_many(index))
        self._may_split = again <= MOST_AGAIN

    def compiled(self) -> Loops:
        """What was written."""
        lines = "\n".join((*self.lines, *_HELPERS))
        code = compile(lines, f"<stages {', '.join(self.segment.names)}>", "exec")
        return Loops(code, self.blame, self.calls, self.heads, self.tells_emitted)

    def source_function(self) -> None:
        """The function over what a producer gives: count, put out, hand on."""
        self._begin_function()
        loop = self._begin_loop((), "items")
        self._blame_last_line(loop, stage=0, position=-1)
        if self.segment.is_routed(0):
            self._write("drawn[0] += 1")
            self._deal(loop, 0, f"{self._name('call_0')}({loop.values[0]})", -1)
        else:
            self._count(0, "1")
            if 0 in self.exits:
                self._put_out(0, loop.values[0])
            self._hand_on(loop, self.segment.children[0])
        self._end_loop(loop, "return")
        self._end_function()

    # ------------------------------------------------------------- what happens to an item

    def _hand_on(self, loop: OpenLoop, stages: Sequence[int]) -> None:
        """Call what comes next with the last of the loop's values."""
        while len(stages) == 1:
            index = stages[0]
            if self.segment.stages[index].options.stream_outputs:
                self._streamed(loop, index)
                return
            if self.segment.is_routed(index):
                self._deal(loop, index, self._call(loop, index), loop.position)
                return
            if not self._gives_many(index):
                self._value(loop, index)
            elif self._splits(index):
                self._one_or_many(loop, index)
            else:
                self._many(loop, index)
                return
            stages = self.segment.children[index]
        for place, stage in enumerate(stages, 1):
            self._call_function(loop, f"({loop.values[-1]},)", (stage,), stages[place:])

    def _value(self, loop: OpenLoop, index: int) -> None:
        """A stage that gives one value, which is the last of the loop's from then on."""
        call = self._call(loop, index)
        if self.tells_emitted[index]:
            self._write(f"if {call} is not None:")
            self._blame_last_line(loop, index, loop.position)
            self._write(f"    emitted[{index}] += 1")
            return
        self._write(f"value_{index} = {call}")
        self._blame_last_line(loop, index, loop.position)
        self._write(f"if value_{index} is None:")
        self._write(f"    nones[{index}] += 1")
        self._write("    continue")
        self._goes_on(loop, index)

    def _goes_on(self, loop: OpenLoop, index: int) -> None:
        """The value of a stage is put out, and is the last of the loop's from then on."""
        result = f"value_{index}"
        if index in self.exits:
            self._put_out(index, result)
        loop.values.append(result)
        self._in.values.append(result)

    def _one_or_many(self, loop: OpenLoop, index: int) -> None:
        """A stage that may give many: one value goes on here, several in a loop of theirs."""
        shape: Shape = self.segment.stages[index].shape  # type: ignore[attr-defined]
        if index in self.gathered and shape.yields:
            self._one_or_many_yielded(loop, index)
        else:
            self._one_or_many_listed(loop, index)
        self._count(index, "1")
        self._goes_on(loop, index)

    def _one_or_many_yielded(self, loop: OpenLoop, index: int) -> None:
        """Of a generator. What is written next is done if it has ended after one value."""
        self._write(f"given = {self._call(loop, index)}")
        self._blame_last_line(loop, index, loop.position)
        self._write(f"for value_{index} in given:")
        self._blame_last_line(loop, index, loop.position)
        self._write("    break")
        self._write("else:")
        self._write(f"    nones[{index}] += 1")
        self._write("    continue")
        self._write("for value in given:")
        self._blame_last_line(loop, index, loop.position)
        self._depth += 1
        self._write(f"many = [value_{index}, value, *islice(given, {FEW - 2})]")
        self._blame_last_line(loop, index, loop.position)
        self._write(f"if len(many) == {FEW}:")
        self._write("    many = gathered_after(many, given)")
        self._blame_last_line(loop, index, loop.position)
        self._several(loop, index)
        self._write("break")
        self._depth -= 1
        self._write("else:")
        self._depth += 1

    def _one_or_many_listed(self, loop: OpenLoop, index: int) -> None:
        """Of a function that gives a list. What is written next is done if that has one value."""
        self._list(loop, index)
        self._write("if len(many) > 1 or many.__class__ is not list:")
        self._depth += 1
        self._several(loop, index)
        self._write("continue")
        self._depth -= 1
        self._write("if not many:")
        self._write(f"    nones[{index}] += 1")
        self._write("    continue")
        self._write(f"value_{index} = many[0]")

    def _several(self, loop: OpenLoop, index: int) -> None:
        """Put `many` out and run it on: in a loop here, or if that would be long, in a function.

        Then nothing of it is kept: the next item may be of another kind.
        """
        children = tuple(self.segment.children[index])
        self._count(index, "len(many)")
        if not children or self._stands_in_place(loop, children):
            self._put_out_many(loop, index)
        else:
            self._put_out_all(index)
            self._call_function(loop, "many", children)
        self._write("many = value = None")

    def _streamed(self, loop: OpenLoop, index: int) -> None:
        """A stage whose outputs leave while it is called: nothing is left to be done with them."""
        self._write(f"before = emitted[{index}]")
        self._write(self._call(loop, index))
        self._blame_last_line(loop, index, loop.position)
        self._write(f"if emitted[{index}] == before:")
        self._write(f"    nones[{index}] += 1")

    def _many(self, loop: OpenLoop, index: int) -> None:
        """A stage that gives a list. What follows it runs in a loop over the list."""
        self._list(loop, index)
        self._write("if not many:")
        self._write(f"    nones[{index}] += 1")
        self._write("    continue")
        self._count(index, "len(many)")
        self._put_out_many(loop, index)

    def _list(self, loop: OpenLoop, index: int) -> None:
        """Set `many` to all that a stage gives."""
        shape: Shape = self.segment.stages[index].shape  # type: ignore[attr-defined]
        if index in self.gathered and shape.yields:
            self._gather(loop, index)
        elif index in self.gathered:
            self._let_emit(loop, index)
        else:
            self._write(f"many = {self._call(loop, index)}")
            self._blame_last_line(loop, index, loop.position)

    def _gather(self, loop: OpenLoop, index: int) -> None:
        """The list of what a generator gives; beyond a few values somebody looks how large."""
        self._write(f"given, many = {self._call(loop, index)}, []")
        self._blame_last_line(loop, index, loop.position)
        self._write("for value in given:")
        self._blame_last_line(loop, index, loop.position)
        self._write("    many.append(value)")
        self._write(f"    if len(many) == {FEW}:")
        self._write("        many = gathered_after(many, given)")
        self._blame_last_line(loop, index, loop.position)
        self._write("        break")

    def _let_emit(self, loop: OpenLoop, index: int) -> None:
        """The list of what a function has emitted by its ``output``, and returned."""
        call = self._call(loop, index).removesuffix(")")
        self._write(f"given = {self._name('GatheringOutput')}()")
        self._write(f"value = {call}, output=given)")
        self._blame_last_line(loop, index, loop.position)
        self._write("if value is not None:")
        self._write("    given(value)")
        self._write("many = given.list if given.spool is None else given.values()")

    def _put_out(self, index: int, value: str) -> None:
        """Put one value out."""
        self._write(f"{self._name(f'append_{index}')}({value})")

    def _put_out_all(self, index: int) -> None:
        """Put `many` out, if it has an exit."""
        self._write("if many.__class__ is not list:")
        self._write(f"    many = large_{index}(many)")
        if index in self.exits:
            self._write("else:")
            self._write(f"    {self._name(f'extend_{index}')}(many)")

    def _put_out_many(self, loop: OpenLoop, index: int) -> None:
        """Put `many` out, which is a list, or a spool if it is large; and run it on."""
        self._put_out_all(index)
        children = self.segment.children[index]
        if not children:
            return
        if loop.level < DEEPEST_LOOP:
            inner = self._begin_loop(children, "many", loop.level + 1)
            self._hand_on(inner, children)
            self._end_loop(inner, "break")
            # without a global lock an iterator that has ended keeps its list
            self._write(f"{inner.values[0]} = iterator_{inner.number} = None")
        else:
            self._call_function(loop, "many", tuple(children))

    def _deal(self, loop: OpenLoop, index: int, call: str, position: int) -> None:
        """A stage that says itself where its outputs go: what is left flows on as usual."""
        self._write(f"count, many = {call}")
        self._blame_last_line(loop, index, position)
        self._write("if not count:")
        self._write(f"    nones[{index}] += 1")
        self._write("    continue")
        self._write(f"emitted[{index}] += count")
        self._write(f"usual[{index}] += len(many)")
        self._put_out_many(loop, index)

    # ------------------------------------------------------------- what is known of a stage

    def _gives_many(self, index: int) -> bool:
        return bool(self.segment.stages[index].shape.many)  # type: ignore[attr-defined]

    def _splits(self, index: int) -> bool:
        """Whether a single value of a stage goes on where it is, though it might give many."""
        return self._may_split

    def _stands_in_place(self, loop: OpenLoop, stages: Sequence[int]) -> bool:
        """Whether what these stages do with several values is written into the loop at hand.

        Around what stands there is a block more, so that fewer may stand in each other.
        """
        return loop.level < DEEPEST_LOOP - 1 and self._written(stages) <= MOST_IN_PLACE

    def _written(self, stages: Sequence[int]) -> int:
        """How many stages are written for these, if all stand in place."""
        count, times = 0, 1
        while len(stages) == 1 and count <= MOST_IN_PLACE:
            count += times
            times *= 2 if self._may_give_many(stages[0]) else 1
            stages = self.segment.children[stages[0]]
        return count + times * len(stages)

    def _may_give_many(self, index: int) -> bool:
        if index == 0 and self.segment.is_source:
            return False
        return getattr(getattr(self.segment.stages[index], "shape", None), "many", False)

    def _tells_emitted(self, index: int) -> bool:
        if index == 0 and (self.segment.is_source or self.segment.head.pulls):
            return True
        if self.segment.is_routed(index) or self.segment.stages[index].options.stream_outputs:
            return True
        ends = not self.segment.children[index] and index not in self.exits
        stage = self.segment.stages[index]
        return self._gives_many(index) or (ends and isinstance(stage, Consumer))

"""Writes the source of a segment's loops; `kernel` shows what it looks like.

Loops are flat: a chain of stages that give one value each is a run of statements, however long. A
stage that gives many values has a loop over them, within the loop around it, or beyond a few of
them in a function of its own. What is called and counted for every item stands in local variables
of the outermost function.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from minigun_py.engine.loops import Loops
from minigun_py.engine.open_loop import OpenFunction, OpenLoop
from minigun_py.plan.segment import Segment
from minigun_py.plan.signature import Shape
from minigun_py.plan.stage import Consumer
from minigun_py.primitives.spool import FEW
from minigun_py.record import field, record

__all__ = ["LoopWriter", "generate"]

DEEPEST_LOOP = 5
"""So many loops stand in each other; Python allows about twenty blocks, and a loop has three."""

_HELPERS = (
    # For what a stage gives without an item: like the loops, it shows on the stack whose it is.
    "def collect(values):",
    "    return list(values)",
    "from minigun_py.plan.signature import GatheringOutput",
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
    writer = LoopWriter(segment, exits, "await " if awaits else "", frozenset(gathered))
    if segment.is_source or segment.head.pulls:
        writer.source_function()
    else:
        writer.function([0])
    return writer.compiled()


@record(frozen=False)
class LoopWriter:
    """Writes the loops of a segment, line by line."""

    segment: Segment
    exits: frozenset[int]
    awaits: str
    gathered: frozenset[int]
    lines: list[str] = field(default_factory=list)
    blame: list[dict[int, tuple[int, int]]] = field(default_factory=list)
    calls: list[dict[int, int]] = field(default_factory=list)
    heads: list[tuple[int, ...]] = field(default_factory=list)
    tells_emitted: list[bool] = field(init=False)
    _in: OpenFunction = field(init=False)
    _depth: int = 0
    """Blocks around the next line."""

    def __post_init__(self) -> None:
        self.tells_emitted = [self._tells_emitted(i) for i in range(len(self.segment.stages))]

    def compiled(self) -> Loops:
        """What was written."""
        lines = "\n".join((*self.lines, *_HELPERS))
        code = compile(lines, f"<stages {', '.join(self.segment.names)}>", "exec")
        return Loops(code, self.blame, self.calls, self.heads, self.tells_emitted)

    # ------------------------------------------------------------- functions and loops

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

    def function(self, stages: Sequence[int]) -> int:
        """A function that runs each item through every one of `stages`: the number of its loop."""
        self._begin_function()
        loop = self._begin_loop(stages, "items")
        self._hand_on(loop, stages)
        self._end_loop(loop, "return")
        self._end_function()
        return loop.number

    def _begin_function(self) -> None:
        number = len(self.blame)
        self._depth = 0
        self._write(f"{'async ' if self.awaits else ''}def loop_{number}(items):")
        self._in = OpenFunction(len(self.lines), outermost=number == 0)
        self._depth = 1
        self._write("")  # the prologue, when it is known
        if self._in.outermost:
            self._write("try:")
            self._depth = 2

    def _end_function(self) -> None:
        done = self._in
        if done.outermost:
            self._depth = 1
            self._end_outermost()
            self._write("finally:")
            self._depth = 2
            for index in done.counted:
                self._write(f"emitted[{index}] += count_{index}")
            self._write("pass")
        known = [f"{name} = None" for name in done.values]
        known += [f"{alias} = {name}" for name, alias in done.aliases.items()]
        known += [f"count_{index} = 0" for index in done.counted]
        self.lines[done.prologue] = f"    {'; '.join(known)}"
        for line, loop, stages in done.called:
            self.calls[loop.number][line + 1] = stages[0]
            number = self.function(stages)
            self.lines[line] = self.lines[line].replace("loop_?", f"loop_{number}")

    def _end_outermost(self) -> None:
        """What else becomes of an error that leaves the loops."""

    def _begin_loop(self, heads: Sequence[int], items: str) -> OpenLoop:
        number = len(self.blame)
        self.blame.append({})
        self.calls.append({})
        self.heads.append(tuple(heads))
        value = f"item_{number}"
        self._in.values.append(value)
        self._write(f"iterator_{number} = iter({items})")
        self._write("while True:")
        self._write("    try:")
        self._write(f"        for {self._target(number)} in iterator_{number}:")
        self._depth += 3
        return OpenLoop(number, [value])

    def _target(self, number: int) -> str:
        """What a loop sets to the next of its items."""
        return f"item_{number}"

    def _end_loop(self, loop: OpenLoop, leave: str) -> int:
        """Returns the line on which an error leaves the loop for good."""
        if self.lines[-1].endswith(f"in iterator_{loop.number}:"):
            self._write("pass")
        self._depth -= 3
        values = "".join(f"{value}, " for value in loop.values)
        self._write("        many = given = value = None  # a frame may be remembered by an error")
        self._write(f"        {leave}")
        self._write("    except BaseException as error:")
        self._write("        many = given = value = None")
        self._write(f"        if blame_{loop.number}(error, ({values}), iterator_{loop.number}):")
        line = len(self.lines)
        self._write(f"            {leave}")
        return line

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
            if self._gives_many(index):
                self._many(loop, index)
                return
            self._value(loop, index)
            stages = self.segment.children[index]
        for stage in stages:
            self._call_function(loop, f"({loop.values[-1]},)", (stage,))

    def _value(self, loop: OpenLoop, index: int) -> None:
        """A stage that gives one value, which is the last of the loop's from then on."""
        call = self._call(loop, index)
        if self.tells_emitted[index]:
            self._write(f"if {call} is not None:")
            self._blame_last_line(loop, index, loop.position)
            self._write(f"    emitted[{index}] += 1")
            return
        result = f"value_{index}"
        self._write(f"{result} = {call}")
        self._blame_last_line(loop, index, loop.position)
        self._write(f"if {result} is None:")
        self._write(f"    nones[{index}] += 1")
        self._write("    continue")
        if index in self.exits:
            self._put_out(index, result)
        loop.values.append(result)
        self._in.values.append(result)

    def _streamed(self, loop: OpenLoop, index: int) -> None:
        """A stage whose outputs leave while it is called: nothing is left to be done with them."""
        self._write(f"before = emitted[{index}]")
        self._write(self._call(loop, index))
        self._blame_last_line(loop, index, loop.position)
        self._write(f"if emitted[{index}] == before:")
        self._write(f"    nones[{index}] += 1")

    def _many(self, loop: OpenLoop, index: int) -> None:
        """A stage that gives a list. What follows it runs in a loop over the list."""
        shape: Shape = self.segment.stages[index].shape  # type: ignore[attr-defined]
        if index in self.gathered and shape.yields:
            self._gather(loop, index)
        elif index in self.gathered:
            self._let_emit(loop, index)
        else:
            self._write(f"many = {self._call(loop, index)}")
            self._blame_last_line(loop, index, loop.position)
        self._write("if not many:")
        self._write(f"    nones[{index}] += 1")
        self._write("    continue")
        self._count(index, "len(many)")
        self._put_out_many(loop, index)

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
        if self._depth < 3 * DEEPEST_LOOP:
            inner = self._begin_loop(children, "many")
            self._hand_on(inner, children)
            line = self._end_loop(inner, "break")
            self.calls[loop.number][line] = children[0]
        else:
            self._call_function(loop, "many", children)

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

    # ------------------------------------------------------------- small things

    def _call(self, loop: OpenLoop, index: int) -> str:
        return f"{self.awaits}{self._name(f'call_{index}')}({loop.values[-1]})"

    def _call_function(self, loop: OpenLoop, items: str, stages: tuple[int, ...]) -> None:
        """Call a function that is written later. An error in it is for its own loop to blame."""
        self._in.called.append((len(self.lines), loop, tuple(stages)))
        self._write(f"{self.awaits}loop_?({items})")

    def _name(self, name: str) -> str:
        """What a function is called: locally where it is called for every item of a chunk."""
        return self._in.aliases.setdefault(name, f"_{name}") if self._in.outermost else name

    def _count(self, index: int, outputs: str) -> None:
        """Count outputs. Where the worker is asked in the middle of a loop, it has to know them."""
        if self._in.outermost and not self.segment.head.pulls:
            if index not in self._in.counted:
                self._in.counted.append(index)
            self._write(f"count_{index} += {outputs}")
        else:
            self._write(f"emitted[{index}] += {outputs}")

    def _write(self, line: str) -> None:
        self.lines.append(" " * 4 * self._depth + line)

    def _blame_last_line(self, loop: OpenLoop, stage: int, position: int) -> None:
        self.blame[loop.number][len(self.lines)] = (stage, position)

    def _gives_many(self, index: int) -> bool:
        return bool(self.segment.stages[index].shape.many)  # type: ignore[attr-defined]

    def _tells_emitted(self, index: int) -> bool:
        if index == 0 and (self.segment.is_source or self.segment.head.pulls):
            return True
        if self.segment.is_routed(index) or self.segment.stages[index].options.stream_outputs:
            return True
        ends = not self.segment.children[index] and index not in self.exits
        stage = self.segment.stages[index]
        return self._gives_many(index) or (ends and isinstance(stage, Consumer))

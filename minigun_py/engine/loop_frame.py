"""The frame of the loops that `codegen` writes: functions, loops, names, and who is to blame where.

A function is written to its end before another one is begun: where it calls one that is not written
yet, the call is completed when that is. What a function calls and counts for every item stands in
local variables of the outermost one, which are known at its end, and set in its first line.
"""

from __future__ import annotations

from collections.abc import Sequence

from minigun_py.engine.open_loop import OpenFunction, OpenLoop
from minigun_py.plan.segment import Segment

__all__ = ["LoopFrame"]


class LoopFrame:
    """Writes functions with loops, line by line; what stands in a loop is for subclasses.

    Args:
        segment: The stages.
        awaits: What stands before a call of a stage: ``await`` and a blank, or nothing.
    """

    def __init__(self, segment: Segment, awaits: str) -> None:
        self.segment, self.awaits = segment, awaits
        self.lines: list[str] = []
        self.blame: list[dict[int, tuple[int, int]]] = []
        self.calls: list[dict[int, Sequence[int]]] = []
        self.heads: list[tuple[int, ...]] = []
        self._functions: dict[tuple[int, ...], int] = {}  # that were begun, by their stages
        self._in: OpenFunction
        self._depth = 0  # blocks around the next line

    def _hand_on(self, loop: OpenLoop, stages: Sequence[int]) -> None:
        """Write what becomes of the last of the loop's values, which is for these stages."""
        raise NotImplementedError

    # ------------------------------------------------------------- functions and loops

    def function(self, stages: Sequence[int]) -> int:
        """A function that runs each item through every one of `stages`: the number of its loop."""
        self._begin_function()
        loop = self._begin_loop(stages, "items")
        self._functions[tuple(stages)] = loop.number
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
        for line, loop, stages, others in done.called:
            self.calls[loop.number][line + 1] = others
            number = self._functions.get(stages)
            number = self.function(stages) if number is None else number
            self.lines[line] = self.lines[line].replace("loop_?", f"loop_{number}")

    def _end_outermost(self) -> None:
        """What else becomes of an error that leaves the loops."""

    def _begin_loop(self, heads: Sequence[int], items: str, level: int = 1) -> OpenLoop:
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
        return OpenLoop(number, self._depth - 3, level, [value])

    def _target(self, number: int) -> str:
        """What a loop sets to the next of its items."""
        return f"item_{number}"

    def _end_loop(self, loop: OpenLoop, leave: str) -> None:
        if self.lines[-1].endswith(f"in iterator_{loop.number}:"):
            self._write("pass")
        self._depth = loop.depth
        values = "".join(f"{value}, " for value in loop.values)
        self._write("        many = given = value = None  # a frame may be remembered by an error")
        self._write(f"        {leave}")
        self._write("    except BaseException as error:")
        self._write("        many = given = value = None")
        self._write(f"        if blame_{loop.number}(error, ({values}), iterator_{loop.number}):")
        self._write(f"            {leave}")

    # ------------------------------------------------------------- small things

    def _call(self, loop: OpenLoop, index: int) -> str:
        return f"{self.awaits}{self._name(f'call_{index}')}({loop.values[-1]})"

    def _call_function(
        self, loop: OpenLoop, items: str, stages: tuple[int, ...], others: Sequence[int] = ()
    ) -> None:
        """Call a function that is written later. An error in it is for its own loop to blame.

        Then `others`, which come next, never begin.
        """
        self._in.called.append((len(self.lines), loop, stages, others))
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

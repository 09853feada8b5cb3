"""Writes the source of a segment's loops; `kernel` shows what it looks like.

Loops are flat: a chain of stages that give one value each is a run of statements, however long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import CodeType

from minigun_py.plan.segment import Segment
from minigun_py.plan.stage import Consumer

__all__ = ["Loops", "generate"]

_BODY = " " * 16

_COLLECT = ("def collect(values):", "    return list(values)")
"""For what a stage gives without an item: like the loops, it shows on the stack whose it is."""


@dataclass(slots=True)
class Loops:
    """Compiled loops.

    `blame[n]` maps a line of loop n to the index of the stage that runs there, and the position
    of its item among the loop's values (-1: the source itself). `calls[n]` maps a line to the
    first stage of the loop that is called there, `heads[n]` are the stages that loop n begins
    with. `tells_emitted[i]` says whether stage i counts what it emits; otherwise it counts what it
    does not.
    """

    code: CodeType
    blame: list[dict[int, tuple[int, int]]]
    calls: list[dict[int, int]]
    heads: list[tuple[int, ...]]
    tells_emitted: list[bool]

    def stage_at(self, line: int | None) -> int:
        """The index of the stage that runs on a line; the head of the segment elsewhere."""
        for lines in self.blame:
            if line in lines:
                return lines[line][0]
        return 0


def generate(segment: Segment, exit_stages: Sequence[int], awaits: bool = False) -> Loops:
    """The loops of a segment whose stages `exit_stages` have exits.

    With `awaits` they are coroutine functions, and every call of a stage is awaited.
    """
    writer = _Writer(segment, frozenset(exit_stages), "await " if awaits else "")
    if segment.is_source or segment.head.pulls:
        writer.source_loop()
    else:
        writer.loop([0])
    writer.lines += _COLLECT
    code = compile("\n".join(writer.lines), f"<stages {', '.join(segment.names)}>", "exec")
    return Loops(code, writer.blame, writer.calls, writer.heads, writer.tells_emitted)


@dataclass(slots=True)
class _Writer:
    segment: Segment
    exits: frozenset[int]
    awaits: str
    lines: list[str] = field(default_factory=list)
    blame: list[dict[int, tuple[int, int]]] = field(default_factory=list)
    calls: list[dict[int, int]] = field(default_factory=list)
    heads: list[tuple[int, ...]] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    tells_emitted: list[bool] = field(init=False)

    def __post_init__(self) -> None:
        self.tells_emitted = [self._tells_emitted(i) for i in range(len(self.segment.stages))]

    def source_loop(self) -> None:
        """The loop over what a producer gives: count, put out, hand on."""
        number = self._open(())
        self._blame_last_line(number, stage=0, position=-1)
        values = ["v"]
        if self.segment.is_routed(0):
            self._write("drawn[0] += 1")
            pending = self._deal(number, 0, "call_0(v)", -1)
        else:
            self._write("emitted[0] += 1")
            if 0 in self.exits:
                self._write("append_0(v)")
            pending = self._hand_on(number, self.segment.children[0], "v", values)
        self._close(number, values, pending)

    def loop(self, stages: Sequence[int]) -> int:
        """A loop that runs each item through every one of `stages`. Returns its number."""
        number = self._open(stages)
        values = ["v"]
        pending = self._hand_on(number, stages, "v", values)
        self._close(number, values, pending)
        return number

    def _hand_on(
        self, number: int, stages: Sequence[int], value: str, values: list[str]
    ) -> list[tuple[int, tuple[int, ...]]]:
        """Call what comes next with the last of `values`. Returns loops still to be written."""
        pending: list[tuple[int, tuple[int, ...]]] = []
        while len(stages) == 1:
            index = stages[0]
            if self.segment.stages[index].options.stream_outputs:
                self._streamed(number, index, value, len(values) - 1)
                return pending
            if self.segment.is_routed(index):
                call = f"{self.awaits}call_{index}({value})"
                return pending + self._deal(number, index, call, len(values) - 1)
            if self._gives_many(index):
                return pending + self._many(number, index, value, values)
            value = self._value(number, index, value, values)
            stages = self.segment.children[index]
        pending.extend(
            (self._write(f"{self.awaits}loop_?(({value},))"), (stage,)) for stage in stages
        )
        return pending

    def _value(self, number: int, index: int, value: str, values: list[str]) -> str:
        """A stage that gives one value. Returns the name of that value."""
        result = f"v{index}"
        if self.tells_emitted[index]:
            self._write(f"if {self.awaits}call_{index}({value}) is not None:")
            self._blame_last_line(number, index, len(values) - 1)
            self._write(f"    emitted[{index}] += 1")
            return result
        self._write(f"{result} = {self.awaits}call_{index}({value})")
        self._blame_last_line(number, index, len(values) - 1)
        self._write(f"if {result} is None:")
        self._write(f"    nones[{index}] += 1")
        self._write("    continue")
        if index in self.exits:
            self._write(f"append_{index}({result})")
        values.append(result)
        return result

    def _streamed(self, number: int, index: int, value: str, position: int) -> None:
        """A stage whose outputs leave while it is called: nothing is left to be done with them."""
        self._write(f"before = emitted[{index}]")
        self._write(f"{self.awaits}call_{index}({value})")
        self._blame_last_line(number, index, position)
        self._write(f"if emitted[{index}] == before:")
        self._write(f"    nones[{index}] += 1")

    def _many(
        self, number: int, index: int, value: str, values: list[str]
    ) -> list[tuple[int, tuple[int, ...]]]:
        """A stage that gives a list. What follows it runs in a loop over the list."""
        self._write(f"many = {self.awaits}call_{index}({value})")
        self._blame_last_line(number, index, len(values) - 1)
        self._write("if not many:")
        self._write(f"    nones[{index}] += 1")
        self._write("    continue")
        self._write(f"emitted[{index}] += len(many)")
        return self._put_out_many(index)

    def _put_out_many(self, index: int) -> list[tuple[int, tuple[int, ...]]]:
        """Put `many` out, which is a list, or a spool if it is large; and run it on."""
        self._write("if many.__class__ is not list:")
        self._write(f"    many = large_{index}(many)")
        if index in self.exits:
            self._write("else:")
            self._write(f"    extend_{index}(many)")
        children = self.segment.children[index]
        return [(self._write(f"{self.awaits}loop_?(many)"), children)] if children else []

    def _deal(
        self, number: int, index: int, call: str, position: int
    ) -> list[tuple[int, tuple[int, ...]]]:
        """A stage that says itself where its outputs go: what is left flows on as usual."""
        self._write(f"count, many = {call}")
        self._blame_last_line(number, index, position)
        self._write("if not count:")
        self._write(f"    nones[{index}] += 1")
        self._write("    continue")
        self._write(f"emitted[{index}] += count")
        self._write(f"usual[{index}] += len(many)")
        return self._put_out_many(index)

    def _open(self, heads: Sequence[int]) -> int:
        number = len(self.blame)
        self.blame.append({})
        self.calls.append({})
        self.heads.append(tuple(heads))
        self.lines.append(f"{'async ' if self.awaits else ''}def loop_{number}(items):")
        self.starts.append(len(self.lines))
        self.lines.append("")  # written when the values are known
        self.lines.append("    iterator = iter(items)")
        self.lines.append("    while True:")
        self.lines.append("        try:")
        self.lines.append("            for v in iterator:")
        return number

    def _close(
        self, number: int, values: list[str], pending: list[tuple[int, tuple[int, ...]]]
    ) -> None:
        self.lines[self.starts[number]] = (
            "    " + "".join(f"{value} = " for value in values) + "None"
        )
        if self.lines[-1].endswith("for v in iterator:"):
            self._write("pass")
        self.lines.append("            many = None  # a frame may be remembered by an error")
        self.lines.append("            return")
        self.lines.append("        except BaseException as error:")
        self.lines.append("            many = None")
        self.lines.append(
            f"            if blame_{number}(error, ({', '.join(values)},), iterator):"
        )
        self.lines.append("                return")
        for line, stages in pending:
            self.calls[number][line + 1] = stages[0]
            inner = self.loop(stages)
            self.lines[line] = self.lines[line].replace("loop_?", f"loop_{inner}")

    def _write(self, line: str) -> int:
        self.lines.append(_BODY + line)
        return len(self.lines) - 1

    def _blame_last_line(self, number: int, stage: int, position: int) -> None:
        self.blame[number][len(self.lines)] = (stage, position)

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

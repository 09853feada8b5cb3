"""What is known of a loop, and of a function of loops, while its source is being written."""

from __future__ import annotations

from collections.abc import Sequence

from minigun_py.record import field, record

__all__ = ["OpenFunction", "OpenLoop"]


@record(frozen=False)
class OpenLoop:
    """A loop that is being written: its number, its depth in blocks and in loops, its values."""

    number: int
    depth: int
    level: int
    """How many loops there are around it in its function, with itself."""
    values: list[str]

    @property
    def position(self) -> int:
        """Of the value that was made last."""
        return len(self.values) - 1


@record(frozen=False)
class OpenFunction:
    """A function that is being written: where its prologue goes, and what it knows by now."""

    prologue: int
    outermost: bool
    values: list[str] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    counted: list[int] = field(default_factory=list)
    """The stages whose outputs are counted in a local variable."""
    called: list[tuple[int, OpenLoop, tuple[int, ...], Sequence[int]]] = field(default_factory=list)
    """Lines that call functions still to be written, for which stages, and what comes after."""

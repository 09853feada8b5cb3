"""A piece of a step on its way through a run, and who may keep it from running. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from minigun_py.workflow.result import StepResult
from minigun_py.workflow.step import Step

__all__ = ["Gate", "Piece"]


class Piece:
    """A step that runs once, or an instance of one that is mapped."""

    __slots__ = ("arguments", "at", "attempts", "index", "kept_as", "name", "start", "step", "why")

    def __init__(self, step: Step, index: int | None, arguments: dict[str, Any]) -> None:
        self.step, self.index, self.arguments = step, index, arguments
        self.name = step.name if index is None else f"{step.name}[{index}]"
        self.attempts, self.start, self.at = 0, 0.0, 0.0
        self.why: str | None = None
        """Why it has to run, if its values are kept."""
        self.kept_as: Any = None
        """For the gate to remember by."""


class Gate(Protocol):
    """Says whether what could run is to run at all."""

    def closed_to(self, step: Step, arguments: Mapping[str, Any]) -> str | None:
        """Why the condition of a step does not hold. Raises what the condition raises."""
        ...

    def kept(self, piece: Piece) -> tuple[Any] | None:
        """The value of an earlier run, if it is as good as that of another one."""
        ...

    def keep(self, piece: Piece, result: StepResult) -> None:
        """A piece has completed."""
        ...

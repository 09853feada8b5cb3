"""Where work may run, as data.

A kind names a way of running. What a kind can do is told by the traits of its context, never
by asking for its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["ContextKind", "ContextSpec"]


class ContextKind(StrEnum):
    """The ways of running a stage."""

    INLINE = "inline"
    """In the caller, one item after the other."""

    THREAD = "thread"
    """In N threads of this process."""

    FORK = "fork"
    """In N forked processes that live as long as the run."""


@dataclass(frozen=True, slots=True)
class ContextSpec:
    """A context that is wanted: what kind, and how many workers."""

    kind: ContextKind
    workers: int = 1

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"a context needs at least one worker, not {self.workers}")
        if self.kind is ContextKind.INLINE and self.workers != 1:
            raise ValueError(f"inline runs one item at a time; {self.workers} workers need threads")

    def __str__(self) -> str:
        return self.kind.value if self.workers == 1 else f"{self.kind.value} x {self.workers}"

"""What a stage is: a name, a function, options, and one of four roles.

The role decides how the engine calls the function and where the stage may be placed; it is the
only thing about a stage that other rooms ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from minigun_py.plan.options import StageOptions
from minigun_py.plan.signature import Shape, shape_of_source, shape_of_stage

__all__ = ["Accumulator", "Consumer", "Processor", "Producer", "Stage"]


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """One step of a pipeline. Made by the decorators of `Pipeline`, not by hand."""

    name: str
    options: StageOptions
    location: str

    def __str__(self) -> str:
        where = f" ({self.location})" if self.location else ""
        return f"stage {self.name!r}{where}"


@dataclass(frozen=True, slots=True, eq=False)
class Producer(Stage):
    """A source. It has one worker, is never run again, and its error fails the run."""

    source: Callable[..., Any] | Iterable[Any]
    shape: Shape = field(init=False)

    def __post_init__(self) -> None:
        source = self.source
        shape = (
            shape_of_source(source, str(self))
            if callable(source)
            else Shape(partial(iter, source), many=True)
        )
        object.__setattr__(self, "shape", shape)


@dataclass(frozen=True, slots=True, eq=False)
class Processor(Stage):
    """Makes of each item any number of others."""

    function: Callable[..., Any]
    shape: Shape = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", shape_of_stage(self.function, str(self)))


@dataclass(frozen=True, slots=True, eq=False)
class Consumer(Processor):
    """A processor that ends a branch: nothing follows it unless it has ``to``."""


@dataclass(frozen=True, slots=True, eq=False)
class Accumulator(Stage):
    """Gathers items into lists of `size`; a list that is not full goes after `max_wait` s."""

    size: int
    max_wait: float | None = None

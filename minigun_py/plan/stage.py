"""What a stage is: a name, a function, options, and one of four roles.

The role decides how the engine calls the function and where the stage may be placed; it is the
only thing about a stage that other rooms ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from minigun_py.errors import UsageError
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

    @property
    def is_coroutine(self) -> bool:
        """Whether its function is written with ``async def``."""
        shape: Shape | None = getattr(self, "shape", None)
        return shape is not None and shape.coroutine

    @property
    def user_function(self) -> Callable[..., Any] | None:
        """What is called for an item; None for a stage without a function."""
        return None

    @property
    def functions(self) -> tuple[Callable[..., Any], ...]:
        """All that the user wrote for it: its function, its setup and its teardown."""
        given = (self.user_function, self.options.setup, self.options.teardown)
        return tuple(function for function in given if function is not None)


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
        _check_state(self, shape)

    @property
    def user_function(self) -> Callable[..., Any] | None:
        """What the user wrote; None if it gives the elements of an iterable."""
        return self.source if callable(self.source) else None


@dataclass(frozen=True, slots=True, eq=False)
class Processor(Stage):
    """Makes of each item any number of others."""

    function: Callable[..., Any]
    shape: Shape = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", shape_of_stage(self.function, str(self)))
        _check_state(self, self.shape)

    @property
    def user_function(self) -> Callable[..., Any] | None:
        """What the user wrote."""
        return self.function


@dataclass(frozen=True, slots=True, eq=False)
class Consumer(Processor):
    """A processor that ends a branch: nothing follows it unless it has ``to``."""


@dataclass(frozen=True, slots=True, eq=False)
class Accumulator(Stage):
    """Gathers items into lists of `size`; a list that is not full goes after `max_wait` s."""

    size: int
    max_wait: float | None = None


def _check_state(stage: Stage, shape: Shape) -> None:
    """Refuse a state that nobody makes, or a teardown of nothing. Raises `UsageError`."""
    if shape.takes_state and stage.options.setup is None:
        raise UsageError(f"{stage}: it takes state, which setup= has to make")
    if stage.options.teardown is not None and stage.options.setup is None:
        raise UsageError(f"{stage}: teardown= takes what setup= has made, and there is no setup=")

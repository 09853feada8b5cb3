"""What a step is: as it was declared, and as a node of a graph in which names are known. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from minigun_py.placement import LIGHT_CPU, ContextKind, ResourceHint
from minigun_py.primitives.retry import Retry
from minigun_py.record import field, record

__all__ = ["Binding", "DeclaredStep", "Parameter", "Step", "StepOptions"]


@record(eq=False)
class Parameter:
    """A parameter of a function. An optional one has a default."""

    name: str
    optional: bool


@record(eq=False)
class StepOptions:
    """What is said of a step beside its function."""

    after: tuple[str, ...] = ()
    each: Mapping[str, str] = field(default_factory=dict)
    when: Callable[..., Any] | None = None
    resources: tuple[ResourceHint, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)
    execution: ContextKind | None = None
    timeout: float | None = None
    retry: Retry | None = None
    cache: bool = False
    may_be_trivial: bool = field(init=False)
    """Whether nothing that is said keeps it from being run in the caller, if it takes no time."""

    def __post_init__(self) -> None:
        said = (self.execution, self.timeout, *self.limits, *self.resources)
        modest = all(each is None or each == LIGHT_CPU for each in said)
        object.__setattr__(self, "may_be_trivial", modest)

    @property
    def memory(self) -> int | None:
        """How many bytes it may use, if it says so."""
        return next((hint.amount for hint in self.resources if hint.name == "Memory"), None)


@record(eq=False)
class DeclaredStep:
    """A step as somebody wrote it down."""

    name: str
    function: Callable[..., Any]
    parameters: tuple[Parameter, ...]
    asked: tuple[Parameter, ...]
    """The parameters of its condition."""
    options: StepOptions
    waits: bool
    """Whether its function is written with ``async def``."""
    where: str
    """Its name and place, for whoever is told of it."""

    @property
    def sources(self) -> set[str]:
        """What its parameters, and those of its condition, receive: names of steps and inputs."""
        each = self.options.each
        return {each.get(p.name, p.name) for p in (*self.parameters, *self.asked)}

    def __str__(self) -> str:
        return self.where


@record(eq=False)
class Binding:
    """What a parameter receives: the result of a step, or an input of the workflow."""

    parameter: str
    source: str
    from_step: bool
    optional: bool = False
    """Whether it is left out if its step was skipped by a condition, or its input is not given."""
    each: bool = False
    """Whether it receives one element, in an instance for each."""


@record(eq=False)
class Step:
    """A step of a graph. Names are whole: those of a sub-workflow begin with its own."""

    number: int
    name: str
    function: Callable[..., Any]
    bindings: tuple[Binding, ...]
    conditions: tuple[Binding, ...]
    """What its condition receives."""
    after: tuple[str, ...]
    options: StepOptions
    waits: bool
    where: str

    @property
    def dependencies(self) -> dict[str, bool]:
        """The steps that end before it begins, and of each whether it has to have completed.

        If not, it may have been skipped by its condition.
        """
        found = dict.fromkeys(self.after, True)
        for binding in (*self.bindings, *self.conditions):
            if binding.from_step:
                needed = not binding.optional
                found[binding.source] = found.get(binding.source, False) or needed
        return found

    @property
    def is_mapped(self) -> bool:
        """Whether it has an instance for each element of something."""
        return bool(self.options.each)

    def __str__(self) -> str:
        return self.where

"""The door: declare steps that depend on each other, then run them.

Example:
    >>> from minigun_py import Workflow
    >>> wf = Workflow("figures")
    >>> @wf.step
    ... def numbers(count):
    ...     return list(range(count))
    >>> @wf.step
    ... def total(numbers):
    ...     return sum(numbers)
    >>> wf.run(inputs={"count": 5})["total"].value
    10

A parameter that is called like a step receives its result, and any other is an input. A decorator
returns the function unchanged: it can still be called, typed and tested.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar, Unpack, overload

from minigun_py.contexts.surroundings import look_around
from minigun_py.errors import UsageError
from minigun_py.plan.options import nearest, plain_function
from minigun_py.workflow.critical_path import urgencies
from minigun_py.workflow.declaring import (
    SaidOfStep,
    check_name,
    declared,
    limits_of,
    parameters_of,
)
from minigun_py.workflow.graph import Group, StepGraph
from minigun_py.workflow.members import Inner, name_of, names_used, refuse_cycle
from minigun_py.workflow.placing import places
from minigun_py.workflow.plan import WorkflowPlan, drawn
from minigun_py.workflow.result import Results
from minigun_py.workflow.run import WorkflowRun
from minigun_py.workflow.run_options import WorkflowRunOptions, checked, room_of
from minigun_py.workflow.step import DeclaredStep, Parameter

__all__ = ["Workflow"]

F = TypeVar("F", bound=Callable[..., Any])


class Workflow:
    """Steps that depend on each other, and the ways to run them.

    Args:
        name: Stands in plans, errors and files of results.
        limits: How much there is of what steps name in their own `limits`, as in
            ``{"database": 2}``.
        cache: The file in which the results of steps with ``cache=True`` are kept. If nothing is
            said it is in the user's directory for caches, and has the workflow's name.

    Raises:
        UsageError: One of them makes no sense.
    """

    def __init__(
        self,
        name: str = "workflow",
        *,
        limits: Mapping[str, int] | None = None,
        cache: str | os.PathLike[str] | None = None,
    ) -> None:
        check_name(name, "workflow")
        self.name = name
        self._where = f"workflow {name!r}"
        if limits is not None and not isinstance(limits, Mapping):
            raise UsageError(f"{self._where}: limits are numbers by name, not {limits!r}")
        self._limits = limits_of(limits, self._where)
        self._cache = None if cache is None else Path(cache)
        self._members: dict[str, DeclaredStep | Inner] = {}
        self._cleanups: dict[str, tuple[Callable[..., Any], tuple[Parameter, ...]]] = {}
        self._durations: dict[str, float] = {}
        self._known_graph: tuple[object, StepGraph] | None = None
        self._awaited: set[str] = set()  # whatever a member refers to

    # ------------------------------------------------------------- declaring

    @overload
    def step(self, function: F, /, **options: Unpack[SaidOfStep]) -> F: ...
    @overload
    def step(self, /, **options: Unpack[SaidOfStep]) -> Callable[[F], F]: ...
    def step(self, function: Any = None, /, **options: Any) -> Any:
        """Declare a step.

        Args:
            function: Called with the results and inputs that its parameters name.
            **options: Any of
                `name`: what it is called, if not as its function;
                `after`: steps that come before without giving it anything, by name or function;
                `each`: the step or input that it runs for each element of, if it is the name of a
                parameter, or such names by parameter;
                `when`: a function of results and inputs, without a true result of which the step
                is skipped;
                `resources`: hints, such as `HEAVY_CPU` or `Memory("2GiB")`;
                `limits`: what it takes of the limits of the workflow;
                `execution`, `timeout`, `retry`: as of a stage of a pipeline;
                `cache`: whether its result is kept for later runs.

        Raises:
            UsageError: An option is unknown or makes no sense, the name is taken, or the step
                closes a cycle.
        """
        if function is None:
            return lambda function: self.step(function, **options)
        self._keep(declared(function, options, self._name_of))
        return function

    @overload
    def cleanup(self, step: str | Callable[..., Any], /) -> Callable[[F], F]: ...
    @overload
    def cleanup(self, step: str | Callable[..., Any], function: F, /) -> F: ...
    def cleanup(self, step: Any, function: Any = None, /) -> Any:
        """Declare what is called at the end of each run in which a step has begun.

        What began last is cleaned up first, in the thread that called `run`. The parameters of the
        function are named as those of a step, and receive None for a step that did not complete; a
        parameter `result` receives the `StepResult` of the step itself.

        Raises:
            UsageError: There is no such step, or it has one already.
        """
        name = self._name_of(step, self._where)
        if not isinstance(self._members.get(name), DeclaredStep):
            known = nearest(name, self._members)
            raise UsageError(f"{self._where}: there is no step {name!r} to clean up after{known}")
        if function is None:
            return lambda function: self.cleanup(name, function)
        if name in self._cleanups:
            raise UsageError(f"{self._where}: step {name!r} has a cleanup already")
        where = f"the cleanup of step {name!r}"
        plain_function("cleanup", function, where)
        self._cleanups[name] = (function, parameters_of(function, where))
        return function

    def add(
        self,
        other: Workflow,
        *,
        name: str | None = None,
        inputs: Mapping[str, str] | None = None,
        after: Any = (),
    ) -> Workflow:
        """Make another workflow a part of this one.

        Its steps are called `name.step`. What `name` itself gives is the result of its last step;
        of several, a dict of them. Steps that it is given later belong to it as well.

        Args:
            other: The workflow.
            name: What it is called here, if not by its own name.
            inputs: For its inputs the steps or inputs here that they stand for, where these are
                not called the same.
            after: Steps that come before all of its own.

        Raises:
            UsageError: The name is taken, or it would be a part of itself.
        """
        if not isinstance(other, Workflow):
            raise UsageError(f"{self._where}: add takes a Workflow, not {other!r}")
        if self in other.parts():
            raise UsageError(f"{self._where}: it cannot be a part of itself")
        name = other.name if name is None else name
        check_name(name, "workflow")
        listed = after if isinstance(after, list | tuple) else (after,)
        names = tuple(self._name_of(one, self._where) for one in listed)
        self._keep(Inner(name, other, dict(inputs or {}), names))
        return other

    # ------------------------------------------------------------- running

    def run(
        self, inputs: Mapping[str, Any] | None = None, **options: Unpack[WorkflowRunOptions]
    ) -> Results:
        """Run all steps, and tell how each ended. A step that fails raises nothing here.

        Args:
            inputs: The arguments that no step makes, by name.
            **options: Any of
                `cancel`: a token that ends the run when it is cancelled;
                `progress`: what is called with an event for whatever happens to a step, or several;
                `sequential`: whether steps run one after the other, in the caller;
                `max_cpu`, `max_io`: how many steps compute, and how many wait, at once;
                `memory`: how many bytes the steps that say their needs may need together;
                `timeout`: seconds for all of it;
                `on_error`: whether a failed step takes with it what depends on it ("skip") or all
                ("fail"), or a function of its `StepResult` that says so; ``fail_fast=True`` is the
                same as "fail";
                `checkpoint`: a file that keeps results, from which a run that was broken off is
                resumed.

        Raises:
            UsageError: At once, for what makes no sense, or an input that is missing or unknown.
            CheckpointError: A file of results cannot be used.
            KeyboardInterrupt: When all has ended and is cleaned up.
        """
        return self._prepared(inputs, options).run()

    async def arun(
        self, inputs: Mapping[str, Any] | None = None, **options: Unpack[WorkflowRunOptions]
    ) -> Results:
        """As `run`, awaited. A task that is cancelled cancels the run."""
        from minigun_py.engine.awaiting import LEFT, in_thread  # here: asyncio is long to import

        run = self._prepared(inputs, options)
        return await in_thread(run.run, lambda: run.cancel(LEFT))

    def dry_run(
        self, inputs: Mapping[str, Any] | None = None, **options: Unpack[WorkflowRunOptions]
    ) -> WorkflowPlan:
        """Check all that `run` would check, and tell what it would do, without doing it.

        Raises:
            UsageError, CheckpointError: As `run` would.
        """
        self._prepared(inputs, options)
        return self.plan(**options)

    def plan(self, **options: Unpack[WorkflowRunOptions]) -> WorkflowPlan:
        """Where each step would run, why, what it would take, and in which order they begin.

        Raises:
            UsageError: A step depends on one that is not there, or needs more than there is.
        """
        graph, here = self._graph(), look_around()
        said = checked(options, self._where)
        room = room_of(said, self.limits, here)
        placed = places(graph, room, here, self._durations, said["sequential"])
        known = [self._durations.get(step.name) for step in graph.steps]
        urgent = urgencies(graph.order, graph.successors, known)
        return WorkflowPlan(self.name, graph, placed, urgent)

    def to_mermaid(self) -> str:
        """The steps as a flow chart, in the language of Mermaid."""
        return drawn(self._graph())

    # ------------------------------------------------------------- as data

    def to_dict(self) -> dict[str, Any]:
        """The definition as plain data, from which `from_dict` makes it again.

        Raises:
            UsageError: A function cannot be imported by its name.
        """
        from minigun_py.workflow.definition import to_dict

        return to_dict(self)

    @classmethod
    def from_dict(cls, definition: Mapping[str, Any]) -> Self:
        """The workflow that is defined so.

        Raises:
            UsageError: The definition makes no sense, or a function is not there.
        """
        from minigun_py.workflow.definition import from_dict

        return from_dict(cls, definition)

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """The workflow that is defined by a text in TOML, which has what `to_dict` gives."""
        from minigun_py.workflow.definition import from_toml

        return from_toml(cls, text)

    # ------------------------------------------------------------- inside

    @property
    def members(self) -> Mapping[str, Any]:
        """The steps and workflows that it is made of, by name."""
        return self._members

    @property
    def limits(self) -> Mapping[str, int]:
        """How much there is of what, for steps that name it, those of workflows within included."""
        found = dict(self._limits)
        for member in self._members.values():
            if isinstance(member, Inner):
                found = {**member.workflow.limits, **found}
        return found

    @property
    def cleanups(self) -> Mapping[str, Callable[..., Any]]:
        """What cleans up, by the name of the step."""
        return {name: function for name, (function, _) in self._cleanups.items()}

    def parts(self) -> Iterable[Workflow]:
        """This workflow, and all those within it."""
        yield self
        for member in self._members.values():
            if isinstance(member, Inner):
                yield from member.workflow.parts()

    def _prepared(
        self, inputs: Mapping[str, Any] | None, options: Mapping[str, Any]
    ) -> WorkflowRun:
        said, graph, given = checked(options, self._where), self._graph(), inputs or {}
        if not isinstance(given, Mapping):
            raise UsageError(f"{self._where}: inputs are arguments by name, not {given!r}")
        graph.check_inputs(given)
        limits, durations = self.limits, self._durations
        return WorkflowRun(self.name, graph, limits, given, said, durations, self._cache)

    def _graph(self) -> StepGraph:
        """The steps as they stand: made anew when there are more of them, or cleanups."""
        parts = tuple((len(p.members), len(p.cleanups)) for p in self.parts())
        if self._known_graph is None or self._known_graph[0] != parts:
            self._known_graph = (parts, StepGraph(self._group(self.name, {}, ())))
        return self._known_graph[1]

    def _group(self, name: str, inputs: Mapping[str, str], after: tuple[str, ...]) -> Group:
        members = {
            name: m if isinstance(m, DeclaredStep) else m.workflow._group(name, m.inputs, m.after)  # noqa: SLF001
            for name, m in self._members.items()
        }
        return Group(name, members, dict(self._cleanups), inputs, after)

    def _keep(self, member: DeclaredStep | Inner) -> None:
        if member.name in self._members:
            other = self._members[member.name]
            raise UsageError(f"{member}: the name is taken by {other}; say name= for one of them")
        used = set(names_used(member))
        if member.name in self._awaited or member.name in used:
            refuse_cycle({**self._members, member.name: member}, member.name)
        self._members[member.name] = member
        self._awaited |= used

    def _name_of(self, reference: Any, where: str) -> str:
        return name_of(reference, self._members, where)

    def __repr__(self) -> str:
        return f"<Workflow {self.name!r}, {len(self._members)} steps>"

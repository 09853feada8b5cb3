"""Who depends on whom: steps with their names resolved, those of sub-workflows among them. Pure.

The name of a parameter is looked for among the steps of its own workflow, then around it, and last
it is an input. A sub-workflow stands as its steps, called `sub.step`, and one more with its own
name that gathers what its last steps gave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from minigun_py.dag import CycleFound, Dag
from minigun_py.errors import UsageError
from minigun_py.plan.options import nearest
from minigun_py.record import record, replace
from minigun_py.workflow.step import Binding, DeclaredStep, Parameter, Step, StepOptions

__all__ = ["Cleanup", "Group", "StepGraph"]


@record(eq=False)
class Group:
    """The steps of a workflow, and the workflows within it.

    Attributes:
        inputs: What its parameters are called around it, if not the same.
        after: The steps around it that come before all of its own.
    """

    name: str
    members: Mapping[str, DeclaredStep | Group]
    cleanups: Mapping[str, tuple[Callable[..., Any], tuple[Parameter, ...]]]
    inputs: Mapping[str, str]
    after: tuple[str, ...] = ()


@record(eq=False)
class Cleanup:
    """What cleans up after a step. A parameter `result` that is no step is how that step ended."""

    function: Callable[..., Any]
    bindings: tuple[Binding, ...]


class StepGraph:
    """The steps of a workflow, in the order of their definition.

    Raises:
        UsageError: A name is not known, or steps depend on each other in a cycle.
    """

    def __init__(self, group: Group) -> None:
        root = _Level(group, "", None)
        bound = list(root.steps())
        self.steps = tuple(replace(step, number=number) for number, step in enumerate(bound))
        self.by_name = {step.name: step for step in self.steps}
        self.cleanups = dict(root.cleanups())
        self.inputs = self._inputs()
        self.dependencies: list[dict[int, bool]] = [
            {self.by_name[name].number: needed for name, needed in step.dependencies.items()}
            for step in self.steps
        ]
        self.successors: list[list[int]] = [[] for _ in self.steps]
        for number, found in enumerate(self.dependencies):
            for before in found:
                self.successors[before].append(number)
        self.order = self._order()

    def _inputs(self) -> dict[str, bool]:
        """The inputs, and whether each has to be given."""
        found: dict[str, bool] = {}
        cleanups = (b for c in self.cleanups.values() for b in c.bindings if b.source != "result")
        for bindings in (*((*s.bindings, *s.conditions) for s in self.steps), cleanups):
            for binding in bindings:
                if not binding.from_step:
                    needed = not binding.optional
                    found[binding.source] = found.get(binding.source, False) or needed
        return found

    def _order(self) -> tuple[int, ...]:
        dag = Dag[int]()
        for step in self.steps:
            dag.add_node(step.number)
        for number, found in enumerate(self.dependencies):
            for before in found:
                dag.add_edge(before, number)
        try:
            return dag.order()
        except CycleFound as error:
            names = " -> ".join(self.steps[n].name for n in error.nodes if isinstance(n, int))
            raise UsageError(f"steps depend on each other in a cycle: {names}") from None

    def check_inputs(self, given: Mapping[str, Any]) -> None:
        """Raise `UsageError` unless these are the inputs of the workflow."""
        for name in given:
            if name in self.by_name:
                raise UsageError(f"{name!r} is a step, which makes it itself, and no input")
            if name not in self.inputs:
                raise UsageError(f"no step takes an input {name!r}{nearest(name, self.inputs)}")
        missing = [name for name, needed in self.inputs.items() if needed and name not in given]
        if missing:
            takers = [str(s) for s in self.steps if missing[0] in _sources(s)]
            taker = takers[0] if takers else "a cleanup"
            raise UsageError(
                f"{taker}: its parameter {missing[0]!r} is no step"
                f"{_nearest_step(missing[0], self.by_name)}, and no input of that name is given; "
                f"say run(inputs={{{missing[0]!r}: ...}})"
            )


def _sources(step: Step) -> list[str]:
    return [b.source for b in chain(step.bindings, step.conditions) if not b.from_step]


def _nearest_step(name: str, known: Mapping[str, Step]) -> str:
    said = nearest(name, known)
    return f" ({said[2:]})" if "did you mean" in said else ""


class _Level:
    """A group, seen from within."""

    def __init__(self, group: Group, path: str, around: _Level | None) -> None:
        self._group, self._path, self._around = group, path, around
        self._inner = {
            name: _Level(member, f"{path}{name}.", self)
            for name, member in group.members.items()
            if isinstance(member, Group)
        }

    def steps(self) -> Iterator[Step]:
        """All of them, with those of the levels within."""
        for name, member in self._group.members.items():
            if isinstance(member, DeclaredStep):
                yield self._bound(member)
            else:
                yield from self._inner[name].steps()
                yield self._gathering(name)

    def cleanups(self) -> Iterator[tuple[str, Cleanup]]:
        """For each step that has one, what cleans up after it."""
        for name, (function, parameters) in self._group.cleanups.items():
            yield self._path + name, Cleanup(function, self.bind(parameters))
        for level in self._inner.values():
            yield from level.cleanups()

    def bind(
        self, parameters: Sequence[Parameter], each: Mapping[str, str] | None = None
    ) -> tuple[Binding, ...]:
        """What each parameter receives."""
        each = each or {}
        bindings = []
        for parameter in parameters:
            source, from_step = self.source_of(each.get(parameter.name, parameter.name))
            bindings.append(
                Binding(
                    parameter.name, source, from_step, parameter.optional, parameter.name in each
                )
            )
        return tuple(bindings)

    def _bound(self, step: DeclaredStep) -> Step:
        options = step.options
        after = [self.step_named(name, str(step)) for name in options.after]
        bindings = self.bind(step.parameters, options.each)
        name = self._path + step.name
        conditions = self.bind(step.asked)
        order = tuple(dict.fromkeys((*after, *self.after_all())))
        return Step(
            0, name, step.function, bindings, conditions, order, options, step.waits, str(step)
        )

    def _gathering(self, name: str) -> Step:
        """What the last steps of a group gave: by name, or as it is if there is one."""
        ends = list(self._inner[name].ends())
        paths = {path.removeprefix(f"{self._path}{name}."): path for path in ends}
        bindings = tuple(
            Binding(f"end{index}", path, True, optional=True)
            for index, path in enumerate(paths.values())
        )
        options, function = StepOptions(), Gathered(tuple(paths))
        after, where = self._inner[name].after_all(), f"workflow {name!r}"
        return Step(0, self._path + name, function, bindings, (), after, options, False, where)

    def ends(self) -> Iterator[str]:
        """The steps on which no other of this level depends."""
        used = set[str]()
        names = list(self._group.members)
        for member in self._group.members.values():
            if isinstance(member, DeclaredStep):
                used |= {*member.sources, *member.options.after}
            else:
                given = [member.inputs.get(name, name) for name in _free_names(member)]
                used |= {*given, *member.after}
        for name in names:
            if name not in used:
                yield self._path + name

    def after_all(self) -> tuple[str, ...]:
        """The steps that come before all of this level."""
        if self._around is None:
            return ()
        where = f"workflow {self._path[:-1]!r}"
        own = (self._around.step_named(name, where) for name in self._group.after)
        return (*own, *self._around.after_all())

    def step_named(self, name: str, where: str) -> str:
        """The whole name of a step. Raises `UsageError` if there is none."""
        if name in self._group.members:
            return self._path + name
        raise UsageError(f"{where}: there is no step {name!r}{nearest(name, self._group.members)}")

    def source_of(self, name: str) -> tuple[str, bool]:
        """What a parameter of this name receives, and whether it is a step."""
        if name in self._group.members:
            return self._path + name, True
        if self._around is None:
            return name, False
        return self._around.source_of(self._group.inputs.get(name, name))


def _free_names(group: Group) -> set[str]:
    """What the parameters of a group are called that are none of its own steps."""
    found = set[str]()
    for member in group.members.values():
        if isinstance(member, DeclaredStep):
            found |= member.sources
        else:
            found |= {member.inputs.get(name, name) for name in _free_names(member)}
    return found - set(group.members)


class Gathered:
    """The function of a step that stands for a sub-workflow."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names

    def __call__(self, **ends: Any) -> Any:
        """What the last steps gave, without those that were skipped by their conditions."""
        if len(self.names) == 1:
            return ends.get("end0")
        return {n: ends[f"end{i}"] for i, n in enumerate(self.names) if f"end{i}" in ends}

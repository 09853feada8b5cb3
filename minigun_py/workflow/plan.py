"""What a run would do, in words and as a picture, without running anything."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from itertools import chain

from minigun_py.record import record
from minigun_py.workflow.critical_path import critical_path
from minigun_py.workflow.graph import Gathered, StepGraph
from minigun_py.workflow.placing import Placed
from minigun_py.workflow.step import Step

__all__ = ["PlannedStep", "WorkflowPlan", "drawn"]


@record
class PlannedStep:
    """What a run would do with a step."""

    name: str
    after: tuple[str, ...]
    """The steps that end before."""
    execution: str
    needs: Mapping[str, int]
    """How much it takes of what for as long as it runs."""
    urgency: float
    """Seconds from its beginning to the end of the last that waits for it, as far as known."""
    reason: str


class WorkflowPlan:
    """The steps in the order in which they would begin one after the other."""

    def __init__(
        self, name: str, graph: StepGraph, placed: Sequence[Placed], urgent: Sequence[float]
    ) -> None:
        self.name, self._graph = name, graph
        order = _by_urgency(graph, urgent)
        self.steps = tuple(_planned(graph.steps[n], graph, placed[n], urgent[n]) for n in order)
        """What would be done with each."""
        path = critical_path(order, graph.successors, urgent)
        self.critical_path = tuple(graph.steps[number].name for number in path)
        """The steps that no run can be faster than."""

    @property
    def layers(self) -> tuple[tuple[str, ...], ...]:
        """The steps by how many others come one after the other before them."""
        depth: dict[int, int] = {}
        found: list[list[str]] = []
        for number in self._graph.order:
            before = self._graph.dependencies[number]
            depth[number] = max((depth[b] + 1 for b in before), default=0)
            if depth[number] == len(found):
                found.append([])
            found[depth[number]].append(self._graph.steps[number].name)
        return tuple(map(tuple, found))

    def explain(self) -> str:
        """A paragraph for each step."""
        return "\n\n".join(chain(map(_paragraph, self.steps), self._longest()))

    def to_mermaid(self) -> str:
        """A flow chart, in the language of Mermaid."""
        return drawn(self._graph)

    def _longest(self) -> list[str]:
        path = " -> ".join(self.critical_path)
        return [f"longest path: {path}"] if path else []

    def __str__(self) -> str:
        return self.explain()


def _by_urgency(graph: StepGraph, urgent: Sequence[float]) -> list[int]:
    left = [len(found) for found in graph.dependencies]
    ready = [(-urgent[n], n) for n, count in enumerate(left) if not count]
    heapq.heapify(ready)
    order = []
    while ready:
        number = heapq.heappop(ready)[1]
        order.append(number)
        for after in graph.successors[number]:
            left[after] -= 1
            if not left[after]:
                heapq.heappush(ready, (-urgent[after], after))
    return order


def _planned(step: Step, graph: StepGraph, placed: Placed, urgency: float) -> PlannedStep:
    after = tuple(graph.steps[n].name for n in graph.dependencies[step.number])
    execution = placed.lane.execution or "process"
    return PlannedStep(step.name, after, str(execution), dict(placed.needs), urgency, placed.reason)


def _paragraph(step: PlannedStep) -> str:
    lines = [f"{step.name}:", f"  where  {step.execution}", f"  why    {step.reason}"]
    if step.needs:
        lines.append("  needs  " + ", ".join(f"{n} {name}" for name, n in step.needs.items()))
    if step.after:
        lines.append("  after  " + ", ".join(step.after))
    return "\n".join(lines)


def drawn(graph: StepGraph) -> str:
    """A flow chart: a rhombus has a condition, a stack an instance for each element."""
    lines = ["flowchart TD"]
    for step in graph.steps:
        opening, closing = _shape(step)
        label = step.name.replace('"', "'")
        lines.append(f'    s{step.number}{opening}"{label}"{closing}')
    for step in graph.steps:
        mapped = {binding.source for binding in step.bindings if binding.each}
        for number, needed in graph.dependencies[step.number].items():
            arrow = "-- each -->" if graph.steps[number].name in mapped else _ARROWS[needed]
            lines.append(f"    s{number} {arrow} s{step.number}")
    return "\n".join(lines)


_ARROWS = {True: "-->", False: "-.->"}


def _shape(step: Step) -> tuple[str, str]:
    if step.options.when is not None:
        return "{", "}"
    if step.is_mapped:
        return "[[", "]]"
    return ("(", ")") if isinstance(step.function, Gathered) else ("[", "]")

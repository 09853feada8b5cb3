"""A segment: stages that share a context, as the tree through which an item falls.

Only the first stage has an inbox. Inside, an item passes from stage to stage as a function call;
an *exit* is a stage whose outputs leave the segment, for other segments or for the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from minigun_py.placement import ContextSpec
from minigun_py.plan.affinity import Affinity
from minigun_py.plan.graph import StageGraph
from minigun_py.plan.options import StageOptions
from minigun_py.plan.stage import Producer, Stage

__all__ = ["Exit", "Segment", "cut_into_segments", "portable"]


@dataclass(frozen=True, slots=True)
class Exit:
    """Outputs of one stage that leave its segment. With no targets they are the pipeline's."""

    stage: int
    targets: tuple[str, ...]
    routing: str


@dataclass(frozen=True, slots=True)
class Segment:
    """Colocated stages. `children[i]` are the stages, by index, that stage i calls."""

    stages: tuple[Stage, ...]
    children: tuple[tuple[int, ...], ...]
    exits: tuple[Exit, ...]
    spec: ContextSpec

    @property
    def head(self) -> Stage:
        """The stage that receives the items."""
        return self.stages[0]

    @property
    def is_source(self) -> bool:
        """Whether it draws its items itself."""
        return isinstance(self.head, Producer)

    @property
    def functions(self) -> tuple[Callable[..., Any], ...]:
        """All that the user wrote for its stages."""
        return tuple(function for stage in self.stages for function in stage.functions)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the stages, the head first."""
        return tuple(stage.name for stage in self.stages)


def cut_into_segments(graph: StageGraph, affinities: Mapping[str, Affinity]) -> list[Segment]:
    """The segments of a graph, in an order in which items flow forward."""
    members: dict[str, list[str]] = {}
    head_of: dict[str, str] = {}
    for name, affinity in affinities.items():
        head = name if affinity.upstream is None else head_of[affinity.upstream]
        head_of[name] = head
        members.setdefault(head, []).append(name)
    return [_segment(graph, names, affinities) for names in members.values()]


def _segment(graph: StageGraph, names: list[str], affinities: Mapping[str, Affinity]) -> Segment:
    index = {name: position for position, name in enumerate(names)}
    children: list[tuple[int, ...]] = []
    exits: list[Exit] = []
    for position, name in enumerate(names):
        successors = graph.dag.successors(name)
        within = [n for n in successors if affinities[n].upstream == name]
        outside = tuple(n for n in successors if affinities[n].upstream != name)
        children.append(tuple(index[n] for n in within))
        if outside or not successors:
            exits.append(Exit(position, outside, graph.stages[name].options.routing))
    stages = tuple(graph.stages[name] for name in names)
    return Segment(stages, tuple(children), tuple(exits), affinities[names[0]].spec)


def portable(segment: Segment) -> Segment:
    """The same for another process: without what its stages say of other stages."""
    return replace(segment, stages=tuple(map(_bare, segment.stages)))


def _bare(stage: Stage) -> Stage:
    said = stage.options
    return replace(stage, options=StageOptions(setup=said.setup, teardown=said.teardown))

"""A segment: stages that share a context, as the tree through which an item falls.

Only the first stage has an inbox. Inside, an item passes from stage to stage as a function call;
an *exit* is a stage whose outputs leave the segment, for other segments or for the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any

from minigun_py.placement import ContextSpec
from minigun_py.plan.affinity import INLINE, Affinity
from minigun_py.plan.graph import StageGraph
from minigun_py.plan.options import Options, Reference
from minigun_py.plan.stage import DeclaredStage, Producer
from minigun_py.plan.wiring import names_of
from minigun_py.record import field, record, replace

__all__ = ["Exit", "Segment", "cut_into_segments", "lone_segment", "portable"]


@record
class Exit:
    """Outputs of one stage that leave its segment. With no targets they are the pipeline's."""

    stage: int
    targets: tuple[str, ...]
    routing: str = "broadcast"
    """Who of several targets gets an item, where that is for the run to say."""

    references: tuple[Reference, ...] = ()
    """Where the stage itself says what goes here: how it may call the targets."""

    chosen: bool = False
    """Whether the stage's `routing` says it, and not a `To`."""

    feedback: bool = False
    """Whether it leads back."""


@record
class Segment:
    """Colocated stages. `children[i]` are the stages, by index, that stage i calls."""

    stages: tuple[DeclaredStage, ...]
    children: tuple[tuple[int, ...], ...]
    exits: tuple[Exit, ...]
    spec: ContextSpec
    dead_letters: tuple[Exit, ...] = ()
    """Where the failed items of its stages go, which no worker knows of."""
    rehearsed: ContextSpec | None = None
    """Of a rehearsal: the context in another process that it would have in earnest."""
    _routed: frozenset[int] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        routed = frozenset(way_out.stage for way_out in self.exits if way_out.references)
        object.__setattr__(self, "_routed", routed)

    @property
    def head(self) -> DeclaredStage:
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

    def is_routed(self, stage: int) -> bool:
        """Whether a stage, by index, says of each output itself where it goes."""
        return stage in self._routed


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
        within = {n: index[n] for n in graph.static(name) if affinities[n].upstream == name}
        children.append(tuple(within.values()))
        exits.extend(_exits(graph, position, name, within))
    stages = tuple(graph.stages[name] for name in names)
    letters = [
        Exit(position, graph.dead_letters(name))
        for position, name in enumerate(names)
        if graph.dead_letters(name)
    ]
    spec = affinities[names[0]].spec
    return Segment(stages, tuple(children), tuple(exits), spec, tuple(letters))


def lone_segment(graph: StageGraph, name: str) -> Segment:
    """A stage by itself, with all its ways out, in the caller."""
    return Segment((graph.stages[name],), ((),), tuple(_exits(graph, 0, name, ())), INLINE)


def _exits(graph: StageGraph, position: int, name: str, within: Container[str]) -> list[Exit]:
    stage = graph.stages[name]
    outside = tuple(n for n in graph.static(name) if n not in within)
    exits: list[Exit] = []
    if stage.chooses_targets and outside:
        exits = [
            Exit(position, (target,), references=names_of(graph.stages[target]), chosen=True)
            for target in outside
        ]
    elif outside:
        exits = [Exit(position, outside, str(stage.options.routing))]
    elif graph.is_end(name):
        exits = [Exit(position, ())]
    for route in graph.routes(name):
        exits.append(
            Exit(position, route.targets, references=route.references, feedback=route.feedback)
        )
    return exits


def portable(segment: Segment) -> Segment:
    """The same for another process: without what its stages say of other stages."""
    return replace(segment, stages=tuple(map(_bare, segment.stages)), dead_letters=())


def _bare(stage: DeclaredStage) -> DeclaredStage:
    said = stage.options
    bare = Options(
        setup=said.setup,
        teardown=said.teardown,
        stream=said.stream,
        stream_outputs=said.stream_outputs,
    )
    if stage.chooses_targets:
        bare = replace(bare, routing=said.routing, key=said.key)
    return replace(stage, options=bare)

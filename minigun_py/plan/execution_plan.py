"""The plan: every decision about where and how many, made once, before the first item.

It reads the graph and what the user said, and holds the answer as data that the orchestrator
carries out and `explain` puts into words. Planning starts nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from minigun_py.contexts.registry import traits_of
from minigun_py.contexts.surroundings import Surroundings, look_around
from minigun_py.dag import Dag
from minigun_py.errors import UsageError
from minigun_py.placement import ContextKind
from minigun_py.plan import explain
from minigun_py.plan.adaptation import (
    Adapted,
    adapt_kinds,
    check_crossings,
    fit_limits,
    lost_assignments,
    merge_for_limits,
)
from minigun_py.plan.affinity import INLINE, Affinity, Placement, decide_affinity
from minigun_py.plan.annotations import misfits
from minigun_py.plan.graph import StageGraph
from minigun_py.plan.placing import Wishes, place
from minigun_py.plan.segment import Segment, cut_into_segments
from minigun_py.plan.stage import DeclaredStage
from minigun_py.record import record, replace

__all__ = ["ExecutionPlan", "PlanConfig"]


@record
class PlanConfig:
    """What the pipeline and the run say about all stages.

    `execution` and `workers` are the pipeline's defaults; `override` is the run's word over every
    stage's own. `max_threads` and `max_processes` bound the workers of all stages together.
    With `strict`, edges along which no value can fit are an error. Where items are `tracked`, it
    has to be known what comes of each. With `rehearsed` the plan is made as without the override,
    and then everything runs inline, but stays cut where it would be cut.
    """

    execution: ContextKind | None = None
    workers: int | Literal["auto"] | None = None
    override: ContextKind | None = None
    max_threads: int | None = None
    max_processes: int | None = None
    strict: bool = False
    tracked: bool = False
    rehearsed: bool = False
    surroundings: Callable[[], Surroundings] = look_around

    @property
    def wishes(self) -> Wishes:
        """What it says about where stages run."""
        override = None if self.rehearsed else self.override
        return Wishes(self.execution, self.workers, override)

    @property
    def limits(self) -> dict[str, int | None]:
        """What it says about numbers."""
        return {"threads": self.max_threads, "processes": self.max_processes}


class ExecutionPlan:
    """Where every stage runs. Made by ``pipe.plan()``.

    Example:
        >>> from minigun_py import Pipeline
        >>> pipe = Pipeline("squares")
        >>> source = pipe.source([1, 2, 3], name="numbers")
        >>> square = pipe.processor(lambda n: n * n, name="square", execution="thread", workers=2)
        >>> plan = pipe.plan()
        >>> plan.context_for("square").value, plan.affinity_for("square")
        ('thread', None)
    """

    def __init__(
        self,
        dag: Dag[str],
        stages: Mapping[str, DeclaredStage],
        config: PlanConfig | None = None,
    ) -> None:
        self._prepare(StageGraph.of(dag, stages), config)

    @classmethod
    def of(cls, graph: StageGraph, config: PlanConfig | None = None) -> ExecutionPlan:
        """A plan of a graph, with all the ways in which its stages send."""
        plan = object.__new__(cls)
        plan._prepare(graph, config)
        return plan

    def _prepare(self, graph: StageGraph, config: PlanConfig | None) -> None:
        self._graph = graph
        self._config = config or PlanConfig()
        self.affinities: dict[str, Affinity] = {}
        self.segments: tuple[Segment, ...] = ()
        self.notes: tuple[str, ...] = ()
        """What is different here from what was asked for, and the misfits, in sentences."""
        self.misfits: tuple[str, ...] = ()
        """The edges along which no value can fit, if annotations are right."""

    def plan(self) -> ExecutionPlan:
        """Decide everything. Returns itself. Raises `UsageError` for what cannot be."""
        self.misfits = misfits(self._graph)
        if self.misfits and self._config.strict:
            raise UsageError("; ".join(self.misfits))
        here = self._config.surroundings()
        stages = self._graph.stages
        placements = {n: place(s, self._config.wishes, here) for n, s in stages.items()}
        if all(p.own in (None, INLINE) and p.default == INLINE for p in placements.values()):
            placements = dict.fromkeys(placements, Placement(None, INLINE))
        explicit = {name: placement.explicit for name, placement in placements.items()}
        kinds = self._segmented(placements, explicit)
        fitted = fit_limits(kinds.segments, explicit, self._config.limits)
        check_crossings(fitted.segments)
        self.segments = fitted.segments
        if self._config.rehearsed:
            self.segments = tuple(map(_rehearsed, self.segments))
        lost = lost_assignments(fitted.segments)
        self.notes = (*kinds.notes, *fitted.notes, *lost, *self.misfits)
        for segment in self.segments:
            for name in segment.names:
                self.affinities[name] = replace(self.affinities[name], spec=segment.spec)
        return self

    def _segmented(
        self, placements: Mapping[str, Placement], explicit: Mapping[str, bool]
    ) -> Adapted:
        """Segments of kinds that can run here, so few that each can have a worker."""
        merged: dict[str, str] = {}
        while True:
            self.affinities = decide_affinity(
                self._graph, placements, traits_of, merged, self._config.tracked
            )
            adapted = adapt_kinds(cut_into_segments(self._graph, self.affinities))
            pair = merge_for_limits(self._graph, adapted.segments, explicit, self._config.limits)
            if pair is None:
                told = (f"stage {name!r}: {why}" for name, why in merged.items())
                return replace(adapted, notes=(*adapted.notes, *told))
            merged[pair[1]] = f"the limits of the pipeline leave no worker for it beside {pair[0]}"

    def check_crossings(self) -> None:
        """Look once more for what cannot cross. Raises `UsageError`."""
        check_crossings(self.segments)

    @property
    def graph(self) -> StageGraph:
        """The stages and their edges."""
        return self._graph

    @property
    def all_inline(self) -> bool:
        """Whether the whole run happens in the caller, without threads and queues.

        Where nobody has asked for that, a stage that watches the time is reason enough for them:
        a caller who waits for an item cannot look at the clock.
        """
        asked = ContextKind.INLINE in (self._config.execution, self._config.override)
        watched = any(stage.watches_time for stage in self._graph.stages.values())
        inline = all(segment.spec.kind is ContextKind.INLINE for segment in self.segments)
        return inline and (asked or not watched)

    def context_for(self, name: str) -> ContextKind:
        """The kind of context in which the stage runs."""
        return self._affinity(name).spec.kind

    def workers_for(self, name: str) -> int:
        """How many items the stage works on at once."""
        return self._affinity(name).spec.workers

    def affinity_for(self, name: str) -> str | None:
        """The upstream stage with which it shares a context; None when it is isolated."""
        return self._affinity(name).upstream

    @property
    def colocated_stages(self) -> dict[str, list[str]]:
        """Stages that share a context with others, by the stage that heads it."""
        return {s.head.name: list(s.names[1:]) for s in self.segments if len(s.stages) > 1}

    @property
    def independent_stages(self) -> list[str]:
        """Stages that have a context of their own, or head one."""
        return [segment.head.name for segment in self.segments]

    def explain(self) -> str:
        """For each stage where it runs, how many at once, with whom, why, and what edges cost."""
        notes = (*self.notes, *self._graph.notes)
        return explain.explain(self.segments, self.affinities, notes, self.all_inline)

    def to_mermaid(self) -> str:
        """The graph as a Mermaid flow chart, a box around every shared context."""
        return explain.to_mermaid(self.segments, self._graph)

    def _affinity(self, name: str) -> Affinity:
        if name not in self.affinities:
            raise UsageError(f"the plan has no stage {name!r}; it has {', '.join(self.affinities)}")
        return self.affinities[name]


def _rehearsed(segment: Segment) -> Segment:
    """The same in the caller, knowing whether what goes in and comes out would be pickled."""
    crosses = not traits_of(segment.spec.kind).shares_memory
    return replace(segment, spec=INLINE, rehearsed=segment.spec if crosses else None)

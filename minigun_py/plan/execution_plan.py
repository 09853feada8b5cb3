"""The plan: every decision about where and how many, made once, before the first item.

It reads the graph and what the user said, and holds the answer as data that the orchestrator
carries out and `explain` puts into words. Planning starts nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from minigun_py.contexts.cpus import usable_cpus
from minigun_py.contexts.registry import traits_of
from minigun_py.dag import Dag
from minigun_py.errors import UsageError
from minigun_py.placement import ContextKind, ContextSpec
from minigun_py.plan import explain
from minigun_py.plan.affinity import INLINE, Affinity, Placement, decide_affinity
from minigun_py.plan.graph import StageGraph
from minigun_py.plan.segment import Segment, cut_into_segments
from minigun_py.plan.stage import Accumulator, Consumer, Producer, Stage

__all__ = ["ExecutionPlan", "PlanConfig"]


@dataclass(frozen=True, slots=True)
class PlanConfig:
    """What the pipeline and the run say about all stages.

    `execution` and `workers` are the pipeline's defaults; `override` is the run's word over every
    stage's own.
    """

    execution: ContextKind | None = None
    workers: int | Literal["auto"] | None = None
    override: ContextKind | None = None
    cpus: Callable[[], int] = usable_cpus


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
        stages: Mapping[str, Stage],
        config: PlanConfig | None = None,
    ) -> None:
        self._graph = StageGraph.of(dag, stages)
        self._config = config or PlanConfig()
        self.affinities: dict[str, Affinity] = {}
        self.segments: tuple[Segment, ...] = ()

    def plan(self) -> ExecutionPlan:
        """Decide everything. Returns itself. Raises `UsageError` for what cannot be."""
        placements = {n: self._placement(s) for n, s in self._graph.stages.items()}
        if all(p.own in (None, INLINE) and p.default == INLINE for p in placements.values()):
            placements = dict.fromkeys(placements, Placement(None, INLINE))
        self.affinities = decide_affinity(
            self._graph, placements, lambda kind: traits_of(kind).shares_memory
        )
        self.segments = tuple(cut_into_segments(self._graph, self.affinities))
        return self

    @property
    def graph(self) -> StageGraph:
        """The stages and their edges."""
        return self._graph

    @property
    def all_inline(self) -> bool:
        """Whether the whole run happens in the caller, without threads and queues."""
        return all(segment.spec.kind is ContextKind.INLINE for segment in self.segments)

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
        return explain.explain(self.segments, self.affinities, self._graph, self.all_inline)

    def to_mermaid(self) -> str:
        """The graph as a Mermaid flow chart, a box around every shared context."""
        return explain.to_mermaid(self.segments, self._graph)

    def _affinity(self, name: str) -> Affinity:
        if name not in self.affinities:
            raise UsageError(f"the plan has no stage {name!r}; it has {', '.join(self.affinities)}")
        return self.affinities[name]

    def _placement(self, stage: Stage) -> Placement:
        default = self._default_spec()
        options = stage.options
        if self._config.override is ContextKind.INLINE:
            return Placement(None, default)
        if isinstance(stage, Producer | Accumulator) and (options.execution or options.workers):
            _refuse_placement(stage)
        kind = options.execution
        if kind is not None and self._config.override is not None:
            kind = self._config.override
        if kind is None and options.workers is None:
            return Placement(None, default)
        if kind is None:
            kind = _many(default.kind)
            if isinstance(stage, Consumer) and not traits_of(kind).shares_memory:
                kind = ContextKind.THREAD
        return Placement(_checked_spec(kind, self._count(options.workers, kind), stage), default)

    def _default_spec(self) -> ContextSpec:
        workers = self._config.workers
        kind = self._config.override or self._config.execution
        if kind is None:
            kind = ContextKind.INLINE if workers in (None, 1) else ContextKind.THREAD
        return _checked_spec(kind, self._count(workers, kind), "the pipeline's defaults")

    def _count(self, workers: int | str | None, kind: ContextKind) -> int:
        if kind is ContextKind.INLINE and kind is self._config.override:
            return 1
        if workers == "auto":
            return 1 if kind is ContextKind.INLINE else self._config.cpus()
        return int(workers or 1)


def _many(kind: ContextKind) -> ContextKind:
    """The kind for several workers where none is named: threads, unless a default says else."""
    return ContextKind.THREAD if kind is ContextKind.INLINE else kind


def _checked_spec(kind: ContextKind, workers: int, asking: Stage | str) -> ContextSpec:
    try:
        return ContextSpec(kind, workers)
    except ValueError as error:
        raise UsageError(f"{asking}: {error}") from None


def _refuse_placement(stage: Stage) -> None:
    role = type(stage).__name__.lower()
    raise UsageError(f"{stage}: {role}s run in the caller, one at a time; drop execution, workers")

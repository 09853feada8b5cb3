"""Which stages share a context, and why: a pure decision, made stage by stage.

A stage is either *colocated* with its one upstream stage, so that an item passes between them
as a function call, or *isolated*, with an inbox and workers of its own. The first rule that
matches decides, and its reason is kept in words for `ExecutionPlan.explain`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from minigun_py.contexts.context import Traits
from minigun_py.placement import ContextKind, ContextSpec
from minigun_py.plan.graph import StageGraph
from minigun_py.plan.stage import Accumulator, Consumer, Producer, Stage

__all__ = ["INLINE", "Affinity", "Placement", "decide_affinity"]

DEEPEST_NESTING: Final = 40
"""Fan-outs and generators nest calls inside a segment; Python's stack bounds how many."""

_NONE_MERGED: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Placement:
    """What has been said about where a stage runs, by itself, by the pipeline or by the run."""

    own: ContextSpec | None
    """The stage's own words, or the run's for all. None: it said nothing."""

    default: ContextSpec
    """What holds where nothing is said."""

    reason: str | None = None
    """Why it is its own, if not because it says so."""

    explicit: bool = False
    """Whether the user wrote the number of its workers."""


@dataclass(frozen=True, slots=True)
class Affinity:
    """With which stage a stage shares a context (None: with none before it), and why."""

    upstream: str | None
    spec: ContextSpec
    reason: str


INLINE: Final = ContextSpec(ContextKind.INLINE)


def decide_affinity(
    graph: StageGraph,
    placements: Mapping[str, Placement],
    traits_of: Callable[[ContextKind], Traits],
    merged: Mapping[str, str] = _NONE_MERGED,
) -> dict[str, Affinity]:
    """The affinity of every stage, by name, in an order in which upstreams come first.

    `merged` are stages that have to be colocated with their one upstream, and why.
    """
    decided: dict[str, Affinity] = {}
    nesting: dict[str, int] = {}
    for name in graph.dag.order():
        stage = graph.stages[name]
        upstreams = graph.dag.predecessors(name)
        affinity = _decide(stage, upstreams, graph, placements[name], decided, traits_of)
        if name in merged:
            affinity = Affinity(upstreams[0], decided[upstreams[0]].spec, merged[name])
        if affinity.upstream is not None:
            nesting[name] = nesting[affinity.upstream] + _nests(graph, affinity.upstream)
            if nesting[name] > DEEPEST_NESTING:
                why = f"{DEEPEST_NESTING} fan-outs and generators already nest in its context"
                affinity = Affinity(None, affinity.spec, why)
        if affinity.upstream is None:
            nesting[name] = 0
        decided[name] = affinity
    return decided


def _decide(
    stage: Stage,
    upstreams: tuple[str, ...],
    graph: StageGraph,
    placement: Placement,
    decided: Mapping[str, Affinity],
    traits_of: Callable[[ContextKind], Traits],
) -> Affinity:
    alone = placement.own or placement.default
    if isinstance(stage, Producer):
        return Affinity(None, INLINE, "a producer begins in the caller's process")
    if isinstance(stage, Accumulator):
        return Affinity(None, INLINE, "it keeps items between calls, so it has one lane here")
    if placement.own is not None:
        why = placement.reason or f"it asks for {placement.own} itself"
        return Affinity(None, placement.own, why)
    if stage.options.ordered:
        return Affinity(None, _here(stage, alone), "it keeps the order of its items")
    if len(upstreams) != 1:
        joined = ", ".join(upstreams) or "nobody yet"
        return Affinity(None, _here(stage, alone), f"it joins several stages ({joined})")
    return _beside(stage, graph, upstreams[0], alone, decided, traits_of)


def _beside(
    stage: Stage,
    graph: StageGraph,
    upstream: str,
    alone: ContextSpec,
    decided: Mapping[str, Affinity],
    traits_of: Callable[[ContextKind], Traits],
) -> Affinity:
    """A stage with one upstream and nothing of its own to say."""
    before, there = graph.stages[upstream], decided[upstream].spec
    if isinstance(before, Accumulator):
        return Affinity(None, _here(stage, alone), f"{upstream} before it gathers items")
    if len(graph.dag.successors(upstream)) > 1 and before.options.routing != "broadcast":
        return Affinity(None, _here(stage, alone), f"{upstream} deals its items out to several")
    other_loop = _other_loop(stage, upstream, *(traits_of(s.kind) for s in (there, alone)))
    if other_loop is not None:
        return Affinity(None, _here(stage, alone), other_loop)
    if isinstance(stage, Consumer) and not traits_of(there.kind).shares_memory:
        why = f"a consumer stays in the caller's process, and {upstream} runs in another"
        return Affinity(None, INLINE, why)
    if isinstance(before, Producer) and not isinstance(stage, Consumer) and alone != INLINE:
        return Affinity(None, alone, f"the pipeline runs its processors in {alone}")
    return Affinity(upstream, there, f"{upstream} is all that feeds it, so a call replaces a queue")


def _other_loop(stage: Stage, upstream: str, there: Traits, alone: Traits) -> str | None:
    """Why a stage and its upstream cannot share an event loop, or the lack of one."""
    if there.runs_coroutines and not stage.is_coroutine:
        return f"a plain function would hold up the coroutines of {upstream}"
    if alone.runs_coroutines and stage.is_coroutine and not there.runs_coroutines:
        return "it is a coroutine, and runs on an event loop"
    return None


def _here(stage: Stage, alone: ContextSpec) -> ContextSpec:
    """Consumers stay with the caller; a processor goes where processors go."""
    return INLINE if isinstance(stage, Consumer) and not stage.is_coroutine else alone


def _nests(graph: StageGraph, name: str) -> bool:
    shape = getattr(graph.stages[name], "shape", None)
    return len(graph.dag.successors(name)) > 1 or (shape is not None and shape.many)

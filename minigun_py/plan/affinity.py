"""Which stages share a context, and why: a pure decision, made stage by stage.

A stage is either *colocated* with its one upstream stage, so that an item passes between them
as a function call, or *isolated*, with an inbox and workers of its own. The first rule that
matches decides, and its reason is kept in words for `ExecutionPlan.explain`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from minigun_py.contexts.context import Traits
from minigun_py.placement import ContextKind, ContextSpec
from minigun_py.plan.graph import StageGraph
from minigun_py.plan.stage import Consumer, DeclaredStage, Producer
from minigun_py.record import record

__all__ = ["INLINE", "Affinity", "Placement", "decide_affinity", "keeps_to_itself"]

DEEPEST_NESTING: Final = 40
"""Fan-outs and generators nest calls inside a segment; Python's stack bounds how many."""

_NONE_MERGED: Final[Mapping[str, str]] = {}


@record
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

    block: str | None = None
    """The block or named context that `own` comes from, if it is not the stage that says it."""


@record
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
    tracked: bool = False,
) -> dict[str, Affinity]:
    """The affinity of every stage, by name, in an order in which upstreams come first.

    `merged` are stages that have to be colocated with their one upstream, and why. Where items are
    `tracked`, it has to be known what comes of each that a source gives or a stage keeps.
    """
    decided: dict[str, Affinity] = {}
    nesting: dict[str, int] = {}  # of what a stage calls
    for name in graph.dag.order():
        stage = graph.stages[name]
        upstreams = graph.dag.predecessors(name)
        affinity = _decide(stage, upstreams, graph, placements, decided, traits_of)
        if name in merged:
            affinity = Affinity(upstreams[0], decided[upstreams[0]].spec, merged[name])
        elif tracked and affinity.upstream is not None:
            affinity = _apart_if_tracked(affinity, graph.stages[affinity.upstream])
        depth = 0 if affinity.upstream is None else nesting[affinity.upstream]
        if depth > DEEPEST_NESTING:
            why = f"{DEEPEST_NESTING} fan-outs and generators already nest in its context"
            affinity, depth = Affinity(None, affinity.spec, why), 0
        nesting[name] = depth + _nests(graph, name)
        decided[name] = affinity
    return decided


def _decide(
    stage: DeclaredStage,
    upstreams: tuple[str, ...],
    graph: StageGraph,
    placements: Mapping[str, Placement],
    decided: Mapping[str, Affinity],
    traits_of: Callable[[ContextKind], Traits],
) -> Affinity:
    placement = placements[stage.name]
    alone = placement.own or placement.default
    if isinstance(stage, Producer):
        return Affinity(None, INLINE, "a producer begins in the caller's process")
    if placement.own is not None and placement.block is None:
        asks = placement.reason or f"it asks for {placement.own} itself"
        return Affinity(None, placement.own, asks)
    if (why := _own_lane(stage) or _sent_aside(stage.name, graph)) is not None:
        lane = INLINE if stage.keeps_state else _here(stage, alone)
        return Affinity(None, placement.own or lane, why)
    if placement.block is not None:
        return _in_block(stage, upstreams, graph, placement, placements, decided)
    if len(upstreams) != 1:
        joined = ", ".join(upstreams) or "nobody yet"
        return Affinity(None, _here(stage, alone), f"it joins several stages ({joined})")
    return _beside(stage, graph, upstreams[0], alone, decided, traits_of)


def _apart_if_tracked(affinity: Affinity, upstream: DeclaredStage) -> Affinity:
    if isinstance(upstream, Producer) or upstream.keeps_items:
        why = f"it has to be known what comes of each item of {upstream.name}"
        return Affinity(None, affinity.spec, why)
    return affinity


def _own_lane(stage: DeclaredStage) -> str | None:
    """Why a stage that names no context is still one of its own."""
    said = stage.options
    reasons = {
        "it keeps state between its items, so it has a lane of its own": stage.keeps_state,
        "it keeps the order of its items": said.ordered,
        "all items of a key go to one of its workers": stage.worker_key is not None,
        "it has a rate of its own": said.rate is not None,
        "it tries items again that have failed": said.retry is not None and not stage.cannot_go_on,
        "its items have a time limit": said.timeout is not None,
        "its function takes an iterator over the items": stage.pulls,
        "what it emits leaves at once": said.stream_outputs,
    }
    return next((why for why, holds in reasons.items() if holds), None)


def _sent_aside(name: str, graph: StageGraph) -> str | None:
    """Why what a stage gets is not all that the one before it emits."""
    if graph.comes_back_to(name):
        return "a loop leads back to it"
    return "it gets items that have failed" if graph.gets_dead_letters(name) else None


def keeps_to_itself(stage: DeclaredStage) -> bool:
    """Whether a stage cannot be called by the one before it, wherever that runs."""
    return _own_lane(stage) is not None


def _in_block(
    stage: DeclaredStage,
    upstreams: tuple[str, ...],
    graph: StageGraph,
    placement: Placement,
    placements: Mapping[str, Placement],
    decided: Mapping[str, Affinity],
) -> Affinity:
    """A stage that is where a block or a named context is."""
    assert placement.own is not None
    if len(upstreams) == 1 and placements[upstreams[0]].block == placement.block:
        before = upstreams[0]
        dealt = _dealt_out(graph, before, stage.name)
        if dealt is None and decided[before].spec == placement.own:
            return Affinity(before, placement.own, f"{before} is in {placement.block} as well")
    return Affinity(None, placement.own, f"it is in {placement.block}")


def _dealt_out(graph: StageGraph, upstream: str, name: str) -> str | None:
    """Why what an upstream emits cannot fall into a stage by a call, in words; None if it can."""
    before = graph.stages[upstream]
    if before.keeps_state:
        return f"{upstream} before it gathers items"
    if before.options.stream_outputs:
        return f"what {upstream} emits leaves at once"
    if before.options.timeout is not None:
        return f"it would take of the time that {upstream} has for an item"
    if not graph.feeds(upstream, name):
        return f"{upstream} sends it only some of its items"
    dealt = before.options.routing != "broadcast"
    if before.chooses_targets or (dealt and len(graph.static(upstream)) > 1):
        return f"{upstream} deals its items out to several"
    return None


def _beside(
    stage: DeclaredStage,
    graph: StageGraph,
    upstream: str,
    alone: ContextSpec,
    decided: Mapping[str, Affinity],
    traits_of: Callable[[ContextKind], Traits],
) -> Affinity:
    """A stage with one upstream and nothing of its own to say."""
    before, there = graph.stages[upstream], decided[upstream].spec
    apart = _dealt_out(graph, upstream, stage.name)
    if apart is not None:
        return Affinity(None, _here(stage, alone), apart)
    other_loop = _other_loop(stage, upstream, *(traits_of(s.kind) for s in (there, alone)))
    if other_loop is not None:
        return Affinity(None, _here(stage, alone), other_loop)
    if isinstance(stage, Consumer) and not traits_of(there.kind).shares_memory:
        why = f"a consumer stays in the caller's process, and {upstream} runs in another"
        return Affinity(None, INLINE, why)
    if isinstance(stage, Consumer) and there.workers > 1:
        first = _first(upstream, decided)
        if graph.stages[first].options.ordered:
            return Affinity(None, INLINE, f"a consumer takes items in the order that {first} keeps")
    if isinstance(before, Producer) and not isinstance(stage, Consumer) and alone != INLINE:
        return Affinity(None, alone, f"the pipeline runs its processors in {alone}")
    return Affinity(upstream, there, f"{upstream} is all that feeds it, so a call replaces a queue")


def _first(name: str, decided: Mapping[str, Affinity]) -> str:
    """The stage that heads the context which a stage is in."""
    while (before := decided[name].upstream) is not None:
        name = before
    return name


def _other_loop(stage: DeclaredStage, upstream: str, there: Traits, alone: Traits) -> str | None:
    """Why a stage and its upstream cannot share an event loop, or the lack of one."""
    if there.runs_coroutines and not stage.is_coroutine:
        return f"a plain function would hold up the coroutines of {upstream}"
    if alone.runs_coroutines and stage.is_coroutine and not there.runs_coroutines:
        return "it is a coroutine, and runs on an event loop"
    return None


def _here(stage: DeclaredStage, alone: ContextSpec) -> ContextSpec:
    """Consumers stay with the caller; a processor goes where processors go."""
    return INLINE if isinstance(stage, Consumer) and not stage.is_coroutine else alone


def _nests(graph: StageGraph, name: str) -> bool:
    shape = getattr(graph.stages[name], "shape", None)
    return len(graph.dag.successors(name)) > 1 or (shape is not None and shape.many)

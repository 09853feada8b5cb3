"""What is wanted, adapted to what is there: kinds that cannot run here, and limits on numbers.

Each change is told in a sentence, for `explain` and for one warning when the plan is run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from minigun_py.contexts.fallback import nearest_spec
from minigun_py.contexts.registry import traits_of
from minigun_py.errors import UsageError
from minigun_py.plan.affinity import keeps_to_itself
from minigun_py.plan.graph import StageGraph
from minigun_py.plan.limits import Wanted, cheapest_merge, fit
from minigun_py.plan.segment import Segment
from minigun_py.plan.stage import OwnStage, Producer
from minigun_py.record import record, replace

__all__ = [
    "Adapted",
    "adapt_kinds",
    "check_crossings",
    "fit_limits",
    "lost_assignments",
    "merge_for_limits",
]


@record
class Adapted:
    """Segments as they can run, and what is different from what was wanted."""

    segments: tuple[Segment, ...]
    notes: tuple[str, ...] = ()


def adapt_kinds(segments: Sequence[Segment]) -> Adapted:
    """Put the nearest kind where one cannot run. Raises `UsageError` where that is not wanted."""
    adapted, notes = [], []
    for segment in segments:
        _check_coroutines(segment)
        spec, why = nearest_spec(segment.spec, segment.functions)
        if why is not None:
            told = f"stage {segment.head.name!r}: {why}"
            if segment.head.options.fallback == "error":
                raise UsageError(f"{segment.head}: {why}, but it says fallback='error'")
            notes.append(told)
        adapted.append(replace(segment, spec=spec))
    return Adapted(tuple(adapted), tuple(notes))


def check_crossings(segments: Sequence[Segment]) -> None:
    """Refuse, before the first item, what cannot reach a worker. Raises `UsageError`."""
    elsewhere = _in_memory_of_their_own(segments)
    if not elsewhere:
        return
    from minigun_py.plan.preflight import held_locks, what_cannot_cross  # here: if they are asked

    told: list[str] = []
    for segment in elsewhere:
        inherits = traits_of(segment.spec.kind).inherits_code
        for stage in segment.stages:
            for function in stage.functions:
                if not inherits:
                    told += [c.told_of(stage.name) for c in what_cannot_cross(function)]
                else:
                    told += [
                        f"{c.told_of(stage.name)}, which is locked: a forked worker would wait "
                        "for it for ever"
                        for c in held_locks(function)
                    ]
    if told:
        raise UsageError("; ".join(dict.fromkeys(told)))


def lost_assignments(segments: Sequence[Segment]) -> tuple[str, ...]:
    """What stages assign to in a copy that the program never sees, in sentences."""
    elsewhere = _in_memory_of_their_own(segments)
    if not elsewhere:
        return ()
    from minigun_py.plan.assignments import assigned_elsewhere  # here: if it is asked

    return tuple(
        f"stage {stage.name!r} assigns to {name} in a copy of its own, which the program does not "
        "see: emit it instead"
        for segment in elsewhere
        for stage in segment.stages
        if stage.user_function is not None and not isinstance(stage, OwnStage)
        for name in assigned_elsewhere(stage.user_function)
    )


def _in_memory_of_their_own(segments: Iterable[Segment]) -> list[Segment]:
    return [segment for segment in segments if not traits_of(segment.spec.kind).shares_memory]


def merge_for_limits(
    graph: StageGraph,
    segments: Sequence[Segment],
    explicit: Mapping[str, bool],
    limits: Mapping[str, int | None],
) -> tuple[str, str] | None:
    """Two neighbours that have to share their workers, or None if every segment can have some.

    Raises:
        UsageError: There are too many segments for a limit, and none that can be merged.
    """
    pool = fit(_wanted(segments, explicit), limits).too_many
    if pool is None:
        return None
    heads = [segment.head.name for segment in segments]
    workers = {segment.head.name: segment.spec.workers for segment in segments}
    candidates = list(_mergeable(graph, segments, pool))
    pair = cheapest_merge(candidates, workers, heads)
    if pair is None:
        names = ", ".join(s.head.name for s in segments if traits_of(s.spec.kind).pool == pool)
        raise UsageError(
            f"max_{pool} is {limits[pool]}, and {names} need one each; raise max_{pool}"
        )
    return pair


def fit_limits(
    segments: Sequence[Segment], explicit: Mapping[str, bool], limits: Mapping[str, int | None]
) -> Adapted:
    """Cut the numbers of workers to the limits."""
    fitted = fit(_wanted(segments, explicit), limits)
    adapted = [
        replace(s, spec=replace(s.spec, workers=fitted.workers[s.head.name])) for s in segments
    ]
    return Adapted(tuple(adapted), fitted.cuts)


def _wanted(segments: Sequence[Segment], explicit: Mapping[str, bool]) -> list[Wanted]:
    return [
        Wanted(s.head.name, traits_of(s.spec.kind).pool, s.spec.workers, explicit[s.head.name])
        for s in segments
    ]


def _mergeable(graph: StageGraph, segments: Sequence[Segment], pool: str) -> list[tuple[str, str]]:
    """Heads of neighbours of the same kind, of which the later one is fed by the other alone."""
    by_stage = {name: segment for segment in segments for name in segment.names}
    pairs = []
    for segment in segments:
        upstreams = graph.dag.predecessors(segment.head.name)
        if traits_of(segment.spec.kind).pool != pool or len(upstreams) != 1:
            continue
        before = by_stage[upstreams[0]]
        feeder = graph.stages[upstreams[0]]
        dealt = len(graph.dag.successors(upstreams[0])) > 1 or feeder.chooses_targets
        apart = isinstance(before.head, Producer) or before.head.keeps_state
        apart = apart or keeps_to_itself(segment.head)
        apart = apart or not graph.feeds(upstreams[0], segment.head.name)
        if before.spec.kind is segment.spec.kind and not apart and not dealt:
            pairs.append((before.head.name, segment.head.name))
    return pairs


def _check_coroutines(segment: Segment) -> None:
    if not traits_of(segment.spec.kind).runs_coroutines:
        return
    for stage in segment.stages:
        if not stage.is_coroutine:
            hint = "write it with async def, or give it execution='thread'"
            raise UsageError(f"{stage}: it is a plain function, and runs in coroutines; {hint}")

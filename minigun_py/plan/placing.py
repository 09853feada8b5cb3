"""What each stage has said about where it runs: by its options, by hints, or by default.

A pure decision for every stage alone; what follows from its neighbours is `affinity`, and what is
possible here is `adaptation`.
"""

from __future__ import annotations

from typing import Literal

from minigun_py.contexts.registry import traits_of
from minigun_py.contexts.surroundings import Surroundings
from minigun_py.errors import UsageError
from minigun_py.placement import ContextKind, ContextSpec
from minigun_py.plan.affinity import INLINE, Placement
from minigun_py.plan.hints import advise
from minigun_py.plan.options import Ground
from minigun_py.plan.stage import Accumulator, Consumer, DeclaredStage, Producer
from minigun_py.record import record

__all__ = ["Wishes", "check_stoppable", "place"]


@record
class Wishes:
    """What the pipeline and the run say about all stages.

    `execution` and `workers` are the pipeline's defaults; `override` is the run's word over every
    stage's own.
    """

    execution: ContextKind | None = None
    workers: int | Literal["auto"] | None = None
    override: ContextKind | None = None

    def beside(self, ground: Ground) -> Wishes:
        """What holds for a stage whose own pipeline, inside of this one, says this."""
        if ground.execution is None and ground.workers is None:
            return self
        return Wishes(ground.execution, ground.workers, self.override)


def place(stage: DeclaredStage, wishes: Wishes, here: Surroundings) -> Placement:
    """Where a stage wants to run. Raises `UsageError` for what it cannot want."""
    _check(stage)
    said = stage.options
    if said.ground.block is None:
        wishes = wishes.beside(said.ground)
    default = _default_spec(stage, wishes, here)
    if wishes.override is ContextKind.INLINE:
        return Placement(None, INLINE)
    if isinstance(stage, Producer):
        return Placement(None, default)
    if said.timeout is not None:
        return _stoppable(stage, default, wishes, here)
    return _wanted(stage, default, wishes, here)


def _wanted(
    stage: DeclaredStage, default: ContextSpec, wishes: Wishes, here: Surroundings
) -> Placement:
    """Where a stage runs that may run anywhere."""
    said, explicit = stage.options, isinstance(wishes.workers, int)
    advice = advise(said.resources, stage.is_coroutine, here)
    kind = said.execution or advice.kind
    if kind is not None and wishes.override is not None:
        kind = wishes.override
    by_hint = advice.kind is not None and kind is advice.kind
    workers = said.workers or (advice.workers if by_hint else None)
    if kind is None and workers is None and said.ground.block is not None:
        return _in_block(stage, default, wishes, here)
    if kind is None and workers is None:
        if (why := _stands_alone(stage)) is None:
            return Placement(None, default, explicit=explicit)
        return Placement(_mine(stage, default), default, why, explicit)
    kind = kind or _kind_for_many(stage, said.ground.execution or default.kind)
    spec = _spec(stage, kind, _count(workers, kind, wishes, here))
    reason = advice.reason if by_hint and said.execution is None else None
    return Placement(spec, default, reason, isinstance(said.workers, int))


def _in_block(
    stage: DeclaredStage, default: ContextSpec, wishes: Wishes, here: Surroundings
) -> Placement:
    """Where the block of a stage says, which is said as clearly as by the stage itself."""
    ground = stage.options.ground
    kind = wishes.override or ground.execution or _kind_for_many(stage, default.kind)
    spec = _spec(stage, kind, _count(ground.workers, kind, wishes, here))
    return Placement(spec, default, None, isinstance(ground.workers, int), ground.block)


def _stoppable(
    stage: DeclaredStage, default: ContextSpec, wishes: Wishes, here: Surroundings
) -> Placement:
    """Where a stage runs whose items have a time limit: where one can be stopped."""
    said, why = stage.options, None
    advice = advise(said.resources, stage.is_coroutine, here)
    kind = wishes.override or said.execution
    if kind is None and said.ground.block is not None:
        kind = said.ground.execution
    if kind is None and advice.kind is not None and _keeps_time(advice.kind):
        kind, why = advice.kind, advice.reason
    if kind is None and wishes.execution is not None and _keeps_time(wishes.execution):
        kind = wishes.execution
    if kind is None:
        kind = ContextKind.ASYNC if stage.is_coroutine else ContextKind.FORK
        why = f"its items have a time limit, and a {traits_of(kind).worker} can be stopped"
    check_stoppable(kind, str(stage))
    around = said.ground.workers if said.ground.block else wishes.workers
    workers = said.workers or (advice.workers if kind is advice.kind else None) or around
    spec = _spec(stage, kind, _count(workers, kind, wishes, here))
    return Placement(spec, default, why, isinstance(said.workers or around, int))


def check_stoppable(kind: ContextKind, where: str) -> None:
    """Refuse a time limit where nobody can keep it. Raises `UsageError`."""
    if not _keeps_time(kind):
        worker = traits_of(kind).worker
        a = "an" if worker[0] in "aeiou" else "a"
        raise UsageError(
            f"{where}: {a} {worker} cannot be stopped, so it has no timeout; name another "
            "execution, such as 'fork', or none, and one is chosen; or say timeout=None"
        )


def _keeps_time(kind: ContextKind) -> bool:
    """Whether an item that takes too long fails: in time, or, inline, when it returns."""
    return traits_of(kind).killable or kind is ContextKind.INLINE


def _default_spec(stage: DeclaredStage, wishes: Wishes, here: Surroundings) -> ContextSpec:
    workers, kind = wishes.workers, wishes.override or wishes.execution
    if kind is None and stage.is_coroutine:
        kind = ContextKind.ASYNC
    if kind is None:
        kind = ContextKind.INLINE if workers in (None, 1) else ContextKind.THREAD
    return _spec("the pipeline's defaults", kind, _count(workers, kind, wishes, here))


def _stands_alone(stage: DeclaredStage) -> str | None:
    """Why a stage that names neither a kind nor a number is still a context of its own."""
    said = stage.options
    if said.setup is not None:
        return "it has a setup of its own"
    if said.max_items_per_worker is not None:
        return "its workers are replaced after a number of items"
    if said.max_rss is not None:
        return "its workers are replaced when they have grown too large"
    return "it has resource hints" if said.resources else None


def _mine(stage: DeclaredStage, default: ContextSpec) -> ContextSpec:
    """The default as the stage's own: consumers stay with the caller."""
    stays = isinstance(stage, Consumer) and not stage.is_coroutine
    return _spec(stage, INLINE.kind, 1) if stays else _spec(stage, default.kind, default.workers)


def _kind_for_many(stage: DeclaredStage, default: ContextKind) -> ContextKind:
    """The kind for several workers where none is named: threads, unless a default says else."""
    if default is ContextKind.INLINE:
        return ContextKind.THREAD
    stays = isinstance(stage, Consumer) and not traits_of(default).shares_memory
    return ContextKind.THREAD if stays else default


def _count(workers: int | str | None, kind: ContextKind, wishes: Wishes, here: Surroundings) -> int:
    if kind is ContextKind.INLINE and kind is wishes.override:
        return 1
    if workers == "auto":
        return 1 if kind is ContextKind.INLINE else here.cpus
    return int(workers or 1)


def _spec(asking: DeclaredStage | str, kind: ContextKind, workers: int) -> ContextSpec:
    said = None if isinstance(asking, str) else asking.options
    if said and said.max_items_per_worker and not traits_of(kind).recycles:
        wrong = "its workers share one event loop; drop max_items_per_worker"
        raise UsageError(f"{asking}: {wrong}")
    if said and said.max_rss and traits_of(kind).pool != "processes":
        wrong = f"{traits_of(kind).worker}: max_rss is for workers that are processes"
        raise UsageError(f"{asking}: {wrong}, such as execution='fork'")
    if said and said.retry and said.retry.fresh_state and traits_of(kind).runs_coroutines:
        wrong = "its workers share one state; drop fresh_state"
        raise UsageError(f"{asking}: {wrong}")
    try:
        return ContextSpec(
            kind,
            workers,
            said.max_items_per_worker if said else None,
            said.start_method if said else None,
        )
    except ValueError as error:
        raise UsageError(f"{asking}: {error}") from None


def _check(stage: DeclaredStage) -> None:
    """Refuse options that this role or this kind has no use for."""
    said, role = stage.options, type(stage).__name__.lower()
    if isinstance(stage, Producer) and (
        said.execution
        or said.workers
        or said.resources
        or said.max_items_per_worker
        or said.max_rss
    ):
        wrong = "execution, workers, resources, max_items_per_worker and max_rss"
        raise UsageError(f"{stage}: {role}s run in the caller, one at a time; drop {wrong}")
    workers = said.workers or (said.ground.workers if said.ground.block else None)
    if isinstance(stage, Accumulator) and workers not in (None, 1) and said.key is None:
        raise UsageError(
            f"{stage}: with several workers each sees a part of the stream; say by key= which"
        )
    if stage.pulls and said.ordered and said.workers not in (None, 1):
        raise UsageError(
            f"{stage}: it takes an iterator, so nobody knows which item an output belongs to; "
            "drop ordered"
        )
    if stage.pulls and said.execution is ContextKind.ASYNC:
        raise UsageError(
            f"{stage}: it takes an iterator, and has a loop of its own where it is asynchronous; "
            "drop execution='async'"
        )
    kind = said.execution or said.ground.execution
    if said.start_method and kind is not ContextKind.PROCESS:
        raise UsageError(f"{stage}: start_method is for execution='process'; name that, or drop it")

"""Where each step runs, and what it takes for as long as it does. Pure.

The step's own words come first, then its resource hints. A step with a time limit runs where it can
be stopped, and one that says how much memory it needs in a process, where that can be held to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from minigun_py.contexts.registry import traits_of
from minigun_py.contexts.surroundings import Surroundings
from minigun_py.errors import UsageError
from minigun_py.placement import ContextKind
from minigun_py.plan.hints import advise
from minigun_py.plan.placing import check_stoppable
from minigun_py.record import record
from minigun_py.tasks.task import Lane
from minigun_py.workflow.admission import CPU, GPUS, INLINE, IO, MEMORY, Needs
from minigun_py.workflow.graph import Gathered, StepGraph
from minigun_py.workflow.step import Step

__all__ = ["Placed", "Room", "lanes_of", "places"]

FEW: Final = 10
"""Fewer steps than this are run in the caller, if all of them are trivial."""
TRIVIAL_SECONDS: Final = 0.001
ALL_SECONDS: Final = 0.005
"""What it costs at least to have workers begin."""


@record(eq=False)
class Placed:
    """Where a step runs, what it needs, and why it is there."""

    lane: Lane
    needs: Needs
    memory: int | None
    """The bytes that its process is held to; 0 to look only; None where it has no process."""
    reason: str


@record
class Room:
    """What there is for the steps of a run."""

    cpu: int
    io: int
    memory: int | None
    """None is any number of bytes."""
    limits: Mapping[str, int]
    gpus: int = 1
    memory_is_said: bool = False
    """Whether it is what the user grants, and not just what the machine has left."""

    def capacities(self) -> dict[str, int]:
        """How much there is of what, by the names that `Needs` have."""
        found = {**self.limits, CPU: self.cpu, IO: self.io, GPUS: self.gpus, INLINE: 1}
        return found if self.memory is None else {**found, MEMORY: self.memory}


def places(
    graph: StepGraph,
    room: Room,
    here: Surroundings,
    durations: Mapping[str, float],
    sequential: bool,
) -> list[Placed]:
    """Where each step of a run runs. Raises `UsageError` if one needs more than there ever is.

    Args:
        durations: How long steps took before, as far as that is known.
        sequential: Whether the user wants all of them in the caller.
    """
    if sequential or _are_trivial(graph.steps, durations):
        return [_in_the_caller(step, room) for step in graph.steps]
    return [_place(step, room, here) for step in graph.steps]


def _place(step: Step, room: Room, here: Surroundings) -> Placed:
    """Where a step runs. Raises `UsageError` if it needs more than there ever is."""
    lane, reason = _lane(step, here)
    kind = ContextKind(lane.execution or (ContextKind.ASYNC if lane.waits else ContextKind.FORK))
    traits = traits_of(kind)
    in_process = traits.killable and not traits.shares_memory
    memory = (step.options.memory or 0) if in_process else None
    return Placed(lane, _needs(step, lane, room), memory, reason)


def _in_the_caller(step: Step, room: Room) -> Placed:
    """The same where steps run one after the other."""
    said = step.options
    if not (said.timeout or step.waits or said.limits or said.resources):
        return _PLAIN
    lane = Lane(ContextKind.INLINE, said.timeout, step.waits)
    _needs(step, lane, room)  # to refuse the same
    return Placed(lane, (), None, _PLAIN.reason)


_PLAIN: Final = Placed(Lane(ContextKind.INLINE), (), None, "steps run one after the other")


def _are_trivial(steps: Sequence[Step], durations: Mapping[str, float]) -> bool:
    """Whether workers would cost more than they save, as far as it is known how long steps take.

    So few steps are trivial if each is; more of them, if all were over in no time before.
    """
    if not all(step.options.may_be_trivial for step in steps):
        return False
    if len(steps) >= FEW:
        return sum(durations.get(step.name, ALL_SECONDS) for step in steps) < ALL_SECONDS
    return all(_takes_no_time(step, durations) for step in steps)


def _takes_no_time(step: Step, durations: Mapping[str, float]) -> bool:
    """As it says itself, or as far as is known."""
    if step.options.resources or isinstance(step.function, Gathered):
        return True
    return durations.get(step.name, TRIVIAL_SECONDS) < TRIVIAL_SECONDS


def _lane(step: Step, here: Surroundings) -> tuple[Lane, str]:
    said, waits = step.options, step.waits
    if isinstance(step.function, Gathered):
        return Lane(ContextKind.THREAD), "it only gathers results"
    if said.execution is not None:
        if said.timeout is not None:
            check_stoppable(said.execution, str(step))
        return Lane(said.execution, said.timeout, waits), f"it asks for {said.execution} itself"
    advice = advise(said.resources, waits, here)
    kind, reason = advice.kind, advice.reason
    if kind is ContextKind.INLINE:
        kind = ContextKind.THREAD  # the caller has to look after the others
    if said.timeout is not None and kind is not None and not traits_of(kind).killable:
        kind = None
    if said.memory is not None and kind is ContextKind.THREAD and not _waits(step):
        kind, reason = _process(here), f"Memory({said.memory}): a process can be held to that"
    if kind is None and waits:
        kind, reason = ContextKind.ASYNC, "it is a coroutine function"
    elif kind is None and said.timeout is not None:
        kind, reason = _process(here), "it has a time limit, and a process can be stopped"
    elif kind is None:
        kind, reason = ContextKind.THREAD, "nothing is said of what it needs"
    return Lane(kind, said.timeout, waits), reason


def _process(here: Surroundings) -> ContextKind:
    return ContextKind.FORK if here.can_fork else ContextKind.PROCESS


def _waits(step: Step) -> bool:
    """Whether it mostly waits, and does not compute."""
    names = {hint.name for hint in step.options.resources}
    is_awaited = step.waits and "HEAVY_CPU" not in names
    return is_awaited or bool(names & {"LIGHT_IO", "HEAVY_IO"})


def _needs(step: Step, lane: Lane, room: Room) -> Needs:
    said = step.options
    needs = dict(said.limits)
    for name in needs:
        if name not in room.limits:
            known = ", ".join(map(repr, room.limits)) or "none"
            raise UsageError(
                f"{step}: no limit {name!r} is known ({known}); say how much there is with "
                f"Workflow(limits={{{name!r}: ...}})"
            )
    if not isinstance(step.function, Gathered):
        needs[IO if _waits(step) else CPU] = 1
    if lane.execution == ContextKind.INLINE:
        needs[INLINE] = 1
    if said.memory is not None and room.memory is not None:
        needs[MEMORY] = said.memory if room.memory_is_said else min(said.memory, room.memory)
    for hint in said.resources:
        if hint.name == "GPU":
            needs[GPUS] = hint.amount
    capacities = room.capacities()
    for name, amount in needs.items():
        if amount > capacities[name]:
            raise UsageError(
                f"{step}: it needs {amount} {name}, and there are never more than "
                f"{capacities[name]}"
            )
    return tuple(sorted(needs.items()))


def lanes_of(graph: StepGraph, placed: Sequence[Placed], room: Room) -> dict[Lane, int]:
    """For each lane how many of its pieces may ever run at once."""
    capacities = room.capacities()
    counts, slots = Counter[Lane](), dict[Lane, dict[str, int]]()
    for step in graph.steps:
        where = placed[step.number]
        if where is _PLAIN and slots:  # as many are, one after the other
            continue
        if where.lane.execution == ContextKind.INLINE:
            slots.setdefault(where.lane, {})[INLINE] = 1
            continue
        counts[where.lane] += capacities[IO] + capacities[CPU] if step.is_mapped else 1
        named = {name: capacities[name] for name, _ in where.needs if name in (CPU, IO)}
        slots.setdefault(where.lane, {}).update(named)
    return {lane: min(counts[lane] or 1, sum(there.values()) or 1) for lane, there in slots.items()}

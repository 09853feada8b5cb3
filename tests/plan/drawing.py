"""Stages and graphs in a few words, for tests of whatever reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from minigun_py.contexts.surroundings import Surroundings
from minigun_py.engine.ready_made import Batch
from minigun_py.plan.execution_plan import ExecutionPlan, PlanConfig
from minigun_py.plan.graph import StageGraph
from minigun_py.plan.options import checked_options
from minigun_py.plan.segment import Segment
from minigun_py.plan.stage import (
    Accumulator,
    Consumer,
    DeclaredStage,
    OwnStage,
    Processor,
    Producer,
)

__all__ = [
    "accumulator",
    "batch",
    "consumer",
    "gather",
    "machine",
    "plan_of",
    "processor",
    "segments_of",
    "source",
]


def same(item: Any) -> Any:
    """What a stage does if nothing else is said."""
    return item


def gather(items: Iterable[Any]) -> Iterator[Any]:
    """What a stage does that takes an iterator, if nothing else is said."""
    yield list(items)


def source(name: str, items: Any = (), **options: Any) -> Producer:
    """A producer of these items, or with this function."""
    return Producer(name, checked_options(options, name), "", items)


def processor(name: str, function: Callable[..., Any] = same, **options: Any) -> Processor:
    """A processor."""
    return Processor(name, checked_options(options, name), "", function)


def consumer(name: str, function: Callable[..., Any] = same, **options: Any) -> Consumer:
    """A consumer."""
    return Consumer(name, checked_options(options, name), "", function)


def accumulator(name: str, function: Callable[..., Any] = gather, **options: Any) -> Accumulator:
    """A stage that takes an iterator."""
    return Accumulator(name, checked_options(options, name), "", function)


def batch(name: str, size: int = 2, max_wait: float | None = None, **options: Any) -> OwnStage:
    """A stage that gathers."""
    gathers = Batch(name, size=size, max_wait=max_wait, key=None, max_bytes=None, max_pending=None)
    return OwnStage(name, checked_options(options, name), "", gathers)


def plan_of(*stages: DeclaredStage, config: PlanConfig | None = None) -> ExecutionPlan:
    """The plan of a pipeline of these stages."""
    graph = StageGraph(stages)
    return ExecutionPlan.of(graph, config).plan()


def segments_of(
    stages: Iterable[DeclaredStage], config: PlanConfig | None = None
) -> tuple[Segment, ...]:
    """The segments of that plan."""
    return plan_of(*stages, config=config).segments


def machine(**given: Any) -> Surroundings:
    """A machine with two processors that can do everything, but for what is said."""
    usual = {
        "cpus": 2, "gil": True, "can_fork": True, "can_subinterpret": True,
        "memory": None, "gpus": 0,
    }  # fmt: skip
    return Surroundings(**(usual | given))

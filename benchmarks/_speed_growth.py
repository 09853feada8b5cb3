"""Whether an item costs the same in long runs, in long pipelines, and what a long plan takes."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from benchmarks import _speed_work as work
from benchmarks._speed_goals import amount, no_dearer
from benchmarks._speed_model import OURS, Job, Workload

__all__ = ["GROWTH"]

LIMIT = 1.25
SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
LONG_RUN, USUAL = 1_000_000, 100_000
LENGTHS = (10, 100, 1000)
TOUCHED = 20_000_000  # items times stages: to begin with a stage costs as much as 2,000 items
MANY_STAGES = 10_000


def length_of_run(library: Any, job: Job, execution: str) -> int:
    """One stage and a consumer that counts."""
    pipe = library.Pipeline("long run")
    pipe.source(range(job.items))
    pipe.processor(work.plus, execution=execution)
    count = 0

    @pipe.consumer
    def take(item: int) -> None:
        nonlocal count
        count += 1

    pipe.run()
    return count


def long_runs(kind: str) -> Workload:
    """The same for every kind of context."""
    goal = no_dearer(
        f"{OURS}, {LONG_RUN:,} items", f"{OURS}, {USUAL:,} items", LIMIT, "a million beside 100,000"
    )
    it = Workload(
        f"growth, {kind}",
        f"what an item costs in runs of different length, {kind}",
        USUAL,
        lambda job: job.items,
        goals=(goal,),
    )
    for size in (USUAL, *(size for size in SIZES if size != USUAL)):
        case = partial(length_of_run, execution=kind)
        it.add(OURS, f"{size:,} items", case, size, is_long=size > LONG_RUN)
    return it


def length_of_pipeline(library: Any, job: Job, stages: int) -> int:
    """Inline stages in a row; what counts is a stage's part of an item."""
    pipe = library.Pipeline("long pipeline")
    pipe.source(range(job.items))
    for number in range(stages):
        pipe.processor(work.plus, name=f"stage {number}")
    count = 0

    @pipe.consumer
    def take(item: int) -> None:
        nonlocal count
        count += 1

    began = time.perf_counter()
    pipe.run()
    job.each = (time.perf_counter() - began) / job.items / stages
    return count


LONG_PIPELINES = Workload(
    "growth, stages",
    "what a stage costs for each item in pipelines of different length, inline",
    TOUCHED,
    lambda job: job.items,
    goals=(
        no_dearer(
            f"{OURS}, {LENGTHS[-1]} stages", f"{OURS}, {LENGTHS[0]} stages", LIMIT, "1000 beside 10"
        ),
    ),
    column="µs/item and stage",
)
for stages in LENGTHS:
    way = partial(length_of_pipeline, stages=stages)
    LONG_PIPELINES.add(OURS, f"{stages} stages", way, TOUCHED // stages)


PLAN = Workload(
    "growth, plan",
    "the plan of a pipeline of 10,000 stages, in seconds of processor time",
    MANY_STAGES,
    goals=(amount(f"{OURS}, plan", 1, "seconds"),),
    column="s",
    scale=1,
)


@PLAN.case(OURS, "plan")
def plan(library: Any, job: Job) -> None:
    """Nothing is run."""
    pipe = library.Pipeline("plan")
    pipe.source([])
    for number in range(job.items):
        pipe.processor(work.plus, name=f"stage {number}")
    began = time.process_time()
    pipe.plan()
    job.each = time.process_time() - began


GROWTH = (*[long_runs(kind) for kind in ("inline", "thread", "fork")], LONG_PIPELINES, PLAN)

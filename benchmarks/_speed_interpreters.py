"""Subinterpreters beside forks, and beside the pool of interpreters of the standard library."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from benchmarks import _speed_peers as peers
from benchmarks import _speed_work as work
from benchmarks._speed_cpu import total_of_items
from benchmarks._speed_goals import at_speed_of, faster_than_peers
from benchmarks._speed_inline import loop, right
from benchmarks._speed_model import BY_HAND, OURS, Job, Workload

__all__ = ["TINY_INTERPRETERS", "WARM_INTERPRETERS"]

WORKERS = 2


def interpreters_missing() -> str | None:
    """Why there are none."""
    from minigun_py.contexts.registry import obstacle_to
    from minigun_py.placement import ContextKind

    return None if obstacle_to(ContextKind.SUBINTERPRETER) is None else "needs subinterpreters"


def warm(library: Any, job: Job, execution: str) -> int:
    """Workers that have had a third of the items when the clock is started."""
    function = partial(work.burn, job.per_ms * 5)
    results = iter(peers.ours(library, function, range(job.items), WORKERS, execution))
    first = job.items // 3
    total = sum(next(results) for _ in range(first))
    began = time.perf_counter()
    total += sum(results)
    job.each = (time.perf_counter() - began) / (job.items - first)
    return total


WARM_INTERPRETERS = Workload(
    "interpreters, cpu",
    "items of 5 ms in two warm subinterpreters",
    120,
    total_of_items,
    goals=(
        at_speed_of(f"{OURS}, subinterpreter", f"{OURS}, fork", 0.95, "beside two forked workers"),
    ),
    obstacle=interpreters_missing,
)
for kind in ("fork", "subinterpreter"):
    WARM_INTERPRETERS.add(OURS, kind, partial(warm, execution=kind))


TINY_INTERPRETERS = Workload(
    "interpreters, tiny items",
    "the three tiny functions in two subinterpreters",
    500_000,
    right,
    goals=(
        faster_than_peers(
            f"{OURS}, subinterpreter", 30, "beside the standard pool", but=(BY_HAND,)
        ),
    ),
    obstacle=interpreters_missing,
)
TINY_INTERPRETERS.add(BY_HAND, "loop", loop)


@TINY_INTERPRETERS.case(OURS, "subinterpreter")
def ours(library: Any, job: Job) -> int:
    """One stage of two; nothing is tuned."""
    items = range(job.items)
    return sum(peers.ours(library, work.all_three, items, WORKERS, "subinterpreter"))


@TINY_INTERPRETERS.case("concurrent.futures", "InterpreterPoolExecutor.map", items=10_000)
def standard(library: Any, job: Job) -> int:
    """Its `map` knows no chunks."""
    with library.InterpreterPoolExecutor(WORKERS) as executor:
        return sum(executor.map(work.all_three, range(job.items)))

"""Items that wait, fifty at a time."""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks import _speed_peers as peers
from benchmarks import _speed_work as work
from benchmarks._speed_cpu import total_of_items
from benchmarks._speed_goals import no_dearer
from benchmarks._speed_model import BY_HAND, OURS, Job, Workload

__all__ = ["COROUTINES", "THREADS"]

WORKERS = 50
IDEAL = f"{BY_HAND}, ideal"


def ideal(library: Any, job: Job) -> int:
    """What it takes if nothing but the waiting does."""
    job.each = work.NAP / WORKERS
    return total_of_items(job)


def mapped(library: Any, job: Job, function: peers.Function, way: peers.Map) -> int:
    """A library that maps a function over the items."""
    return sum(way(library, function, range(job.items), WORKERS))


def workload(
    name: str,
    title: str,
    function: peers.Function,
    execution: str,
    limit: float,
    maps: dict[tuple[str, str], peers.Map],
) -> Workload:
    """The same for threads and for coroutines."""
    mine = f"{OURS}, {execution}"
    goal = no_dearer(mine, IDEAL, limit, "beside the waiting alone")
    it = Workload(name, title, 2000, total_of_items, goals=(goal,))
    it.add(BY_HAND, "ideal", ideal)
    way: peers.Map = partial(peers.ours, execution=execution)
    it.add(OURS, execution, partial(mapped, function=function, way=way))
    for (library, label), way in maps.items():
        it.add(library, label, partial(mapped, function=function, way=way))
    return it


THREADS = workload(
    "io threads",
    "items that sleep for 5 ms, in 50 threads",
    work.nap,
    "thread",
    1.15,
    peers.THREAD_MAPS,
)
COROUTINES = workload(
    "io coroutines",
    "items that sleep for 5 ms, in 50 coroutines",
    work.nap_async,
    "async",
    1.12,
    peers.COROUTINE_MAPS,
)

"""Items that keep a processor busy, and two workers; what is lost beside two that are alone.

More than half of what would be gained by a second processor is out of our hands where others use
it too. So the reference is not the loop, but two bare workers that split the items in advance.
"""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks import _speed_peers as peers
from benchmarks import _speed_work as work
from benchmarks._speed_goals import at_speed_of, no_dearer
from benchmarks._speed_model import BY_HAND, OURS, Job, Workload, lock_is_gone

__all__ = ["CPU", "FREE_THREADS", "total_of_items"]

WORKERS = 2
BARE = f"{BY_HAND}, two bare forks"
BARE_THREADS = f"{BY_HAND}, two bare threads"


def total_of_items(job: Job) -> int:
    """Every item comes back as it was."""
    return sum(range(job.items))


def even(job: Job, milliseconds: float) -> Callable[[int], int]:
    """Items of the same length."""
    return partial(work.burn, max(1, round(job.per_ms * milliseconds)))


def skewed(job: Job) -> Callable[[int], int]:
    """Short items with a long one here and there."""
    return partial(work.burn_skewed, max(1, round(job.per_ms * 0.2)))


Load = Callable[[Job], Callable[[int], int]]


def bare_forks(library: Any, job: Job, load: Load) -> int:
    """Every other item for each of two processes; the results come back at once."""
    function, children = load(job), []
    for number in range(WORKERS):
        receiver, sender = os.pipe()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                results = [function(item) for item in range(number, job.items, WORKERS)]
                with open(sender, "wb") as file:
                    pickle.dump(results, file)
                status = 0
            finally:
                os._exit(status)
        os.close(sender)
        children.append((pid, receiver))
    total = 0
    for pid, receiver in children:
        with open(receiver, "rb") as file:
            total += sum(pickle.load(file))
        os.waitpid(pid, 0)
    return total


def mapped(library: Any, job: Job, load: Load, way: peers.Map) -> int:
    """A library that maps a function over the items."""
    return sum(way(library, load(job), range(job.items), WORKERS))


def workload(name: str, title: str, items: int, load: Load, limit: float) -> Workload:
    """The same ways for every load."""
    goal = no_dearer(f"{OURS}, fork", BARE, limit, "beside two bare forks")
    it = Workload(name, title, items, total_of_items, goals=(goal,))
    it.add(BY_HAND, "two bare forks", partial(bare_forks, load=load))
    it.add(OURS, "fork", partial(mapped, load=load, way=peers.ours))
    for (library, label), way in peers.PROCESS_MAPS.items():
        it.add(library, label, partial(mapped, load=load, way=way))
    return it


CPU = (
    workload(
        "cpu 5 ms", "items of 5 ms in two processes", 200, partial(even, milliseconds=5), 1.05
    ),
    workload(
        "cpu 100 us",
        "items of 0.1 ms in two processes",
        8000,
        partial(even, milliseconds=0.1),
        1.10,
    ),
    workload(
        "cpu skewed", "items of 0.2 ms, every 25th of 20 ms, in two processes", 1000, skewed, 1.10
    ),
)


def has_global_lock() -> str | None:
    """Why threads cannot be measured on two processors."""
    return None if lock_is_gone() else "needs a Python without a global lock"


FREE_THREADS = Workload(
    "free threads",
    "items of 5 ms in two threads, on a Python without a global lock",
    200,
    total_of_items,
    goals=(at_speed_of(f"{OURS}, thread", BARE_THREADS, 0.95, "beside two bare threads"),),
    obstacle=has_global_lock,
)


@FREE_THREADS.case(BY_HAND, "two bare threads")
def bare_threads(library: Any, job: Job) -> int:
    """Every other item for each of two threads."""
    function = even(job, 5)
    sums = [0] * WORKERS

    def run(number: int) -> None:
        sums[number] = sum([function(item) for item in range(number, job.items, WORKERS)])

    threads = [threading.Thread(target=run, args=(number,)) for number in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(sums)


FREE_THREADS.add(
    OURS,
    "thread",
    partial(
        mapped, load=partial(even, milliseconds=5), way=partial(peers.ours, execution="thread")
    ),
)
for (library, label), way in peers.THREAD_MAPS.items():
    FREE_THREADS.add(library, label, partial(mapped, load=partial(even, milliseconds=5), way=way))

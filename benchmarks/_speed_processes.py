"""Tiny items through processes, where the way there and back is all that an item costs."""

from __future__ import annotations

import multiprocessing
from functools import partial
from typing import Any

from benchmarks import _speed_peers as peers
from benchmarks import _speed_work as work
from benchmarks._speed_goals import faster_than_peers, no_dearer
from benchmarks._speed_inline import LOOP, PLAIN, loop, right
from benchmarks._speed_model import BY_HAND, OURS, Job, Workload
from benchmarks._speed_threads import in_a_row

__all__ = ["FORKS_IN_A_ROW", "TINY"]

WORKERS = 2
STREAM = f"{OURS}, stream"

TINY = Workload(
    "tiny items, two processes",
    "the three tiny functions in two processes, the results summed in the parent",
    1_000_000,
    right,
    goals=(
        no_dearer(STREAM, LOOP, 2.0, "beside the loop"),
        faster_than_peers(STREAM, 1, "beside the best Pool.imap", only="multiprocessing, Pool"),
        faster_than_peers(STREAM, 15, "beside the best of mpire", only="mpire"),
    ),
)
TINY.add(BY_HAND, "loop", loop)


@TINY.case(OURS, "stream")
def ours(library: Any, job: Job) -> int:
    """Three stages that share two forked workers; nothing is tuned."""
    pipe = library.Pipeline("tiny")
    pipe.source(range(job.items))
    first, *others = PLAIN
    pipe.processor(first, execution="fork", workers=WORKERS)
    for stage in others:
        pipe.processor(stage)
    return sum(pipe.stream())


def composed(library: Any, job: Job, way: peers.Map, **options: Any) -> int:
    """A library that maps one function over the items."""
    return sum(way(library, work.all_three, range(job.items), WORKERS, **options))


for chunk, items in {1: 30_000, 100: 300_000, 1000: 1_000_000, 10_000: 1_000_000}.items():
    way = partial(composed, way=peers.pool_imap, chunk=chunk)
    TINY.add("multiprocessing", f"Pool.imap, chunk {chunk}", way, items)
TINY.add(
    "concurrent.futures",
    "ProcessPoolExecutor.map, chunk 1000",
    partial(composed, way=peers.executor_map, chunk=1000),
    500_000,
)
TINY.add(
    "multiprocess",
    "Pool.imap, chunk 1000",
    partial(composed, way=peers.pool_imap, chunk=1000),
    200_000,
)
TINY.add("mpire", "imap, its own chunks", partial(composed, way=peers.mpire_imap), 100_000)
TINY.add("mpire", "imap, chunk 1000", partial(composed, way=peers.mpire_imap, chunk=1000), 100_000)
TINY.add("joblib", "loky, its own batches", partial(composed, way=peers.joblib_parallel), 40_000)
TINY.add("pypeln", "process.map", partial(composed, way=peers.pypeln_process), 1000)
TINY.add("pyper", "multiprocess", partial(composed, way=peers.pyper_process), 1000)
TINY.add(
    "spdl",
    "region, 1000 in a transfer",
    partial(composed, way=peers.spdl_region, buffer=1000),
    4000,
)


@TINY.case("dask.bag", "processes, four partitions", items=200_000)
def dask_bag(library: Any, job: Job) -> int:
    """A bag that is mapped thrice and summed."""
    bag = library.from_sequence(range(job.items), npartitions=4)
    for stage in PLAIN:
        bag = bag.map(stage)
    return int(bag.sum().compute(scheduler="processes", num_workers=WORKERS))


FORKS_IN_A_ROW = Workload(
    "three forks in a row",
    "the three tiny stages, each in a forked process of its own",
    500_000,
    right,
    goals=(no_dearer(STREAM, LOOP, 3.5, "beside the loop"),),
)
FORKS_IN_A_ROW.add(BY_HAND, "loop", loop)


@FORKS_IN_A_ROW.case(OURS, "stream")
def our_row(library: Any, job: Job) -> int:
    """Three stages, and a hop from each to the next."""
    return sum(in_a_row(library, job, "fork").stream())


@FORKS_IN_A_ROW.case("multiprocessing", "three processes, Queue(1000)", items=30_000)
def queues(library: Any, job: Job) -> int:
    """A process for each stage, and bounded queues between them."""
    context = library.get_context("fork")
    rooms = [context.Queue(1000) for _ in range(4)]
    carriers = [
        context.Process(target=carry, args=(stage, rooms[number], rooms[number + 1]))
        for number, stage in enumerate(PLAIN)
    ]
    feeder = context.Process(target=feed, args=(job.items, rooms[0]))
    for process in (feeder, *carriers):
        process.start()
    total = sum(iter(rooms[-1].get, None))
    for process in (feeder, *carriers):
        process.join()
    return total


def feed(count: int, room: multiprocessing.Queue[Any]) -> None:
    """Put the items, and what says that there are no more."""
    for x in range(count):
        room.put(x)
    room.put(None)


def carry(
    stage: Any, room: multiprocessing.Queue[Any], following: multiprocessing.Queue[Any]
) -> None:
    """Take from one queue, and put into the next."""
    while (item := room.get()) is not None:
        following.put(stage(item))
    following.put(None)


@FORKS_IN_A_ROW.case("pypeln", "process.map, maxsize=1000", items=600)
def pypeln(library: Any, job: Job) -> int:
    """Three stages."""
    stage: Any = range(job.items)
    for function in PLAIN:
        stage = library.process.map(function, stage, workers=1, maxsize=1000)
    return sum(stage)


@FORKS_IN_A_ROW.case("pyper", "multiprocess, no throttle", items=600)
def pyper(library: Any, job: Job) -> int:
    """Three tasks; with a throttle they wait for each other where there are two processors."""
    pipe = library.task(partial(range, job.items), branch=True)
    for stage in PLAIN:
        pipe |= library.task(stage, multiprocess=True)
    return sum(pipe())

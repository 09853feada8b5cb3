"""A thread for each stage: what an item costs that is handed on, and how long it takes."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from queue import Queue
from statistics import median, quantiles
from typing import Any

from benchmarks import _speed_peers as peers
from benchmarks import _speed_work as work
from benchmarks._speed_goals import faster_than_peers, no_dearer
from benchmarks._speed_inline import LOOP, PLAIN, loop, right
from benchmarks._speed_model import BY_HAND, OURS, Job, Workload

__all__ = ["LATENCY", "THREADS", "in_a_row"]

BOUND = 1000
END = object()


def in_a_row(library: Any, job: Job, execution: str) -> Any:
    """Three stages, each with one worker of its own."""
    pipe = library.Pipeline("row")
    pipe.source(range(job.items))
    for stage in PLAIN:
        pipe.processor(stage, execution=execution)
    return pipe


THREADS = Workload(
    "threads",
    "three tiny stages, each in a thread of its own",
    500_000,
    right,
    goals=(
        no_dearer(f"{OURS}, run and a consumer", LOOP, 4.0, "run, beside the loop"),
        faster_than_peers(
            f"{OURS}, run and a consumer", 10, "run, beside every peer", but=(BY_HAND,)
        ),
    ),
)
THREADS.add(BY_HAND, "loop", loop)


@THREADS.case(OURS, "run and a consumer")
def ours(library: Any, job: Job) -> int:
    """The consumer adds up in the thread of the last stage."""
    pipe = in_a_row(library, job, "thread")
    total = 0

    @pipe.consumer
    def add(y: int) -> None:
        nonlocal total
        total += y

    pipe.run()
    return total


@THREADS.case(OURS, "stream")
def ours_streamed(library: Any, job: Job) -> int:
    """The caller adds up, which is a hop more."""
    return sum(in_a_row(library, job, "thread").stream())


@THREADS.case(BY_HAND, "threads and queue.Queue", items=60_000)
def queues(library: Any, job: Job) -> int:
    """A thread for each stage, and bounded queues between them."""
    rooms: list[Queue[Any]] = [Queue(BOUND) for _ in range(4)]

    def carry(stage: Any, room: Queue[Any], following: Queue[Any]) -> None:
        while (item := room.get()) is not END:
            following.put(stage(item))
        following.put(END)

    def feed() -> None:
        for x in range(job.items):
            rooms[0].put(x)
        rooms[0].put(END)

    threads = [threading.Thread(target=feed)]
    for number, stage in enumerate(PLAIN):
        threads.append(threading.Thread(target=carry, args=(stage, *rooms[number : number + 2])))
    for thread in threads:
        thread.start()
    total = sum(iter(rooms[-1].get, END))
    for thread in threads:
        thread.join()
    return total


@THREADS.case("concurrent.futures", "three executors, map", items=40_000)
def executors(library: Any, job: Job) -> int:
    """An executor of one thread for each stage, bounded where Python can do that."""
    bound = {"buffersize": BOUND} if sys.version_info >= (3, 14) else {}
    with ExitStack() as stack:
        results: Any = range(job.items)
        for stage in PLAIN:
            executor = stack.enter_context(library.ThreadPoolExecutor(1))
            results = executor.map(stage, results, **bound)
        return sum(results)


@THREADS.case("mpire", "three pools of a thread, imap, chunk 1000", items=60_000)
def mpire(library: Any, job: Job) -> int:
    """A pool for each stage, with large chunks."""
    results: Any = range(job.items)
    for stage in PLAIN:
        results = peers.mpire_imap(library, stage, results, 1, chunk=1000, start="threading")
    return sum(results)


@THREADS.case("pypeln", "thread.map, maxsize=1000", items=20_000)
def pypeln(library: Any, job: Job) -> int:
    """Three stages."""
    stage: Any = range(job.items)
    for function in PLAIN:
        stage = library.thread.map(function, stage, workers=1, maxsize=BOUND)
    return sum(stage)


@THREADS.case("pyper", "throttle=1000", items=40_000)
def pyper(library: Any, job: Job) -> int:
    """Three tasks."""
    pipe = library.task(partial(range, job.items), branch=True, throttle=BOUND)
    for stage in PLAIN:
        pipe |= library.task(stage, throttle=BOUND)
    return sum(pipe())


@THREADS.case("joblib", "the three as one function, 3 threads", items=60_000)
def joblib(library: Any, job: Job) -> int:
    """It has no stages; its batches grow by themselves."""
    items = range(job.items)
    return sum(peers.joblib_parallel(library, work.all_three, items, 3, backend="threading"))


@THREADS.case("spdl", "three pipes", items=2_000)
def spdl(library: Any, job: Job) -> int:
    """Three stages, in as many threads."""
    builder = library.PipelineBuilder().add_source(range(job.items))
    for stage in PLAIN:
        builder = builder.pipe(stage)
    return sum(peers.spdl_results(builder, 3))


LATENCY = Workload(
    "thread latency",
    "an item every 2 ms from one thread to the next; the median of their delays",
    400,
    goals=(no_dearer(f"{OURS}, source to thread", f"{BY_HAND}, queue.Queue", 1.5, "median delay"),),
    column="µs",
)


def ticks(job: Job) -> Iterator[float]:
    """Moments, one every 2 ms."""
    for _ in range(job.items):
        time.sleep(0.002)
        yield time.perf_counter()


def tell(job: Job, delays: list[float]) -> None:
    """The delays, as the figures of a case."""
    assert len(delays) == job.items
    job.each = median(delays)
    job.also["p95 µs"] = quantiles(delays, n=20)[-1] * 1e6


@LATENCY.case(BY_HAND, "queue.Queue")
def queue_delay(library: Any, job: Job) -> None:
    """One thread puts, another gets."""
    room: Queue[float] = Queue()
    delays: list[float] = []

    def take() -> None:
        for _ in range(job.items):
            moment = room.get()
            delays.append(time.perf_counter() - moment)

    taker = threading.Thread(target=take)
    taker.start()
    for moment in ticks(job):
        room.put(moment)
    taker.join()
    tell(job, delays)


def our_delay(library: Any, job: Job, between: bool) -> None:
    """A producer and a consumer in a thread; or between them a stage, from which it counts."""
    delays: list[float] = []
    pipe = library.Pipeline("ticks")
    pipe.source(ticks(job))
    if between:
        pipe.processor(lambda moment: time.perf_counter(), name="stamp", execution="thread")

    @pipe.consumer(execution="thread")
    def take(moment: float) -> None:
        delays.append(time.perf_counter() - moment)

    pipe.run()
    tell(job, delays)


LATENCY.add(OURS, "source to thread", partial(our_delay, between=False))
LATENCY.add(OURS, "thread to thread", partial(our_delay, between=True))

"""Tiny stages without any concurrency: what a pipeline costs over a loop that calls them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks import _speed_work as work
from benchmarks._speed_goals import faster_than_peers, no_dearer
from benchmarks._speed_model import BY_HAND, OURS, Job, Workload

__all__ = ["GENERATORS", "VALUES"]

MANY = 1_000_000
LOOP = f"{BY_HAND}, loop"
WITH_CONSUMER = f"{BY_HAND}, loop that calls a consumer too"


def right(job: Job) -> int:
    """The sum of what comes out."""
    return work.sum_of_all(job.items)


def loop(library: Any, job: Job) -> int:
    """The functions of the stages, called one after the other."""
    return work.sum_of_all(job.items)


def loop_with_consumer(library: Any, job: Job) -> int:
    """The same, and a function that adds up."""
    return work.sum_by_consumer(job.items)


Stages = tuple[Callable[..., Any], ...]

PLAIN: Stages = (work.plus, work.times, work.xor)
YIELDING: Stages = (work.yield_plus, work.yield_times, work.yield_xor)
PUTTING: Stages = (work.put_plus, work.put_times, work.put_xor)
STREAMING: Stages = (work.stream_plus, work.stream_times, work.stream_xor)


def pipeline(library: Any, job: Job, stages: Stages, **options: Any) -> Any:
    """Three stages behind a source of whole numbers."""
    pipe = library.Pipeline("inline")
    pipe.source(range(job.items))
    for number, stage in enumerate(stages):
        pipe.processor(stage, name=f"stage {number}", **options)
    return pipe


def run_and_consumer(library: Any, job: Job, stages: Stages, **options: Any) -> int:
    """A run whose consumer adds up."""
    pipe = pipeline(library, job, stages, **options)
    total = 0

    @pipe.consumer
    def add(y: int) -> None:
        nonlocal total
        total += y

    pipe.run(execution="inline")
    return total


def stream(library: Any, job: Job, stages: Stages) -> int:
    """The outputs, added up by the caller."""
    total = 0
    for y in pipeline(library, job, stages).stream(execution="inline"):
        total += y
    return total


def pypeln_sync(library: Any, job: Job, way: str, functions: Stages) -> int:
    """The stages of the synchronous kind."""
    stage: Any = range(job.items)
    for function in functions:
        stage = getattr(library.sync, way)(function, stage)
    return sum(stage)


VALUES = Workload(
    "inline values",
    "three stages that return a value, inline",
    MANY,
    right,
    goals=(
        no_dearer(f"{OURS}, run and a consumer", WITH_CONSUMER, 1.25, "run, beside its loop"),
        no_dearer(f"{OURS}, stream", LOOP, 1.25, "stream, beside the loop"),
        faster_than_peers(
            f"{OURS}, run and a consumer", 10, "run, beside every peer", but=(BY_HAND,)
        ),
    ),
)
VALUES.add(BY_HAND, "loop", loop)
VALUES.add(BY_HAND, "loop that calls a consumer too", loop_with_consumer)
VALUES.add(OURS, "run and a consumer", partial(run_and_consumer, stages=PLAIN))
VALUES.add(OURS, "stream", partial(stream, stages=PLAIN))


@VALUES.case(BY_HAND, "loop over a generator")
def one_by_one(library: Any, job: Job) -> int:
    """What a stream amounts to without a library: a caller who asks for one result at a time."""
    results = (work.xor(work.times(work.plus(x))) for x in range(job.items))
    total = 0
    for y in results:
        total += y
    return total


@VALUES.case("dask.bag", "synchronous scheduler", items=300_000)
def dask_bag(library: Any, job: Job) -> int:
    """A bag that is mapped thrice and summed."""
    bag = library.from_sequence(range(job.items), npartitions=4)
    for stage in PLAIN:
        bag = bag.map(stage)
    return int(bag.sum().compute(scheduler="sync"))


VALUES.add("pypeln", "sync.map", partial(pypeln_sync, way="map", functions=PLAIN), 150_000)


@VALUES.case("aiostream", "map", items=100_000)
def aiostream(library: Any, job: Job) -> int:
    """Streams over one another."""
    stage = library.stream.range(job.items)
    for function in PLAIN:
        stage = library.stream.map(stage, function)

    async def add_up() -> int:
        total = 0
        async with stage.stream() as results:
            async for y in results:
                total += y
        return total

    return asyncio.run(add_up())


@VALUES.case("streamz", "map", items=50_000)
def streamz(library: Any, job: Job) -> int:
    """A stream that items are emitted into."""
    total = 0

    def add(y: int) -> None:
        nonlocal total
        total += y

    source = library.Stream()
    end = source
    for function in PLAIN:
        end = end.map(function)
    end.sink(add)
    for x in range(job.items):
        source.emit(x)
    return total


GENERATORS = Workload(
    "inline generators",
    "three stages that may emit any number of values, inline",
    MANY,
    right,
    goals=(
        no_dearer(f"{OURS}, stages that take `output`", WITH_CONSUMER, 1.7, "`output`"),
        no_dearer(f"{OURS}, stages that yield", WITH_CONSUMER, 1.7, "`yield`"),
        no_dearer(f"{OURS}, stream=True", WITH_CONSUMER, 1.15, "`stream=True`"),
    ),
)
GENERATORS.add(BY_HAND, "loop", loop)
GENERATORS.add(BY_HAND, "loop that calls a consumer too", loop_with_consumer)
GENERATORS.add(OURS, "stages that yield", partial(run_and_consumer, stages=YIELDING))
GENERATORS.add(OURS, "stages that take `output`", partial(run_and_consumer, stages=PUTTING))
STREAMS = partial(run_and_consumer, stages=STREAMING, stream=True)
GENERATORS.add(OURS, "stream=True", STREAMS)


class Sum:
    """A consumer that adds up."""

    def __init__(self) -> None:
        self.total = 0

    def add(self, y: int) -> None:
        """One more."""
        self.total += y


@GENERATORS.case(BY_HAND, "loops over generators for each item, and a consumer")
def nested(library: Any, job: Job) -> int:
    """What stages that yield amount to without a library."""
    result = Sum()
    add = result.add
    for x in range(job.items):
        for a in work.yield_plus(x):
            for b in work.yield_times(a):
                for c in work.yield_xor(b):
                    add(c)
    return result.total


@GENERATORS.case(BY_HAND, "loops over lists that are appended to, and a consumer")
def listed(library: Any, job: Job) -> int:
    """What stages that take `output` amount to without a library, if no list may be large."""
    result = Sum()
    add = result.add
    for x in range(job.items):
        first: list[int] = []
        work.put_plus(x, first.append)
        for a in first:
            second: list[int] = []
            work.put_times(a, second.append)
            for b in second:
                third: list[int] = []
                work.put_xor(b, third.append)
                for c in third:
                    add(c)
    return result.total


@GENERATORS.case(BY_HAND, "generators over one another, and a consumer")
def over_one_another(library: Any, job: Job) -> int:
    """What stages that take iterators amount to without a library."""
    result = Sum()
    add = result.add
    for y in work.stream_xor(work.stream_times(work.stream_plus(range(job.items)))):
        add(y)
    return result.total


FLAT = partial(pypeln_sync, way="flat_map", functions=YIELDING)
GENERATORS.add("pypeln", "sync.flat_map", FLAT, 100_000)

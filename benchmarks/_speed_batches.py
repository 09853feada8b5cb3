"""Items in batches of five hundred to two processes, where each batch is transformed."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from benchmarks import _speed_peers as peers
from benchmarks._speed_goals import faster_than_peers
from benchmarks._speed_model import BY_HAND, OURS, Job, Workload
from benchmarks._speed_work import in_batches

__all__ = ["BATCHES"]

SIZE = 500
WORKERS = 2


def transformed(batch: Iterable[int]) -> list[int]:
    """What a worker makes of a batch."""
    return [x + 1 for x in batch]


def expected(job: Job) -> int:
    """The sum of what comes out."""
    return sum(range(job.items)) + job.items


BATCHES = Workload(
    "batches",
    "batches of 500 to two processes, which transform them",
    1_000_000,
    expected,
    goals=(
        faster_than_peers(
            f"{OURS}, batch and fork", 1.3, "beside Pool.imap", only="multiprocessing, Pool"
        ),
    ),
)


@BATCHES.case(BY_HAND, "loop")
def loop(library: Any, job: Job) -> int:
    """The same batches, transformed in the parent."""
    return sum(sum(transformed(batch)) for batch in in_batches(range(job.items), SIZE))


@BATCHES.case(OURS, "batch and fork")
def ours(library: Any, job: Job) -> int:
    """A batch, and a stage of two forked workers behind it."""
    pipe = library.Pipeline("batches")
    pipe.source(range(job.items))
    pipe.batch(SIZE)
    pipe.processor(transformed, execution="fork", workers=WORKERS)
    return sum(sum(batch) for batch in pipe.stream())


def by_hand(library: Any, job: Job, way: peers.Map) -> int:
    """Batches made in the parent, and a library that maps a function over them."""
    batches = in_batches(range(job.items), SIZE)
    return sum(sum(batch) for batch in way(library, transformed, batches, WORKERS))


def mpire_batches(library: Any, function: Any, items: Iterable[Any], workers: int) -> Iterable[Any]:
    """It would take a list for the arguments of a call."""
    return peers.mpire_imap(library, function, ((item,) for item in items), workers, chunk=1)


for (name, label), way in peers.PROCESS_MAPS.items():
    slow = name == "spdl"
    used = mpire_batches if name == "mpire" else way
    BATCHES.add(
        name,
        f"{label}, batched by hand",
        partial(by_hand, way=used),
        items=100_000 if slow else 500_000,
    )
BATCHES.add(
    "multiprocessing",
    "Pool.imap, batched by hand, chunk 10",
    partial(by_hand, way=partial(peers.pool_imap, chunk=10)),
)

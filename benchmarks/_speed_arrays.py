"""Arrays of numpy to one worker process and back."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from itertools import cycle, islice
from typing import Any

from benchmarks import _speed_peers as peers
from benchmarks._speed_goals import faster_than_peers
from benchmarks._speed_model import BY_HAND, OURS, Job, Workload

__all__ = ["ARRAYS"]

DIFFERENT = 4  # arrays that take turns


def as_it_is(array: Any) -> Any:
    """The worker gives back what it was given."""
    return array


def one_more(array: Any) -> Any:
    """The worker makes a new array."""
    return array + 1


@cache
def made(mebibytes: int) -> list[Any]:
    """Arrays of doubles, each full of its own number."""
    import numpy

    return [numpy.full(mebibytes << 17, float(number)) for number in range(DIFFERENT)]


def arrays(job: Job, mebibytes: int) -> Iterator[Any]:
    """These arrays, in turns; each time as a new object, or a pickle would hold it only once."""
    return (array.view() for array in islice(cycle(made(mebibytes)), job.items))


def expected(job: Job, added: int) -> float:
    """The sum of what the ends of all arrays come to."""
    return float(sum(number % DIFFERENT + added for number in range(job.items)) * 2)


def ends(results: Any) -> float:
    """Look at the ends of every array that came back."""
    return float(sum(array[0] + array[-1] for array in results))


def copies(library: Any, job: Job, mebibytes: int, function: Any) -> float:
    """Copied twice in the parent, and nothing else."""
    there = (array.copy() for array in arrays(job, mebibytes))
    return ends(function(array).copy() for array in there)


def mapped(
    library: Any, job: Job, mebibytes: int, function: Any, way: peers.Map, workers: int = 1
) -> float:
    """A library that maps a function over the arrays."""
    return ends(way(library, function, arrays(job, mebibytes), workers))


WAYS: dict[tuple[str, str], peers.Map] = {
    **peers.PROCESS_MAPS,
    ("pyper", "multiprocess"): partial(peers.pyper_process, throttle=8),
    # With one worker it would run in the parent, and it maps large arrays into memory.
    ("joblib", "loky, two workers"): peers.PROCESS_MAPS["joblib", "loky"],
}
del WAYS["joblib", "loky"]


def workload(mebibytes: int, items: int, what: str, function: Any, times: float) -> Workload:
    """The same ways for every size and function."""
    it = Workload(
        f"arrays {mebibytes} MiB, {what}",
        f"arrays of {mebibytes} MiB to one process and back: {what}",
        items,
        partial(expected, added=1 if function is one_more else 0),
        prepare=lambda job: made(mebibytes),
        goals=(faster_than_peers(f"{OURS}, fork", times, "beside every peer", but=(BY_HAND,)),),
    )
    case = partial(partial, mebibytes=mebibytes, function=function)
    it.add(BY_HAND, "two copies in the parent", case(copies))
    it.add(OURS, "fork", case(mapped, way=peers.ours))
    for (library, label), way in WAYS.items():
        workers = 2 if library == "joblib" else 1
        it.add(library, label, case(mapped, way=way, workers=workers))
    return it


ARRAYS = tuple(
    workload(mebibytes, items, what, function, times)
    for mebibytes, items in ((1, 200), (8, 40))
    for what, function, times in (("the same back", as_it_is, 5), ("a new one back", one_more, 3))
)

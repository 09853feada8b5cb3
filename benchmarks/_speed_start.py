"""What it takes until there is a first result: the import, and then a job of one item."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable
from functools import partial
from statistics import median
from typing import Any

from benchmarks import _speed_peers as peers
from benchmarks import _speed_work as work
from benchmarks._speed_goals import amount
from benchmarks._speed_model import BY_HAND, LIBRARIES, OURS, Job, Workload

__all__ = ["FIRST_RESULTS", "IMPORTS"]

IMPORTS = Workload(
    "start-up, import",
    "an import beyond the start of a bare interpreter",
    20,
    goals=(amount(OURS, 25, "milliseconds", scale=1e3),),
    column="ms",
    scale=1e3,
    cold=True,
)


def imported(library: Any, job: Job, statement: str) -> None:
    """Programs that import, and programs that do nothing, in turns."""
    seconds: dict[str, list[float]] = {"pass": [], statement: []}
    for _ in range(job.items):
        for program, times in seconds.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", program], check=True)
            times.append(time.perf_counter() - began)
    job.each = median(seconds[statement]) - median(seconds["pass"])
    job.also["best ms"] = (min(seconds[statement]) - min(seconds["pass"])) * 1e3


STATEMENTS = {
    BY_HAND: "import threading, queue",
    "concurrent.futures": "import concurrent.futures.thread, concurrent.futures.process",
    "multiprocessing": "import multiprocessing.pool",
}
IMPORTS.add(BY_HAND, "threading, queue", partial(imported, statement=STATEMENTS[BY_HAND]))
for name in (OURS, "concurrent.futures", "multiprocessing", "mpire", "pypeln", "joblib"):
    statement = STATEMENTS.get(name, f"import {LIBRARIES[name].modules[0]}")
    IMPORTS.add(name, "", partial(imported, statement=statement))


def first(library: Any, job: Job, way: peers.Map) -> None:
    """A job of one item, until its result is there; the end of the workers is not waited for."""
    began = time.perf_counter()
    results = iter(way(library, work.plus, range(1), 1))
    result = next(results)
    job.each = time.perf_counter() - began
    assert result == 1


def submitted(library: Any, function: Any, items: Iterable[Any], workers: int, pool: str) -> Any:
    """The one item as a future."""
    with getattr(library, pool)(workers) as executor:
        yield executor.submit(function, next(iter(items))).result()


def two_of(
    library: Any, function: Any, items: Iterable[Any], workers: int, way: peers.Map
) -> Iterable[Any]:
    """Two workers, for what would run a single one in the caller."""
    return way(library, function, items, 2)


def first_results(
    kind: str, title: str, limit: float, ways: dict[tuple[str, str], peers.Map]
) -> Workload:
    """The same for threads and processes."""
    it = Workload(
        f"start-up, {kind}",
        title,
        1,
        goals=(amount(f"{OURS}, {kind}", limit, "milliseconds", scale=1e3),),
        column="ms",
        scale=1e3,
        cold=True,
    )
    for (library, label), way in ways.items():
        it.add(library, label, partial(first, way=way))
    return it


def own(kind: str) -> peers.Map:
    """Ours in a kind of context."""
    return partial(peers.ours, execution=kind)


FIRST_RESULTS = (
    first_results(
        "thread",
        "from after the import to the first result of a thread",
        5,
        {
            ("concurrent.futures", "thread"): partial(submitted, pool="ThreadPoolExecutor"),
            (OURS, "thread"): own("thread"),
            ("mpire", "threading"): peers.THREAD_MAPS["mpire", "threading"],
            ("pypeln", "thread.map"): peers.THREAD_MAPS["pypeln", "thread.map"],
            ("joblib", "threading, two"): partial(
                two_of, way=peers.THREAD_MAPS["joblib", "threading"]
            ),
        },
    ),
    first_results(
        "fork",
        "from after the import to the first result of a process",
        15,
        {
            ("concurrent.futures", "process"): partial(submitted, pool="ProcessPoolExecutor"),
            (OURS, "fork"): own("fork"),
            ("multiprocessing", "Pool.imap"): peers.pool_imap,
            ("mpire", "imap"): peers.PROCESS_MAPS["mpire", "imap"],
            ("pypeln", "process.map"): peers.pypeln_process,
            ("joblib", "loky, two"): partial(two_of, way=peers.PROCESS_MAPS["joblib", "loky"]),
        },
    ),
)

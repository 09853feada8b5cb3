"""What it takes until there is a first result: the import, and then a job of one item."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial
from statistics import median
from typing import Any

from benchmarks._speed_first import WAYS
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
    job.also["of the best ms"] = (min(seconds[statement]) - min(seconds["pass"])) * 1e3


STATEMENTS = {
    BY_HAND: "import threading, queue",
    "concurrent.futures": "import concurrent.futures.thread, concurrent.futures.process",
    "multiprocessing": "import multiprocessing.pool",
}
IMPORTS.add(BY_HAND, "threading, queue", partial(imported, statement=STATEMENTS[BY_HAND]))
IMPORTS.add(OURS, "its Pipeline", partial(imported, statement="from minigun_py import Pipeline"))
for name in (OURS, "concurrent.futures", "multiprocessing", "mpire", "pypeln", "joblib"):
    statement = STATEMENTS.get(name, f"import {LIBRARIES[name].modules[0]}")
    IMPORTS.add(name, "", partial(imported, statement=statement))


def first_result(library: Any, job: Job, kind: str, name: str) -> None:
    """Fresh programs that import the library and do a job of one item."""
    program = [sys.executable, "-m", "benchmarks._speed_first", kind, name]
    seconds = [
        float(subprocess.run(program, check=True, capture_output=True).stdout)
        for _ in range(job.items)
    ]
    job.each = median(seconds)
    job.also["best ms"] = min(seconds) * 1e3


def first_results(kind: str, title: str, limit: float) -> Workload:
    """The same for threads and processes."""
    it = Workload(
        f"start-up, {kind}",
        title,
        5,
        goals=(amount(OURS, limit, "milliseconds", scale=1e3),),
        column="ms",
        scale=1e3,
    )
    for name in WAYS[kind]:
        library, label = name, ""
        if name.startswith(f"{OURS}."):
            library, label = OURS, "its Pipeline imported before"
        it.add(library, label, partial(first_result, kind=kind, name=name))
    return it


FIRST_RESULTS = (
    first_results("thread", "from after the import to the first result of a thread", 5),
    first_results("fork", "from after the import to the first result of a process", 15),
)

"""One case of the speed benchmark, in a process of its own; it prints what came of it, as JSON."""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from importlib import import_module
from typing import Any

from benchmarks._speed_model import LIBRARIES, Job
from benchmarks._speed_workloads import WORKLOADS

MOST = 200  # characters of an error


def main(workload: str, case: str, per_ms: str, quick: str) -> None:
    """Do what a case does, on the clock, and say what an item cost."""
    job = WORKLOADS[workload].job(case, int(per_ms), quick == "quick")
    try:
        told = measured(workload, case, job)
    except ModuleNotFoundError as error:
        told = {"trouble": f"not installed: {error.name}"}
    except Exception as error:
        told = {"trouble": f"failed: {type(error).__name__}: {error}"[:MOST]}
    print(json.dumps(told), flush=True)


def measured(workload: str, name: str, job: Job) -> dict[str, Any]:
    """Import, measure, check."""
    plan = WORKLOADS[workload]
    case = plan.cases[name]
    modules = LIBRARIES[case.library].modules
    library, *_ = [import_module(module) for module in modules]
    plan.prepare(job)
    began = time.perf_counter()
    result = case.run(library, job)
    took = time.perf_counter() - began
    if result != plan.expected(job):
        return {"trouble": "wrong result"}
    return {"each": took / job.items if job.each is None else job.each, "also": job.also}


if __name__ == "__main__":
    # All fork, as the fastest way to start that they have; ours is asked for it by name.
    multiprocessing.set_start_method("fork")
    main(*sys.argv[1:])

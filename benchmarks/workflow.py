"""Workflows beside other libraries and beside what somebody would write by hand.

Four questions, each answered in one run, with what it is compared with:

- What does a step cost? A thousand independent steps that do nothing, by pipefunc, Dask delayed
  and Prefect too, as far as they are installed (extra ``bench``).
- Do two steps that compute take as long as two bare processes?
- How long after its time limit is a hung job gone, and its process with it?
- What does it cost a pipeline that its run may be cancelled?

A case is measured in a process of its own, after a first go that is not counted, and the rounds of
all cases are interleaved. What is compared are the medians of ratios within a round.

Use::

    python benchmarks/workflow.py [--rounds 5] [--quick]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from minigun_py import CancelToken, Pipeline, Workflow, settle

STEPS = 1000
LIMIT = 0.5
FOR_EVER = 1000.0
PATIENCE = 300.0

Case = Callable[[int], float]
"""What is measured, at a scale; what it gives is told."""


def nothing() -> None:
    """A step."""


def timed(action: Callable[[], object]) -> float:
    """Seconds that it takes the second time."""
    action()
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


# --- what a step costs, in microseconds ----------------------------------------------------------


def called(steps: int) -> float:
    """The functions, called in a loop."""
    functions = [nothing] * steps
    return timed(lambda: [function() for function in functions]) / steps * 1e6


def ours(steps: int, **options: Any) -> float:
    """By a workflow."""
    wf = Workflow("nothing")
    for number in range(steps):
        wf.step(nothing, name=f"step{number}", **options)
    return timed(wf.run) / steps * 1e6


def ours_in_threads(steps: int) -> float:
    """By a workflow that is told to use threads."""
    return ours(steps, execution="thread")


def pipefunc(steps: int) -> float:
    """By pipefunc, one after the other: its processes take much longer."""
    library: Any = import_module("pipefunc")
    functions = [library.PipeFunc(nothing, output_name=f"step{n}") for n in range(steps)]
    pipeline = library.Pipeline(functions)
    options = {"parallel": False, "storage": "dict", "show_progress": False}
    return timed(lambda: pipeline.map({}, **options)) / steps * 1e6


def dask(steps: int, scheduler: str) -> float:
    """By Dask delayed."""
    library: Any = import_module("dask")
    tasks = [library.delayed(nothing, pure=False)() for _ in range(steps)]
    return timed(lambda: library.compute(*tasks, scheduler=scheduler)) / steps * 1e6


def prefect(steps: int) -> float:
    """By Prefect, whose local runner speaks to a server that it starts."""
    few = max(1, steps // 20)
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"PREFECT_HOME": folder, "PREFECT_LOGGING_LEVEL": "CRITICAL"}
        library: Any = import_module("prefect")
        step = library.task(nothing)
        run = library.flow(lambda: [step() for _ in range(few)], name="nothing")
        return timed(run) / few * 1e6


# --- two steps that compute, in seconds ----------------------------------------------------------


def compute(scale: int) -> int:
    """Keep a processor busy."""
    total = 0
    for number in range(scale * 20_000):
        total += number * number % 7
    return total


def bare_processes(scale: int) -> float:
    """Two forked processes by hand."""
    context = get_context("fork")

    def both() -> None:
        processes = [context.Process(target=compute, args=(scale,)) for _ in range(2)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()

    return timed(both)


def two_steps(scale: int) -> float:
    """Two steps of a workflow."""
    wf = Workflow("compute")
    for name in ("one", "two"):
        wf.step(lambda: compute(scale), name=name, execution="fork")
    return timed(lambda: wf.run(max_cpu=2).raise_failures())


# --- a hung job, in milliseconds -----------------------------------------------------------------


def hung_job(_: int) -> float:
    """How long after its limit a hung job is gone, while another goes on."""
    began = time.perf_counter()
    jobs = {"hangs": lambda: time.sleep(FOR_EVER), "sibling": lambda: "whole"}
    settled = settle(jobs, timeout=LIMIT, execution="fork")
    seconds = time.perf_counter() - began
    assert settled.values == {"sibling": "whole"}
    return (seconds - LIMIT) * 1000


# --- what it costs to be cancellable, in nanoseconds an item -------------------------------------


def pipeline(items: int, token: CancelToken | None) -> float:
    """A stage that does nothing much, for each item."""
    pipe = Pipeline("items")
    pipe.source(range(items))
    pipe.processor(abs, name="abs")
    pipe.consumer(abs, name="use")
    return timed(lambda: pipe.run(cancel=token)) / items * 1e9


def with_token(steps: int) -> float:
    """With a token that somebody could cancel."""
    return pipeline(steps * 1000, CancelToken().child(timeout=PATIENCE))


def without_token(steps: int) -> float:
    """Without one."""
    return pipeline(steps * 1000, None)


QUESTIONS: dict[str, tuple[str, dict[str, Case]]] = {
    f"a step that does nothing, of {STEPS}": (
        "us",
        {
            "loop that calls the functions": called,
            "minigun_py": ours,
            "minigun_py, execution='thread'": ours_in_threads,
            "pipefunc, sequential": pipefunc,
            "dask delayed, synchronous": lambda steps: dask(steps, "synchronous"),
            "dask delayed, threads": lambda steps: dask(steps, "threads"),
            "prefect, local": prefect,
        },
    ),
    "two steps that compute": (
        "s",
        {"two bare processes": bare_processes, "minigun_py": two_steps},
    ),
    "a hung job, from its time limit to the end of all": ("ms", {"minigun_py": hung_job}),
    "an item of a pipeline": ("ns", {"without a token": without_token, "with one": with_token}),
}


def main() -> None:
    """Ask every question, and print what comes out."""
    options = arguments()
    if options.case:
        question, case = options.case
        print(json.dumps(QUESTIONS[question][1][case](options.scale)))
        return
    rounds, scale = (1, 20) if options.quick else (options.rounds, STEPS)
    for question, (unit, cases) in QUESTIONS.items():
        print(question)
        measured: dict[str, list[float | None]] = {name: [] for name in cases}
        for _ in range(rounds):
            for name in cases:
                measured[name].append(measure(question, name, scale))
        tell(measured, unit)


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="workflows, beside other libraries")
    parser.add_argument("--rounds", type=int, default=5, help="of which the median counts (5)")
    parser.add_argument("--quick", action="store_true", help="once, and little")
    parser.add_argument("--case", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--scale", type=int, default=STEPS, help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(question: str, case: str, scale: int) -> float | None:
    """A case in a process of its own; None if it fails or its library is not there."""
    command = [sys.executable, __file__, "--case", question, case, "--scale", str(scale)]
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=True
        )
        return float(json.loads(ended.stdout.splitlines()[-1]))
    except (subprocess.SubprocessError, ValueError, IndexError):
        return None


def tell(measured: dict[str, list[float | None]], unit: str) -> None:
    """A line for each case, with how it relates to the first."""
    first = next(iter(measured.values()))
    for name, each in measured.items():
        known = [seconds for seconds in each if seconds is not None]
        if len(known) < len(each):
            print(f"  {name:34} failed, or not installed")
            continue
        pairs = zip(each, first, strict=True)
        ratios = [one / other for one, other in pairs if one is not None and other]
        related = f"{statistics.median(ratios):10,.2f} x" if ratios and each is not first else ""
        print(f"  {name:34} {statistics.median(known):12,.3f} {unit} {related}")


if __name__ == "__main__":
    main()

"""The page of results: what was measured with, the goals, and a table for each workload."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

from benchmarks._speed_goals import Goal, Rounds, median_each, minima_ratio, ratio
from benchmarks._speed_model import LIBRARIES, Workload, lock_is_gone

__all__ = ["page"]


def page(
    workloads: Mapping[str, Workload], results: Mapping[str, Rounds], rounds: int, quick: bool
) -> str:
    """The whole page, in Markdown."""
    parts = ["# Speed", surroundings()]
    how = "A quick look at few items, which says nothing about speed" if quick else "Medians"
    parts.append(f"{how}: {rounds} round{'s' * (rounds != 1)}. {READING}")
    parts.append("## Goals")
    parts.append(summary(workloads, results))
    for name, measured in results.items():
        workload = workloads[name]
        parts.append(f"## {workload.name}")
        parts.append(f"{workload.title[0].upper()}{workload.title[1:]}.")
        parts.append(table(workload, measured))
    return "\n\n".join(parts) + "\n"


READING = (
    "A ratio is that of two cases of the same round, and its median over all rounds is given; "
    "beside it stands the ratio of the best rounds. The first line of a table is what the others "
    "are set against. A case that hung, failed or gave a wrong result was not tried again."
)


def surroundings() -> str:
    """What was measured with, without the name of the machine."""
    build = ", without a global lock" if lock_is_gone() else ""
    python = f"Python {platform.python_version()}{build} ({platform.python_compiler()})"
    cores = len(os.sched_getaffinity(0))
    machine = f"{processor()}, {cores} cores, Linux {platform.release()}"
    named = {library.distribution for library in LIBRARIES.values() if library.distribution}
    used = [f"{name} {version_of(name)}" for name in sorted({*named, "numpy"})]
    return f"{python}; {machine}; {', '.join(used)}."


def processor() -> str:
    """The model of the processor."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def version_of(distribution: str) -> str:
    """The version that is installed, if one is."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "(not installed)"


def summary(workloads: Mapping[str, Workload], results: Mapping[str, Rounds]) -> str:
    """A line for every goal: the figure that was reached, and whether it is good enough."""
    lines = [row(["workload", "goal", "reached", "met"]), row(["---"] * 4)]
    for workload in workloads.values():
        for goal in workload.goals:
            rounds = results.get(workload.name)
            why = workload.obstacle() or "not asked for"
            reached, met = (why, "-") if rounds is None else verdict(goal, rounds)
            lines.append(row([workload.name, goal.words, reached, met]))
    return "\n".join(lines)


def verdict(goal: Goal, rounds: Rounds) -> tuple[str, str]:
    """The figure of a goal in words, and whether it is met."""
    figure = goal.figure(rounds)
    if figure is None:
        return "nothing to compare", "-"
    against = f" ({figure.against})" if figure.against else ""
    return f"{digits(figure.value)}{against}", "yes" if goal.met(figure) else "**no**"


def table(workload: Workload, rounds: Rounds) -> str:
    """A line for every case, the cheapest one first behind the reference."""
    lines = [row(["case", "items", workload.column, "x", "x of best", "note"])]
    lines.append(row(["---", *["---:"] * 4, "---"]))
    first = workload.reference
    costs = {case: median_each(rounds, case) for case in rounds}
    others = sorted(rounds, key=lambda case: (case != first, costs[case] or float("inf")))
    for case in others:
        cost = costs[case]
        lines.append(
            row(
                [
                    case,
                    f"{workload.cases[case].items:,}",
                    digits(None if cost is None else cost * workload.scale),
                    digits(ratio(rounds, case, first)),
                    digits(minima_ratio(rounds, case, first)),
                    note(rounds, case),
                ]
            )
        )
    return "\n".join(lines)


def note(rounds: Rounds, case: str) -> str:
    """What went wrong with a case, and its further figures."""
    troubles = [outcome.trouble for outcome in rounds[case] if outcome.trouble]
    names = dict.fromkeys(name for outcome in rounds[case] for name in outcome.also)
    also = [
        f"{name} {digits(median(o.also[name] for o in rounds[case] if name in o.also))}"
        for name in names
    ]
    return "; ".join([*troubles, *also]).replace("|", "/")


def digits(value: float | None) -> str:
    """A number with about three digits."""
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.{2 if abs(value) < 10 else 1}f}"


def row(cells: Iterable[str] | Sequence[str]) -> str:
    """A line of a table in Markdown."""
    return f"| {' | '.join(cells)} |"

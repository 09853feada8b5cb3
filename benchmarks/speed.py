"""minigun_py's speed beside the standard library's and that of other libraries, as tables.

Every case, which is one way of doing one workload, runs in a fresh Python process with a limit of
sixty seconds. Rounds are interleaved: all cases of a workload once, in changing order, then again.
What a case costs is divided by what the first case of the workload costs in the same round, and
the median of these ratios is what counts, so that a slow minute of the machine hits all. What is
timed is the work with the start and the end of its workers, but neither the start of Python nor
imports. Results are checked.

What is done stands in the modules ``_speed_*.py``, one for each group of workloads, and how each
library is asked to in ``_speed_peers.py``.

Use::

    python benchmarks/speed.py [--workload NAME ...] [--only LIBRARY ...] [--rounds 5]
        [--quick] [--long] [--write FILE]

The first case of a workload is measured whatever ``--only`` says. A library that is not installed
is left out.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Collection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._speed_goals import Outcome, Rounds
from benchmarks._speed_model import LIBRARIES, Workload
from benchmarks._speed_tables import page
from benchmarks._speed_trial import try_out
from benchmarks._speed_work import calibrated
from benchmarks._speed_workloads import WORKLOADS

LIMIT = 60.0


def main() -> None:
    """Measure what was asked for, and print or write the tables."""
    options = arguments()
    per_ms = calibrated()
    results: dict[str, Rounds] = {}
    for name in options.workload:
        workload = WORKLOADS[name]
        if workload.obstacle() is None:
            cases = chosen(workload, options.only, options.long)
            results[name] = measured(workload, cases, options, per_ms)
    text = page(WORKLOADS, results, options.rounds, options.quick)
    if options.write is None:
        print(text, end="")
    else:
        options.write.write_text(text, encoding="utf-8")


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="the speed of minigun_py and of its peers")
    parser.add_argument(
        "--workload", nargs="+", choices=[*WORKLOADS], metavar="NAME", default=[*WORKLOADS]
    )
    parser.add_argument(
        "--only", nargs="+", choices=[*LIBRARIES], metavar="LIBRARY", default=[*LIBRARIES]
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds (5)")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds for a case (60)")
    parser.add_argument("--quick", action="store_true", help="one round of few items")
    parser.add_argument("--long", action="store_true", help="the cases that take minutes, too")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the tables there")
    options = parser.parse_args()
    options.rounds = 1 if options.quick else options.rounds
    return options


def chosen(workload: Workload, libraries: Collection[str], long: bool) -> list[str]:
    """The cases of these libraries, and the one that all are set against."""
    return [
        case.name
        for case in workload.cases.values()
        if case.name == workload.reference
        or (case.library in libraries and (long or not case.is_long))
    ]


def measured(
    workload: Workload, cases: list[str], options: argparse.Namespace, per_ms: int
) -> Rounds:
    """Every case once in each round, as long as it comes through."""
    rounds: dict[str, list[Outcome]] = {case: [] for case in cases}
    for number in range(options.rounds):
        order = [case for case in cases if not any(o.trouble for o in rounds[case])]
        random.Random(number).shuffle(order)
        for case in order:
            began = time.monotonic()
            outcome = try_out(workload.name, case, per_ms, options.quick, options.limit)
            took = time.monotonic() - began
            rounds[case].append(outcome)
            cost = outcome.trouble or f"{(outcome.each or 0) * workload.scale:.3f}"
            print(
                f"{workload.name:24}  round {number + 1}  {case:52}  {took:5.1f} s  {cost}",
                file=sys.stderr,
            )
    return rounds


if __name__ == "__main__":
    main()

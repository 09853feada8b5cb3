"""The same faults tried on minigun_py and on six other libraries, as a table.

Forty items go through two worker processes, and something breaks: a function raises or hangs, a
worker is killed, a result does not pickle, the user presses Ctrl-C. Every case runs in a fresh
Python process with a limit of twenty seconds, and afterwards the processes that are left are
counted. What a library is asked to do is in ``_fault_libraries.py``, what breaks in
``_fault_cases.py``, and how a case is watched and judged in ``_fault_trial.py``.

Use::

    python benchmarks/faults.py [--only LIBRARY ...] [--fault NAME ...] [--write docs/faults.md]

A library that is not installed is left out of the judgement. With ``--write`` the table replaces
what stands between two comments of the page, and it has to be whole.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._fault_cases import FAULTS
from benchmarks._fault_libraries import LIBRARIES
from benchmarks._fault_trial import Verdict, judge, try_out

LIMIT = 20.0
BEGIN = "<!-- the table begins: python benchmarks/faults.py --write docs/faults.md -->"
END = "<!-- the table ends -->"

Verdicts = Mapping[tuple[str, str], Verdict]


def main() -> None:
    """Try what was asked for, and print or write the table."""
    options = arguments()
    verdicts = tried(options.only, options.fault, options.limit)
    text = f"{table(verdicts, options.only, options.fault)}\n\n{surroundings(options.only)}"
    if options.write is None:
        print(text)
    else:
        page = options.write.read_text(encoding="utf-8")
        options.write.write_text(replaced(page, text), encoding="utf-8")


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="the same faults, tried on several libraries")
    parser.add_argument(
        "--only", nargs="+", choices=[*LIBRARIES], metavar="LIBRARY", default=[*LIBRARIES]
    )
    parser.add_argument("--fault", nargs="+", choices=[*FAULTS], metavar="NAME", default=[*FAULTS])
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds for a case (20)")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table into this page")
    options = parser.parse_args()
    if options.write and (len(options.only), len(options.fault)) != (len(LIBRARIES), len(FAULTS)):
        parser.error("--write needs the whole table: leave out --only and --fault")
    return options


def tried(
    libraries: Sequence[str], faults: Sequence[str], limit: float = LIMIT
) -> dict[tuple[str, str], Verdict]:
    """The verdict on each library and fault, by both names."""
    verdicts = {}
    for fault in faults:
        for library in libraries:
            began = time.monotonic()
            verdict = judge(FAULTS[fault], try_out(library, fault, limit))
            took = time.monotonic() - began
            print(f"{fault:14}  {library:20}  {took:5.1f} s  {verdict}", file=sys.stderr)
            verdicts[fault, library] = verdict
    return verdicts


def table(verdicts: Verdicts, libraries: Sequence[str], faults: Sequence[str]) -> str:
    """A line for each fault, a column for each library, and a count of what is good."""
    lines = [row(["", *libraries]), row(["---"] * (len(libraries) + 1))]
    for fault in faults:
        cells = [str(verdicts[fault, library]) for library in libraries]
        lines.append(row([FAULTS[fault].title, *cells]))
    counts = [good_of(verdicts, library, faults) for library in libraries]
    return "\n".join([*lines, row(["good", *counts])])


def row(cells: Sequence[str]) -> str:
    """A line of a table in Markdown."""
    return f"| {' | '.join(cells)} |"


def good_of(verdicts: Verdicts, library: str, faults: Sequence[str]) -> str:
    """How many verdicts on a library are good, of those that could be tried."""
    tried_out = [v for fault in faults if (v := verdicts[fault, library]).tried]
    return f"{sum(v.good for v in tried_out)} of {len(tried_out)}"


def surroundings(libraries: Sequence[str]) -> str:
    """What the table was made with."""
    used = [f"{name} {version_of(name)}" for name in libraries if LIBRARIES[name].distribution]
    cores = len(os.sched_getaffinity(0))
    made_with = [f"Python {platform.python_version()}", f"{cores} cores", *used]
    return f"Made with {', '.join(made_with)}."


def version_of(library: str) -> str:
    """The version that is installed, if one is."""
    try:
        return version(LIBRARIES[library].distribution or library)
    except PackageNotFoundError:
        return "not installed"


def replaced(page: str, text: str) -> str:
    """The page with another table between its two comments."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"the page has no place for a table; it needs these lines:\n{BEGIN}\n{END}")
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


if __name__ == "__main__":
    main()

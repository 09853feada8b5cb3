"""The process of one case: run the library into the fault, and print what came of it.

Started by `benchmarks/_fault_trial.py` with the library, the fault and the folder of the case. It
prints a line of JSON and then ends as a program does, so that whatever a library still has to do
at the exit of Python is tried as well.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._fault_cases import TAKEN, Case
from benchmarks._fault_libraries import LIBRARIES, Failed

BUSY = 4  # results after which a signal may come
REST = 1.0  # seconds for queues to fill, and again to see whether the source is read on
MOST = 300  # characters of a message


def main(library: str, fault: str, folder: str) -> None:
    """Run one case, and tell."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job starts without
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    told: dict[str, Any] = {"results": 0, "errors": [], "ending": None}
    try:
        module = import_module(LIBRARIES[library].module)
    except ImportError:
        print(json.dumps({"missing": True}))
        return
    case = Case(fault, Path(folder))
    try:
        with closing(cast(Any, LIBRARIES[library].run(module, case))) as outcomes:
            consume(outcomes, case, told)
    except BaseException as error:
        told["ending"] = described(error)
    print(json.dumps(told), flush=True)


def consume(outcomes: Iterator[object], case: Case, told: dict[str, Any]) -> None:
    """Count what comes."""
    for outcome in outcomes:
        if isinstance(outcome, Failed):
            told["errors"].append(described(outcome.error))
            continue
        told["results"] += 1
        if told["results"] == BUSY:
            (case.folder / "busy").touch()
        if case.is_endless and told["results"] == TAKEN:
            rest(case, told)
            return


def rest(case: Case, told: dict[str, Any]) -> None:
    """Take nothing for a while, and see what becomes of the source."""
    time.sleep(REST)
    before = case.drawn()
    time.sleep(REST)
    told["drawn"] = case.drawn()
    told["rising"] = told["drawn"] > before


def described(error: BaseException) -> tuple[str, str]:
    """The type of an exception, and its text with those of what is in it and behind it."""
    name, text = type(error).__name__, str(error)[:MOST]
    if isinstance(error, BaseExceptionGroup):
        inner = [described(each) for each in error.exceptions]
        name += f"({', '.join(each for each, _ in inner)})"
        text = "; ".join([text, *(each for _, each in inner)])
    if error.__cause__ is not None:
        text += " from " + ": ".join(described(error.__cause__))
    return name, text


if __name__ == "__main__":
    main(*sys.argv[1:])

"""One trial: a case in a fresh process, watched from outside, and a verdict on how it ended.

The process leads a session of its own, so what is still alive afterwards can be found, and ended.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._fault_cases import FAULTS, ITEMS, PLENTY, TAKEN, End, Fault
from benchmarks._session import end, last_told, members

__all__ = ["Record", "Verdict", "judge", "try_out"]

CHILD = Path(__file__).with_name("_fault_child.py")
SOON = 2.0  # seconds that workers have to go after the program
BETWEEN = 0.2  # seconds from one Ctrl-C to the next


@dataclass(frozen=True)
class Record:
    """What was seen of a case: what it told, if it did, and how its process ended."""

    told: dict[str, Any] | None
    code: int | None  # None: it hung
    orphans: int


@dataclass(frozen=True)
class Verdict:
    """A cell of the table."""

    text: str
    good: bool
    tried: bool = True  # False where the library is not installed

    def __str__(self) -> str:
        return self.text if self.good or not self.tried else f"**{self.text}**"


def try_out(library: str, fault: str, limit: float) -> Record:
    """Run one library into one fault, for at most so many seconds."""
    with tempfile.TemporaryDirectory(prefix="fault-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with (folder / "told").open("wb") as told:
            case = subprocess.Popen(
                [sys.executable, CHILD, library, fault, folder],
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        code, orphans = None, 0
        try:
            code = watched(case, FAULTS[fault], folder, time.monotonic() + limit)
            orphans = 0 if code is None else left_after(case.pid)
        finally:
            end(case)
        told_lines = (folder / "told").read_text(errors="replace")
        return Record(last_told(told_lines), code, orphans)


def watched(
    case: subprocess.Popen[bytes], fault: Fault, folder: Path, deadline: float
) -> int | None:
    """The exit status, or None; the signals of the fault are sent when the case is busy."""
    waiting = list(fault.signals)
    while waiting and case.poll() is None and time.monotonic() < deadline:
        if (folder / "busy").exists():
            number = waiting.pop(0)
            with suppress(ProcessLookupError):
                (os.killpg if fault.to_all else os.kill)(case.pid, number)
            time.sleep(BETWEEN if waiting else 0)
        else:
            time.sleep(0.01)
    with suppress(subprocess.TimeoutExpired):
        return case.wait(max(0.0, deadline - time.monotonic()))
    return None


def left_after(session: int) -> int:
    """How many processes of a session are alive after they had time to go."""
    deadline = time.monotonic() + SOON
    while (alive := len([*members(session)])) and time.monotonic() < deadline:
        time.sleep(0.02)
    return alive


def judge(fault: Fault, record: Record) -> Verdict:
    """What the table says of a case."""
    if record.told is not None and record.told.get("missing"):
        return Verdict("not installed", good=False, tried=False)
    text = summary(fault, record)
    good = record.code is not None and not record.orphans and ended_well(fault, record)
    return Verdict(text + (f", ORPHANS {record.orphans}" if record.orphans else ""), good)


def ended_well(fault: Fault, record: Record) -> bool:
    """Whether the end is the right one, leaving aside hangs and orphans."""
    if fault.end in {End.TERMINATED, End.KILLED}:
        return record.code == -fault.signals[0]
    if record.told is None:
        return fault.end is End.INTERRUPTED and record.code == -signal.SIGINT
    if fault.end is End.INTERRUPTED:
        ending = record.told["ending"]
        return ending is not None and names(fault, ending)
    return record.code == 0 and lost_no_more(fault, record.told)


def lost_no_more(fault: Fault, told: dict[str, Any]) -> Any:
    """Whether a run gave all that it could, and said what it could not.

    An error may come for an item, or out of the loop once all the results have come.
    """
    results, ending = told["results"], told["ending"]
    errors = [*told["errors"], *([ending] if ending else [])]
    if fault.end is End.RAISES:
        return any(names(fault, error) for error in errors)
    if fault.end is End.FEW_DRAWN:
        drawn = told.get("drawn", PLENTY)
        return results == TAKEN and not errors and drawn < PLENTY and not told["rising"]
    if fault.end is End.ALL:
        return results == ITEMS and not errors
    return results == ITEMS - 1 and len(errors) == 1 and names(fault, errors[0])


def names(fault: Fault, error: list[str]) -> bool:
    """Whether an error says what happened."""
    return any(word in f"{error[0]}: {error[1]}" for word in fault.names)


def summary(fault: Fault, record: Record) -> str:
    """How a case ended, in a few words."""
    told = record.told
    if told is None:
        return "HANG" if record.code is None else ending_by(record.code)
    if told["ending"] is not None and fault.end is End.INTERRUPTED:
        words = told["ending"][0]
    elif told["ending"] is not None:
        words = f"stops at {told['results']}: {told['ending'][0]}"
    elif fault.end is End.FEW_DRAWN:
        words = f"{told['drawn']:,} drawn" + (" and rising" if told["rising"] else "")
    else:
        words = counted(told["results"], [name for name, _ in told["errors"]], fault)
    if record.code is None:
        return f"{words}, then HANG"
    return words if record.code == 0 or fault.signals else f"{words}, {ending_by(record.code)}"


def counted(results: int, errors: list[str], fault: Fault) -> str:
    """The number of results, and the errors by type."""
    if not errors:
        return f"{results}" + (", silent" if fault.end is End.ONE_LOST or results < ITEMS else "")
    types = dict.fromkeys(errors)
    parts = [f"{n} {name}" if (n := errors.count(name)) > 1 else name for name in types]
    return " + ".join([str(results), *parts])


def ending_by(code: int) -> str:
    """What an exit status means."""
    return f"ends by {signal.Signals(-code).name}" if code < 0 else f"exits with {code}"

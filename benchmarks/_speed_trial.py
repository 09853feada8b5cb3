"""One case of one round, in a fresh process, for a limited time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from benchmarks._session import end, last_told
from benchmarks._speed_goals import Outcome

__all__ = ["run_fresh", "try_out"]

ROOT = Path(__file__).resolve().parents[1]


def try_out(workload: str, case: str, per_ms: int, quick: bool, limit: float) -> Outcome:
    """Run a case; what does not end in time is killed with all its processes."""
    size = "quick" if quick else "full"
    command = ["-m", "benchmarks._speed_child", workload, case, str(per_ms), size]
    code, printed, errors = run_fresh(command, limit)
    if code is None:
        return Outcome(trouble=f"hung: no end in {limit:g} s")
    told = last_told(printed)
    if told is not None:
        return Outcome(told.get("each"), told.get("also", {}), told.get("trouble", ""))
    ending = f"ended by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
    last = errors.strip().splitlines()[-1:]
    return Outcome(trouble=": ".join(["failed", ending, *last])[:200])


def run_fresh(arguments: Sequence[str], limit: float) -> tuple[int | None, str, str]:
    """Run Python in a session of its own: exit status (None: killed), and what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # nobody compiles a library at every start
    # Files and not pipes: what a killed process leaves behind may hold a pipe open for ever.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        leader = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=ROOT,
            env=environment,
            start_new_session=True,
        )
        try:
            code: int | None = leader.wait(limit)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            end(leader)
        return code, text_of(out), text_of(err)


def text_of(file: IO[bytes]) -> str:
    """What was written into a file."""
    file.seek(0)
    return file.read().decode(errors="replace")

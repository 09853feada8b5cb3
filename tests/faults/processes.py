"""Finding and ending the workers of a run."""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from pathlib import Path

from contract.gate import LIMIT
from support.processes import open_process

__all__ = ["children_of", "end_process"]


def children_of(pid: int) -> list[int]:
    """Every child of a process that has one thread."""
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def end_process(pid: int) -> None:
    """Kill a process, if it has not ended, and wait until it has."""
    with suppress(ProcessLookupError):
        watch = open_process(pid)
        try:
            os.kill(pid, signal.SIGKILL)
            assert select.select([watch], [], [], LIMIT)[0]
        finally:
            os.close(watch)

"""Finding and ending the workers of a run."""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from pathlib import Path

from contract.gate import LIMIT
from faults.kinds import traits_for
from support.processes import open_process

__all__ = ["end_idle_workers"]


def end_idle_workers(kind: str, last: int, server: int) -> None:
    """Kill the workers of a fork server while no item is on its way.

    Where a worker ends after one lease, the one that ran last does so now, and is let be.
    """
    for worker in _children_of(server):
        if worker != last or not traits_for(kind).one_lease_each:
            _end_process(worker)


def _children_of(pid: int) -> list[int]:
    """Every child of a process that has one thread."""
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def _end_process(pid: int) -> None:
    """Kill a process, if it has not ended, and wait until it has."""
    with suppress(ProcessLookupError):
        watch = open_process(pid)
        try:
            os.kill(pid, signal.SIGKILL)
            assert select.select([watch], [], [], LIMIT)[0]
        finally:
            os.close(watch)

"""What this process may use and do, looked up once: the facts that hints are turned into advice by.

A plan decides from values, so it does not ask the machine itself. It is given this record, and a
test gives it any other. As with processors, the least bound counts: what the machine has is
worth nothing to a container that may use less.
"""

from __future__ import annotations

import contextlib
import os
import sys
from itertools import takewhile
from typing import Final

from minigun_py.contexts.cpus import CGROUP_ROOT, usable_cpus
from minigun_py.contexts.system_file import Place, system_text
from minigun_py.record import record

__all__ = ["Surroundings", "look_around"]

MEMORY_STATISTICS: Final = "/proc/meminfo"
DEVICES: Final = "/dev"
GPU_DEVICE: Final = "nvidia"  # and a number
GPU_VARIABLE: Final = "CUDA_VISIBLE_DEVICES"

NO_LIMIT: Final = 2**60
"""Control groups of the first version have no word for "no limit", but a number like this."""

FORKING_IS_UNSAFE: Final = frozenset(["darwin", "win32"])
"""Platforms without fork, or whose own libraries break in a forked child."""


@record
class Surroundings:
    """What there is to work with. Made by `look_around`."""

    cpus: int
    """Processors that this process may really use."""

    gil: bool
    """Whether one global lock lets only one thread run Python at a time."""

    can_fork: bool
    """Whether a process can be forked safely."""

    can_subinterpret: bool
    """Whether this Python has interpreters with a lock of their own."""

    memory: int | None
    """Bytes that this process may use; None where nobody tells."""

    gpus: int
    """Devices that CUDA programs may see."""


def look_around(
    cgroup: Place = CGROUP_ROOT, statistics: Place = MEMORY_STATISTICS, devices: Place = DEVICES
) -> Surroundings:
    """The surroundings as they are now. The paths are where Linux tells of them."""
    has_gil = getattr(sys, "_is_gil_enabled", lambda: True)
    return Surroundings(
        cpus=usable_cpus(cgroup),
        gil=has_gil(),
        can_fork=hasattr(os, "fork") and sys.platform not in FORKING_IS_UNSAFE,
        can_subinterpret=sys.version_info >= (3, 14),
        memory=_memory(cgroup, statistics),
        gpus=_gpus(os.environ.get(GPU_VARIABLE), devices),
    )


def _memory(cgroup: Place, statistics: Place) -> int | None:
    bounds = (_memory_limit(cgroup), _memory_available(statistics))
    return min((bound for bound in bounds if bound is not None), default=None)


def _memory_limit(cgroup: Place) -> int | None:
    """Bytes that the control group grants; None without a limit."""
    for parts in (("memory.max",), ("memory", "memory.limit_in_bytes")):
        try:
            limit = int(system_text(cgroup, *parts) or "")
        except ValueError:  # no such file, or the word "max"
            continue
        return limit if limit < NO_LIMIT else None
    return None


def _memory_available(statistics: Place) -> int | None:
    """Bytes that the machine could still give without swapping."""
    for line in (system_text(statistics) or "").splitlines():
        match line.split():
            case ["MemAvailable:", kibibytes, "kB"] if kibibytes.isdecimal():
                return int(kibibytes) * 1024
    return None


def _gpus(visible: str | None, devices: Place) -> int:
    if visible is None:
        names: list[str] = []
        with contextlib.suppress(OSError):  # there is no such directory, or it is not ours to read
            names = os.listdir(devices)
        numbers = [name[len(GPU_DEVICE) :] for name in names if name.startswith(GPU_DEVICE)]
        return sum(map(str.isdecimal, numbers))
    parts = (part.strip() for part in visible.split(","))
    # As CUDA reads it: what follows the first name that is no device, such as -1, is not seen.
    return len(list(takewhile(_names_a_device, filter(None, parts))))


def _names_a_device(part: str) -> bool:
    return part.isdecimal() or part.startswith(("GPU-", "MIG-"))

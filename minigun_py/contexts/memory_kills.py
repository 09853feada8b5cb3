"""How many processes the system has killed since it ran out of memory, as far as it tells.

A control group with a limit counts its own (``memory.events``, or ``memory.oom_control`` in the
older hierarchy); beside it the whole machine counts in ``/proc/vmstat``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

__all__ = ["memory_kills"]

_FILES = ("memory.events", "memory.oom_control")


def memory_kills(root: Path = Path("/")) -> int:
    """Kills so far, in the control group of this process and on the machine. `root` is for tests.

    More of them than before the death of a process make it probable that it was one of them.
    """
    counters = [*_group_counters(root), root / "proc" / "vmstat"]
    return sum(map(_count, counters))


def _group_counters(root: Path) -> Iterator[Path]:
    mounted = root / "sys" / "fs" / "cgroup"
    for line in _lines(root / "proc" / "self" / "cgroup"):
        _, controllers, group = line.split(":", 2)
        if controllers in ("", "memory"):
            place = mounted / controllers / group.lstrip("/")
            yield from (place / name for name in _FILES)


def _count(file: Path) -> int:
    for line in _lines(file):
        name, _, number = line.partition(" ")
        if name == "oom_kill":
            return int(number)
    return 0


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []

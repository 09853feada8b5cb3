"""How many processes the system has killed since it ran out of memory, as far as it tells.

A control group with a limit counts its own (``memory.events``, or ``memory.oom_control`` in the
older hierarchy); beside it the whole machine counts in ``/proc/vmstat``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from minigun_py.contexts.system_file import Place, system_text

__all__ = ["memory_kills"]

_FILES = ("memory.events", "memory.oom_control")


def memory_kills(root: Place = "/") -> int:
    """Kills so far, in the control group of this process and on the machine. `root` is for tests.

    More of them than before the death of a process make it probable that it was one of them.
    """
    counters = [*_group_counters(root), os.path.join(root, "proc", "vmstat")]
    return sum(map(_count, counters))


def _group_counters(root: Place) -> Iterator[Place]:
    mounted = os.path.join(root, "sys", "fs", "cgroup")
    for line in (system_text(root, "proc", "self", "cgroup") or "").splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers in ("", "memory"):
            place = os.path.join(mounted, controllers, group.lstrip("/"))
            yield from (os.path.join(place, name) for name in _FILES)


def _count(file: Place) -> int:
    for line in (system_text(file) or "").splitlines():
        name, _, number = line.partition(" ")
        if name == "oom_kill":
            return int(number)
    return 0

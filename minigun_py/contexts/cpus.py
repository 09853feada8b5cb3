"""How many processors this process may really use: what ``workers="auto"`` means.

The least of the processors it may be scheduled on, the quota of its control group, and the
environment variable ``MINIGUN_MAX_WORKERS``. The number of the machine is never asked: in a
container it is wrong.
"""

from __future__ import annotations

import math
import os
from typing import Final

from minigun_py.contexts.system_file import Place, system_text
from minigun_py.errors import UsageError

__all__ = ["number_in", "usable_cpus"]

CGROUP_ROOT: Final = "/sys/fs/cgroup"
LIMIT_VARIABLE: Final = "MINIGUN_MAX_WORKERS"


def usable_cpus(cgroup: Place = CGROUP_ROOT) -> int:
    """A number from 1 on. Raises `UsageError` if the environment variable is no such number."""
    bounds = (_affinity(), _quota(cgroup), number_in(LIMIT_VARIABLE))
    return max(1, min(bound for bound in bounds if bound is not None))


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quota(cgroup: Place) -> int | None:
    """Processors that the control group grants, rounded up; None without a quota."""
    try:
        quota, period = (system_text(cgroup, "cpu.max") or "").split()
    except ValueError:
        return _quota_v1(cgroup)
    return None if quota == "max" else math.ceil(int(quota) / int(period))


def _quota_v1(cgroup: Place) -> int | None:
    try:
        quota = int(system_text(cgroup, "cpu", "cpu.cfs_quota_us") or "")
        period = int(system_text(cgroup, "cpu", "cpu.cfs_period_us") or "")
    except ValueError:
        return None
    return math.ceil(quota / period) if quota > 0 else None


def number_in(variable: str) -> int | None:
    """The number that an environment variable says; None if it says nothing.

    Raises `UsageError` if it is no whole number from 1 on.
    """
    text = os.environ.get(variable)
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"{variable} is a whole number from 1 on, not {text!r}")
    return int(text)

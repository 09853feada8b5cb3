"""How much memory this process has in use."""

from __future__ import annotations

import os
import resource
import sys
from typing import Final

__all__ = ["resident_bytes"]

_STATM: Final = "/proc/self/statm"
_PEAK_UNIT: Final = 1 if sys.platform == "darwin" else 1024


def resident_bytes() -> int:
    """What is resident now; where the system does not tell, the most that ever was."""
    try:
        with open(_STATM, "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _PEAK_UNIT

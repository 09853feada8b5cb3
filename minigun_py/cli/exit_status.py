"""What the `minigun` command tells its caller when it ends, as the shells have it."""

from __future__ import annotations

import signal
from enum import IntEnum

__all__ = ["ExitStatus"]


class ExitStatus(IntEnum):
    """The exit status of the command; a signal counts as 128 and its number."""

    SUCCEEDED = 0
    FAILED = 1
    USAGE = 2
    INTERRUPTED = 128 + signal.SIGINT
    TERMINATED = 128 + signal.SIGTERM

    @classmethod
    def of_signal(cls, number: int) -> ExitStatus:
        """The status of a run that was asked to stop by this signal."""
        return cls(128 + number)

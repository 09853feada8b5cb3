"""Waits until one descriptor can be read.

``select.select`` does the same, but fails on a descriptor above 1023, which a program with many
open files has.
"""

from __future__ import annotations

import math
import select
from typing import Final, Protocol

from minigun_py.clock import Deadline

__all__ = ["milliseconds", "wait_readable"]

LONGEST_POLL: Final = 3600.0


class HasDescriptor(Protocol):
    """A socket, a pipe, or what holds one."""

    def fileno(self) -> int:
        """The descriptor."""
        ...


def wait_readable(source: HasDescriptor, timeout: float | None) -> bool:
    """Wait at most `timeout` seconds, for ever if None. Whether there is something to read."""
    poller = select.poll()
    poller.register(source, select.POLLIN)
    deadline = Deadline.after(timeout)
    while not (heard := poller.poll(milliseconds(deadline.remaining()))) and not deadline.passed:
        pass
    return bool(heard)


def milliseconds(seconds: float | None) -> int | None:
    """For a poll, which knows no more than 24 days: it may be too early, and never is too late."""
    return None if seconds is None else math.ceil(min(seconds, LONGEST_POLL) * 1000)

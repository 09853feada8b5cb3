"""Waits until one descriptor can be read.

``select.select`` does the same, but fails on a descriptor above 1023, which a program with many
open files has.
"""

from __future__ import annotations

import math
import select
from typing import Protocol

__all__ = ["wait_readable"]


class HasDescriptor(Protocol):
    """A socket, a pipe, or what holds one."""

    def fileno(self) -> int:
        """The descriptor."""
        ...


def wait_readable(source: HasDescriptor, timeout: float | None) -> bool:
    """Wait at most `timeout` seconds, for ever if None. Whether there is something to read."""
    poller = select.poll()
    poller.register(source, select.POLLIN)
    return bool(poller.poll(None if timeout is None else math.ceil(timeout * 1000)))

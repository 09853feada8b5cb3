"""Ends a poll from another thread.

*Lock order*: the lock guards the descriptors against their end, and is a leaf: without it a late
`set` could write to a descriptor that has become somebody else's.
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import Self

__all__ = ["WakeUp"]


class WakeUp:
    """A pipe that ends a poll. One byte at most is in it."""

    def __enter__(self) -> Self:
        self._lock = threading.RLock()  # a signal handler may come in between
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._open, self._is_set = True, False
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            if self._open:
                self._open = False
                os.close(self._reader)
                os.close(self._writer)

    def fileno(self) -> int:
        return self._reader

    @property
    def descriptor_to_write(self) -> int:
        """For what can only write a byte: the C half of a signal handler."""
        return self._writer

    def set(self) -> None:
        """End the poll, now or the next one. From any thread."""
        if self._is_set:
            return
        with self._lock, contextlib.suppress(BlockingIOError):
            if self._open:
                self._is_set = True
                os.write(self._writer, b"!")

    def clear(self, heard: bool = True) -> None:
        """Be ready for the next `set`; what it tells of has to be looked at after this.

        Without having `heard` from the descriptor it does nothing unless somebody has called `set`.
        """
        if not (heard or self._is_set):
            return
        with contextlib.suppress(BlockingIOError):
            os.read(self._reader, 4096)
        # Only now: a byte written before the read is gone, and the next `set` has to write one.
        self._is_set = False

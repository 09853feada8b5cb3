"""Makes workers of any kind wait for the test: pipes work in threads and in forked processes."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["LIMIT", "Gate", "open_gate"]

LIMIT = 20.0
"""Seconds that any wait of a test may take before it has failed."""


class Gate:
    """Whoever calls `pass_through` waits until the test lets it go on."""

    def __init__(self, arrived: tuple[int, int], go: tuple[int, int]) -> None:
        self._arrived, self._go = arrived, go

    def pass_through(self) -> None:
        """In a worker: say that it is here, and wait for the test."""
        os.write(self._arrived[1], b"!")
        _read(self._go[0], "nobody opened the gate")

    def wait_for(self, count: int) -> None:
        """In the test: wait until so many workers are at the gate, all at once."""
        for _ in range(count):
            _read(self._arrived[0], "nobody came to the gate")

    def nobody_waits(self) -> bool:
        """In the test: whether every arrival has been waited for."""
        return not select.select([self._arrived[0]], [], [], 0)[0]

    def let_go(self, count: int = 1) -> None:
        """In the test: let so many workers go on, now or when they come."""
        os.write(self._go[1], b"!" * count)


@contextmanager
def open_gate() -> Iterator[Gate]:
    """A gate whose pipes are closed in the end."""
    arrived, go = os.pipe(), os.pipe()
    try:
        yield Gate(arrived, go)
    finally:
        for fd in (*arrived, *go):
            os.close(fd)


def _read(fd: int, complaint: str) -> None:
    if not select.select([fd], [], [], LIMIT)[0]:
        raise TimeoutError(complaint)
    assert os.read(fd, 1)

"""Makes workers of any kind wait for the test: pipes with names work everywhere."""

from __future__ import annotations

import asyncio
import os
import select
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

__all__ = ["LIMIT", "Gate", "open_gate"]

LIMIT = 20.0
"""Seconds that any wait of a test may take before it has failed."""


class Gate:
    """Whoever calls `pass_through` waits until the test lets it go on."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def pass_through(self) -> None:
        """In a worker: say that it is here, and wait for the test."""
        with self._arrived() as arrived, self._go() as go:
            os.write(arrived, b"!")
            _read(go, "nobody opened the gate")

    async def pass_through_awaiting(self) -> None:
        """In a coroutine: the same, without holding up the others on its loop."""
        with self._arrived() as arrived, self._go() as go:
            os.write(arrived, b"!")
            await _readable(go)
            os.read(go, 1)

    def wait_for(self, count: int) -> None:
        """In the test: wait until so many workers are at the gate, all at once."""
        with self._arrived() as arrived:
            for _ in range(count):
                _read(arrived, "nobody came to the gate")

    def nobody_waits(self) -> bool:
        """In the test: whether every arrival has been waited for."""
        with self._arrived() as arrived:
            return not select.select([arrived], [], [], 0)[0]

    def let_go(self, count: int = 1) -> None:
        """In the test: let so many workers go on, now or when they come."""
        with self._go() as go:
            os.write(go, b"!" * count)

    def _arrived(self) -> AbstractContextManager[int]:
        return _opened(os.path.join(self._directory, "arrived"))

    def _go(self) -> AbstractContextManager[int]:
        return _opened(os.path.join(self._directory, "go"))


@contextmanager
def open_gate() -> Iterator[Gate]:
    """A gate whose pipes have names, so that a process of any descent finds them."""
    with tempfile.TemporaryDirectory() as directory:
        gate = Gate(directory)
        for name in ("arrived", "go"):
            os.mkfifo(os.path.join(directory, name))
        with gate._arrived(), gate._go():
            yield gate


@contextmanager
def _opened(path: str) -> Iterator[int]:
    fd = os.open(path, os.O_RDWR)
    try:
        yield fd
    finally:
        os.close(fd)


async def _readable(fd: int) -> None:
    loop, came = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(fd, came.set)
    try:
        await came.wait()
    finally:
        loop.remove_reader(fd)


def _read(fd: int, complaint: str) -> None:
    if not select.select([fd], [], [], LIMIT)[0]:
        raise TimeoutError(complaint)
    assert os.read(fd, 1)

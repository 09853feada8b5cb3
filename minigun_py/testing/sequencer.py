"""Makes what several threads do happen in one order, the one that a test is about.

The idea is that of the sequencer in trio's testing tools.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Sequencer"]


class Sequencer:
    """Numbered steps, from 0 on, each of which begins when the one before it has ended.

    Example:
        >>> from minigun_py.testing import Sequencer
        >>> step = Sequencer()
        >>> with step(0):
        ...     print("first")
        first
        >>> with step(1):
        ...     print("second")
        second

    Args:
        limit: Seconds that a step waits for those before it.
    """

    def __init__(self, limit: float = 20.0) -> None:
        self._limit = limit
        self._changed = threading.Condition()
        self._next = 0
        self._taken: set[int] = set()
        self._broken = False

    @contextmanager
    def __call__(self, step: int) -> Iterator[None]:
        """Wait for this step, and let the next begin after the block.

        Raises:
            ValueError: The step was taken before.
            TimeoutError: Those before it have not ended in time, or one of them has raised.
        """
        with self._changed:
            if step in self._taken:
                raise ValueError(f"step {step} was taken before")
            self._taken.add(step)
            came = self._changed.wait_for(lambda: self._broken or self._next == step, self._limit)
            if not came or self._broken:
                raise TimeoutError(f"step {step} waits for step {self._next}, which has not ended")
        try:
            yield
        except BaseException:
            self._end(broken=True)
            raise
        self._end()

    def _end(self, broken: bool = False) -> None:
        with self._changed:
            self._broken = self._broken or broken
            self._next += not broken
            self._changed.notify_all()

"""Faults to plant in the stages of a pipeline, wherever they run.

Each is a context manager: it holds for the runs that begin within its block. If no stage of that
name was run by then, leaving the block is a `UsageError`, so a misspelt name hides nothing.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from minigun_py.engine.sabotage import Hold, planted, withheld
from minigun_py.errors import WorkerDied
from minigun_py.record import record

__all__ = ["EVERY", "full_queue", "kill_worker", "raise_in", "seeded", "slow"]


class _Every:
    """Equals every item, and every attempt."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "EVERY"


EVERY: Final = _Every()
"""Stands for every item, or for every attempt."""


def kill_worker(stage: str, at_item: Any = EVERY, attempt: Any = 1) -> AbstractContextManager[None]:
    """Kill the worker of a stage when it comes to an item, in this attempt (or in `EVERY` one).

    A worker process is killed as ``kill -9`` would. Where the worker cannot die alone the item
    fails with the same `WorkerDied`.
    """
    return planted(stage, _Kill(at_item, attempt))


def raise_in(
    stage: str,
    error: Exception | type[Exception],
    at_item: Any = EVERY,
    attempt: Any = EVERY,
) -> AbstractContextManager[None]:
    """Raise an error in place of a stage, at an item."""
    return planted(stage, _Raise(error, at_item, attempt))


def slow(stage: str, seconds: float, at_item: Any = EVERY) -> AbstractContextManager[None]:
    """Delay a stage by so many seconds before an item."""
    return planted(stage, _Delay(seconds, at_item))


@contextmanager
def full_queue(stage: str) -> Iterator[Hold]:
    """Let the queue of a stage fill: its workers begin after the block, or on ``release()``.

    An inline run has no queues.
    """
    hold = Hold()
    with withheld(stage, hold):
        try:
            yield hold
        finally:
            hold.release()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let chance be the same in each run within the block: the waits between attempts."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


@record(eq=False)
class _Kill:
    at_item: Any
    attempt: Any

    def before(self, item: Any, attempt: int, lethal: bool) -> float:
        if not (_is(self.at_item, item) and self.attempt == attempt):
            return 0.0
        if lethal:
            os.kill(os.getpid(), signal.SIGKILL)
        raise WorkerDied("the worker was killed by kill_worker", -signal.SIGKILL)


@record(eq=False)
class _Raise:
    error: Exception | type[Exception]
    at_item: Any
    attempt: Any

    def before(self, item: Any, attempt: int, lethal: bool) -> float:
        if _is(self.at_item, item) and self.attempt == attempt:
            raise self.error
        return 0.0


@record(eq=False)
class _Delay:
    seconds: float
    at_item: Any

    def before(self, item: Any, attempt: int, lethal: bool) -> float:
        return self.seconds if _is(self.at_item, item) else 0.0


def _is(wanted: Any, item: Any) -> bool:
    """Whether it is the item; nothing that cannot say is, such as an array."""
    try:
        return bool(wanted == item)
    except Exception:
        return False

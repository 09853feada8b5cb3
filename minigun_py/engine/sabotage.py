"""Faults that tests plant in stages; see `minigun_py.testing`.

A *deed* is done in a worker before a stage takes an item. A *hold* keeps the workers of a stage
from beginning, so that its queue fills. Both are looked up once, when a run is made ready: a run in
which nothing is planted does nothing for it.

*Lock order*: the lock is a leaf.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

from minigun_py.errors import UsageError

__all__ = [
    "Deed",
    "Hold",
    "deeds_for",
    "hold_for",
    "planted",
    "sabotaged",
    "sabotaged_items",
    "withheld",
]


class Deed(Protocol):
    """What happens before an item. It is pickled where workers are processes."""

    def before(self, item: Any, attempt: int, lethal: bool) -> float:
        """Do it; or raise, or, where that is `lethal` to the worker alone, end the process.

        Returns seconds by which the item is delayed.
        """
        ...


class Hold:
    """Keeps the workers of a stage from beginning until it is released."""

    def __init__(self) -> None:
        self.held = True
        self._wakes: list[Callable[[], None]] = []

    def on_release(self, wake: Callable[[], None]) -> None:
        """Have `wake` called when it is released."""
        self._wakes.append(wake)

    def release(self) -> None:
        """Let the workers begin."""
        self.held = False
        for wake in tuple(self._wakes):
            wake()


class _Plants:
    """What is planted now, by stage."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._plants: list[tuple[str, Any]] = []
        self._found: list[Any] = []

    @contextmanager
    def planted(self, stage: str, plant: Any, what: str) -> Iterator[None]:
        with self._lock:
            self._plants.append((stage, plant))
        try:
            yield
        finally:
            with self._lock:
                self._plants.remove((stage, plant))
                found = plant in self._found
                self._found = [other for other in self._found if other is not plant]
        if not found:
            raise UsageError(f"no stage {stage!r} {what} meanwhile, so nothing has come of it")

    def of(self, stage: str) -> tuple[Any, ...]:
        with self._lock:
            mine = tuple(plant for name, plant in self._plants if name == stage)
            self._found += mine
        return mine


_deeds, _holds = _Plants(), _Plants()


@contextmanager
def planted(stage: str, deed: Deed) -> Iterator[None]:
    """Have a deed done in the stages of this name, in the runs that begin meanwhile.

    Raises:
        UsageError: At the end, if there was no such stage.
    """
    with _deeds.planted(stage, deed, "has run"):
        yield


@contextmanager
def withheld(stage: str, hold: Hold) -> Iterator[None]:
    """Hold the workers of the stages of this name, in the runs that begin meanwhile."""
    with _holds.planted(stage, hold, "with a queue of its own has run"):
        yield


def deeds_for(stage: str) -> tuple[Deed, ...]:
    """What is planted in a stage."""
    return _deeds.of(stage)


def hold_for(stage: str) -> Hold | None:
    """What holds the workers of a stage, if something does."""
    return next(iter(_holds.of(stage)), None)


def sabotaged(
    deeds: Sequence[Deed],
    lethal: bool,
    attempt: Callable[[], int],
    call: Callable[..., Any],
    coroutine: bool,
) -> Callable[..., Any]:
    """The call of a stage, with its deeds before."""
    done = partial(_done, deeds, lethal, attempt)
    return partial(_awaited if coroutine else _called, done, call)


def sabotaged_items(deeds: Sequence[Deed], lethal: bool, items: Iterator[Any]) -> Iterator[Any]:
    """The items that a stage draws, with its deeds before each."""
    for item in items:
        time.sleep(_done(deeds, lethal, lambda: 1, item))
        yield item


def _done(deeds: Sequence[Deed], lethal: bool, attempt: Callable[[], int], item: Any) -> float:
    return sum(deed.before(item, attempt(), lethal) for deed in deeds)


def _called(done: Callable[[Any], float], call: Callable[..., Any], item: Any) -> Any:
    time.sleep(done(item))
    return call(item)


async def _awaited(done: Callable[[Any], float], call: Callable[..., Any], item: Any) -> Any:
    import asyncio  # here it is there already

    await asyncio.sleep(done(item))
    return await call(item)

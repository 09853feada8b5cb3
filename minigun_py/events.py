"""What happens during a run, as frozen records sent to its observers.

An observer is any callable; pass it with ``run(observers=[print])``. With no observer no record
is made. An observer that raises is dropped with one warning: it cannot break the run. Observers
may be called from any thread of the run, one call at a time.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from minigun_py.outcome import Outcome
from minigun_py.record import record

__all__ = [
    "Event",
    "ItemFailed",
    "ItemRetried",
    "Observer",
    "Observers",
    "RunEnded",
    "RunStarted",
    "StageEnded",
    "TaskEnded",
    "TaskRetried",
    "TaskStarted",
    "WorkerReplaced",
]


@record
class Event:
    """Base of every record. ``at`` is in monotonic seconds."""

    at: float


@record
class RunStarted(Event):
    """The contexts are open; the first item comes next."""

    pipeline: str
    stages: tuple[str, ...]


@record
class StageEnded(Event):
    """A stage has answered for every item that it received."""

    stage: str


@record
class ItemFailed(Event):
    """A stage failed on an item; `action` says what the policy made of it."""

    stage: str
    item: object
    error: BaseException
    action: str


@record
class ItemRetried(Event):
    """A stage failed on an item in this attempt, and tries again after `wait` seconds."""

    stage: str
    item: object
    error: BaseException
    attempt: int
    wait: float


@record
class WorkerReplaced(Event):
    """A worker of the segment that begins with `stage` died, and another takes its place."""

    stage: str
    status: int | None


@record
class RunEnded(Event):
    """Everything is closed. `ok` is False when the run raises."""

    pipeline: str
    ok: bool


@record
class TaskStarted(Event):
    """A task was handed to a worker, for the so manieth time."""

    task: str
    attempt: int


@record
class TaskRetried(Event):
    """A task failed in this attempt, and is tried again after `wait` seconds."""

    task: str
    attempt: int
    error: BaseException
    wait: float


@record
class TaskEnded(Event):
    """A task has ended, or never began: `outcome` tells."""

    task: str
    outcome: Outcome[Any]


Observer = Callable[[Event], object]


class Observers:
    """Sends records to observers, and drops the ones that raise.

    Lock order: the lock guards the list and is held while observers run, so that each sees one
    record at a time; an observer must not wait for the run.
    """

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        self._observers = list(observers)
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._observers)

    def send(self, event: Event) -> None:
        """Give the record to every observer that is left."""
        with self._lock:
            for observer in tuple(self._observers):
                try:
                    observer(event)
                except Exception as error:
                    self._observers.remove(observer)
                    warnings.warn(
                        f"observer {observer!r} raised {error!r} and gets no further events",
                        RuntimeWarning,
                        stacklevel=2,
                    )

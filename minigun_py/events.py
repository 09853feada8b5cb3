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
    "StepCancelled",
    "StepCompleted",
    "StepFailed",
    "StepRetried",
    "StepSkipped",
    "StepStarted",
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


@record
class StepStarted(Event):
    """A step of a workflow, or an instance of one, was handed to a worker."""

    step: str
    attempt: int


@record
class StepRetried(Event):
    """A step failed in this attempt, and is tried again after `wait` seconds."""

    step: str
    attempt: int
    error: BaseException
    wait: float


@record
class StepCompleted(Event):
    """A step has ended well, after `duration` seconds; or the value of an earlier run was taken."""

    step: str
    duration: float
    kept: bool


@record
class StepFailed(Event):
    """A step has failed for good."""

    step: str
    error: BaseException


@record
class StepSkipped(Event):
    """A step does not run: `cause` is the error of another step, or a condition in words."""

    step: str
    cause: object


@record
class StepCancelled(Event):
    """A step was stopped before its end, or never began."""

    step: str
    reason: object


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

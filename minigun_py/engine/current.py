"""`current()`: what a stage, and whatever it calls, can learn of where it runs.

It costs nothing while nobody asks. The loops that a kernel generates have their worker among
their globals, and the line that such a loop is on tells the stage; so whoever asks walks up the
stack until it comes to one. Code that a stage has started elsewhere (a task of asyncio, a setup)
finds the worker by a context variable instead.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from minigun_py.emission import worker_at_work
from minigun_py.errors import UsageError
from minigun_py.primitives.cancel import CancelToken
from minigun_py.record import record

if TYPE_CHECKING:
    import logging

__all__ = ["Current", "current", "entered"]


@record
class Current:
    """Where the calling code runs."""

    stage: str
    worker: int
    """The number of the worker in its context, from 1 on."""
    attempt: int
    """1 for the first time that the item is run."""
    cancel: CancelToken
    """The token of the run. In another process it can be cancelled; a cancelled run ends that
    process rather than telling it."""
    drain: Callable[[], None]
    """Asks the run to produce nothing more, and to end when what is in flight has ended."""

    @property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """The logger ``minigun_py.stage.NAME``; its records tell stage and worker."""
        import logging  # here: a program that logs has it

        logger = logging.getLogger(f"minigun_py.stage.{self.stage}")
        told: dict[str, Any] = {"minigun_stage": self.stage, "minigun_worker": self.worker}
        return logging.LoggerAdapter(logger, told)


class Worker(Protocol):
    """What the context variable and the generated loops hold."""

    @property
    def sets_up(self) -> bool:
        """Whether it runs no item now, but a setup or a teardown."""
        ...

    def current_at(self, line: int | None) -> Current:
        """What `current` gives on this line of its loops; None stands for outside of them."""
        ...


_worker: ContextVar[Worker | None] = ContextVar("minigun_worker", default=None)


def current() -> Current:
    """Where the calling code runs: stage, worker, attempt, and the line to the run.

    Raises:
        UsageError: It is not called by a stage.
    """
    here = _worker.get()
    if here is not None and here.sets_up:
        return here.current_at(None)
    worker: Worker | None
    worker, line = worker_at_work(sys._getframe(1))  # noqa: SLF001 - documented all the same
    if worker is not None:
        return worker.current_at(line)
    if here is None:
        raise UsageError("current() is for code that a stage calls, and none is running here")
    return here.current_at(None)


def enter(worker: Worker | None) -> Worker | None:
    """Make this the worker of what this thread or task runs from now on; who was it before."""
    before = _worker.get()
    _worker.set(worker)
    return before


class entered:
    """Make this the worker of what this thread or task runs meanwhile."""

    __slots__ = ("_before", "_worker")

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def __enter__(self) -> None:
        self._before = enter(self._worker)

    def __exit__(self, *_: object) -> None:
        _worker.set(self._before)

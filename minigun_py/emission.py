"""`To`: a value on its way to other stages than the usual ones.

A stage that declares ``routes`` or ``feedback`` returns or yields it::

    return To("errors", row)
    yield To(["index", "archive"], page)

That the target is declared is checked where the `To` is made, in the stage that makes it, so that
stages which send nowhere pay nothing for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, Generic, TypeVar

__all__ = ["WORKER_GLOBAL", "Target", "To", "worker_at_work"]

T_co = TypeVar("T_co", covariant=True)

Target = str | Callable[..., Any] | object
"""A stage, by its name, its path, its function, or as itself."""

WORKER_GLOBAL: Final = "__minigun_worker__"
"""The name of a worker among the globals of the loops that run its stages."""


class To(Generic[T_co]):
    """Sends a value to the stages named, instead of along the usual edges.

    Args:
        target: A stage by name, path or function, or a list of these: each gets the value.
        value: What they get.

    Raises:
        UsageError: The stage that makes it has not declared the target in `routes`.
    """

    __slots__ = ("targets", "value")

    def __init__(self, target: Target, value: T_co) -> None:
        self.targets: tuple[Target, ...] = (
            tuple(target) if isinstance(target, list | tuple) else (target,)
        )
        self.value: T_co = value
        worker, line = worker_at_work(sys._getframe(1))  # noqa: SLF001 - documented all the same
        if worker is not None:
            worker.check_targets(line, self.targets)

    def __repr__(self) -> str:
        names = ", ".join(getattr(t, "__name__", None) or str(t) for t in self.targets)
        return f"To({names}: {self.value!r})"


def worker_at_work(frame: FrameType | None) -> tuple[Any, int]:
    """The worker whose loop has called, directly or not, what runs in `frame`; and on which line.

    None where no loop has: the stack is walked up to its end.
    """
    while frame is not None:
        worker = frame.f_globals.get(WORKER_GLOBAL)
        if worker is not None:
            return worker, frame.f_lineno
        frame = frame.f_back
    return None, 0

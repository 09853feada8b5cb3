"""In the calling thread, one lease after the other: the simplest context, and the model of all."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from minigun_py.clock import Deadline
from minigun_py.contexts.context import Answer, BoundKernel, Kernel, LeaseReceiver, Traits
from minigun_py.contexts.lease_loop import work_off

__all__ = ["InlineContext"]


class InlineContext:
    """One worker: the thread that calls `serve`."""

    traits: ClassVar = Traits(shares_memory=True, survives_crash=False, killable=False)

    def __init__(self) -> None:
        self._worker: BoundKernel | None = None

    def open(self, kernel: Kernel, workers: int) -> None:
        """Bind the kernel. `workers` is 1."""
        self._worker = kernel.bind()

    def serve(self, leases: LeaseReceiver, answer: Callable[[Answer], None]) -> None:
        """Run leases in this thread until they end."""
        assert self._worker is not None, "open comes before serve"
        work_off(self._worker, leases, answer)

    def kill(self, why: str) -> None:
        """Nothing: the caller's own thread cannot be stopped by force."""

    def close(self, deadline: Deadline) -> None:
        """Forget the kernel."""
        self._worker = None

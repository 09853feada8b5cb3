"""In the calling thread, one lease after the other: the simplest context, and the model of all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from minigun_py.clock import Deadline
from minigun_py.contexts.answer import Answer
from minigun_py.contexts.context import LeaseReceiver, Traits, not_open
from minigun_py.contexts.kernel import Functions, Kernel
from minigun_py.contexts.lease_loop import work_off
from minigun_py.placement import ContextSpec

if TYPE_CHECKING:
    from minigun_py.contexts.switchboard import Switchboard

__all__ = ["InlineContext"]


class InlineContext:
    """One worker: the thread that calls `serve`."""

    traits: ClassVar = Traits(
        shares_memory=True, survives_crash=False, killable=False, worker="caller"
    )

    def __init__(self) -> None:
        self._kernel: Kernel | None = None

    @staticmethod
    def obstacle(functions: Functions = ()) -> str | None:
        """It runs everywhere."""
        return None

    def open(self, kernel: Kernel, spec: ContextSpec) -> None:
        """Remember the kernel. There is one worker."""
        self._kernel, self._spec = kernel, spec

    def serve(
        self,
        leases: LeaseReceiver,
        answer: Callable[[Answer], None],
        board: Switchboard | None = None,
    ) -> None:
        """Run leases in this thread until they end; it sees to the board while there is none."""
        if self._kernel is None:
            raise not_open()
        receive = None
        if board is not None:
            from minigun_py.contexts.visitor import receive_at  # here: few are at a board

            receive = receive_at(board, leases)
        work_off(self._kernel, 1, self._spec.max_items, leases, answer, receive)

    def kill(self, why: str) -> None:
        """Nothing: the caller's own thread cannot be stopped by force."""

    def close(self, deadline: Deadline) -> None:
        """Forget the kernel."""
        self._kernel = None

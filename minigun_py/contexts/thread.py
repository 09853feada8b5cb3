"""In N threads of this process, N items at a time.

*Threads*: the thread that calls `serve` is the first worker; `serve` starts the others and joins
them before it returns. They are daemons, because a thread that is stuck in a stage would hang
the interpreter's exit.

*Invariants*: what a worker raises besides the failure of an item (the end of the run, a bug) is
raised by `serve` once every worker has ended.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from minigun_py.clock import Deadline
from minigun_py.contexts.answer import Answer, Broken
from minigun_py.contexts.context import LeaseReceiver, Traits, not_open
from minigun_py.contexts.kernel import Functions, Kernel
from minigun_py.contexts.lease_loop import work_off
from minigun_py.placement import ContextSpec
from minigun_py.primitives.daemon import daemon_thread

if TYPE_CHECKING:
    from minigun_py.contexts.switchboard import Switchboard

__all__ = ["ThreadContext"]


class ThreadContext:
    """N workers, each a thread that binds the kernel for itself."""

    traits: ClassVar = Traits(
        shares_memory=True, survives_crash=False, killable=False, pool="threads"
    )

    def __init__(self) -> None:
        self._kernel: Kernel | None = None

    @staticmethod
    def obstacle(functions: Functions = ()) -> str | None:
        """It runs everywhere."""
        return None

    def open(self, kernel: Kernel, spec: ContextSpec) -> None:
        """Remember the kernel; each thread binds it for itself."""
        self._kernel, self._spec = kernel, spec

    def serve(
        self,
        leases: LeaseReceiver,
        answer: Callable[[Answer], None],
        board: Switchboard | None = None,
    ) -> None:
        """Run leases in all threads until they end."""
        kernel, raised = self._kernel, list[BaseException]()
        if kernel is None:
            raise not_open()

        def work(number: int) -> None:
            try:
                work_off(kernel, number, self._spec.max_items, leases, answer)
            except BaseException as error:
                raised.append(error)
                if isinstance(error, Exception):
                    answer(Broken(error))

        base = threading.current_thread().name
        others = [
            daemon_thread(work, (n,), f"{base}-{n}") for n in range(2, self._spec.workers + 1)
        ]
        for thread in others:
            thread.start()
        work(1)
        for thread in others:
            thread.join()  # each ends with its leases; the run's deadline bounds the wait for us
        if raised:
            raise raised[0]

    def kill(self, why: str) -> None:
        """Nothing: a thread cannot be stopped by force."""

    def close(self, deadline: Deadline) -> None:
        """Forget the kernel; the threads ended with `serve`."""
        self._kernel = None

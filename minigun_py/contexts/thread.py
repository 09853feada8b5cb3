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
from typing import ClassVar

from minigun_py.clock import Deadline
from minigun_py.contexts.context import Answer, BoundKernel, Kernel, LeaseReceiver, Traits
from minigun_py.contexts.lease_loop import work_off

__all__ = ["ThreadContext"]


class ThreadContext:
    """N workers, each a thread with a bound kernel of its own."""

    traits: ClassVar = Traits(shares_memory=True, survives_crash=False, killable=False)

    def __init__(self) -> None:
        self._workers: list[BoundKernel] = []

    def open(self, kernel: Kernel, workers: int) -> None:
        """Bind the kernel once for every worker."""
        self._workers = [kernel.bind() for _ in range(workers)]

    def serve(self, leases: LeaseReceiver, answer: Callable[[Answer], None]) -> None:
        """Run leases in all threads until they end."""
        raised: list[BaseException] = []

        def work(worker: BoundKernel) -> None:
            try:
                work_off(worker, leases, answer)
            except BaseException as error:
                raised.append(error)

        base = threading.current_thread().name
        others = [
            threading.Thread(target=work, args=(w,), name=f"{base}-{n}", daemon=True)
            for n, w in enumerate(self._workers[1:], start=2)
        ]
        for thread in others:
            thread.start()
        work(self._workers[0])
        for thread in others:
            thread.join()  # each ends with its leases; the run's deadline bounds the wait for us
        if raised:
            raise raised[0]

    def kill(self, why: str) -> None:
        """Nothing: a thread cannot be stopped by force."""

    def close(self, deadline: Deadline) -> None:
        """Forget the kernels; the threads ended with `serve`."""
        self._workers = []

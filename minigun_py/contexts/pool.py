"""Bounds how many contexts are alive, and hands the free places to the most urgent first.

*Invariants*: at most `max_size` contexts are lent out. Waiting callers are served by priority
(higher first), then in the order in which they came. *Lock order*: one condition, a leaf.
*Threads*: everything may be called from any thread.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from typing import Any, Self

from minigun_py.clock import SYSTEM_CLOCK, Clock, Deadline
from minigun_py.contexts.task import TaskContext
from minigun_py.errors import ContextError, RunCancelled, UsageError
from minigun_py.placement import ContextKind, parse_kind

__all__ = ["ContextPool"]


class ContextPool:
    """Lends out contexts of one kind. Use it in a ``with``, which joins what is still lent out."""

    def __init__(self, kind: str, max_size: int, *, clock: Clock = SYSTEM_CLOCK) -> None:
        if max_size < 1:
            raise UsageError(f"max_size is a whole number from 1 on, not {max_size!r}")
        self._kind, self._size, self._clock = parse_kind(kind), max_size, clock
        self._changed = threading.Condition()  # guards the fields below
        self._lent: dict[int, TaskContext] = {}
        self._queue: list[tuple[float, int]] = []
        self._tickets = itertools.count()
        self._reusable: list[TaskContext] = []
        self._closed = False

    def __enter__(self) -> Self:
        self._closed = False
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        self._closed = True
        if failed is None:
            self.join_all()
        else:
            self.terminate_all()

    @property
    def capacity(self) -> int:
        """How many contexts may be lent out at once."""
        return self._size

    @property
    def active(self) -> int:
        """How many are lent out."""
        return len(self._lent)

    @property
    def available(self) -> int:
        """How many more may be lent out now."""
        return self._size - len(self._lent)

    def acquire(
        self, name: str = "", *, timeout: float | None = None, priority: float = 0
    ) -> TaskContext:
        """Borrow a context, waiting for a free place.

        Args:
            name: Names the context in error messages and threads.
            timeout: Seconds to wait at most; None waits for as long as it takes.
            priority: Higher is served first.

        Raises:
            TimeoutError: No place became free in time.
            ContextError: The ``with`` block of the pool has been left.
        """
        if self._closed:
            raise ContextError("this pool is closed: its `with` block has been left")
        deadline = Deadline.after(timeout, self._clock)
        with self._changed:
            ticket = (-priority, next(self._tickets))
            heapq.heappush(self._queue, ticket)
            try:
                while not self.available or self._queue[0] != ticket:
                    if not self._changed.wait(deadline.remaining()) and deadline.passed:
                        raise TimeoutError(f"no context became free within {timeout:g} s")
            finally:
                self._queue.remove(ticket)
                heapq.heapify(self._queue)
                self._changed.notify_all()
            context = self._fresh(name or str(self._kind))
            self._lent[id(context)] = context
            return context

    def release(self, context: TaskContext) -> None:
        """Give a context back. One that is still busy is terminated.

        Raises:
            ContextError: It is not lent out by this pool, or was given back already.
        """
        with self._changed:
            if self._lent.get(id(context)) is not context:
                raise ContextError(f"context {context.name!r} is not lent out by this pool")
        context.terminate()
        with self._changed:
            self._lent.pop(id(context), None)
            if self._kind is ContextKind.INLINE and not context.alive:
                self._reusable.append(context)
            self._changed.notify_all()

    def join_all(self, timeout: float | None = None) -> list[Any]:
        """Join every context that executes something, and release all. Results, in that order.

        Raises:
            ExceptionGroup: What the functions raised, once all have ended.
            TimeoutError: Not all ended in time; those that did not stay lent out.
        """
        deadline = Deadline.after(timeout, self._clock)
        results: list[Any] = []
        errors: list[Exception] = []
        for context in tuple(self._lent.values()):
            try:
                if context.executed:
                    results.append(context.join(deadline.remaining()))
            except RunCancelled:
                pass  # somebody terminated it: there is no result to wait for
            except Exception as error:
                if isinstance(error, TimeoutError) and context.alive:
                    raise
                errors.append(error)
            self.release(context)
        if errors:
            raise ExceptionGroup(f"{len(errors)} contexts of the pool failed", errors)
        return results

    def terminate_all(self) -> None:
        """Terminate and release every context."""
        for context in tuple(self._lent.values()):
            self.release(context)

    def _fresh(self, name: str) -> TaskContext:
        if self._reusable:
            context = self._reusable.pop()
            context.reset(name)
            return context
        return TaskContext(self._kind, name)

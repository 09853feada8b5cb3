"""A single context by itself: execute one function somewhere, and join it.

A small door on the same seam that pipelines use: one worker, one lease, one item, and a kernel
that calls the function. ``create_context("fork", "risky").execute(fn, 3).join()``.

*Threads*: all but the inline kind serve on a thread of their own, which ends with the work.
Methods may be called from any thread. *Lock order*: the lock guards the state and is a leaf.
"""

from __future__ import annotations

import inspect
import threading
import warnings
from collections.abc import Callable
from enum import Enum
from typing import Any, Self

from minigun_py.clock import Deadline
from minigun_py.contexts import registry
from minigun_py.contexts.answer import (
    Answer,
    Broken,
    Died,
    Done,
    Lease,
    Returned,
)
from minigun_py.contexts.call_kernel import CallKernel
from minigun_py.contexts.context import ExecutionContext
from minigun_py.contexts.fallback import open_nearest
from minigun_py.errors import ContextError, EndOfChannel, PlanWarning, UsageError, WorkerDied
from minigun_py.outcome import Cancelled, Failure, Outcome, Success, unwrap
from minigun_py.placement import ContextKind, ContextSpec, parse_kind
from minigun_py.primitives.daemon import daemon_thread

__all__ = ["TaskContext", "create_context"]

EXIT_SECONDS = 5.0


def create_context(kind: str, name: str = "") -> TaskContext:
    """A context of this kind, ready to execute one function at a time.

    Raises:
        UsageError: There is no such kind.
    """
    return TaskContext(parse_kind(kind), name or kind)


class State(Enum):
    """Where a context is in its life: idle, busy, ended, idle again after the join."""

    IDLE = "idle"
    BUSY = "busy"
    ENDED = "ended"


class TaskContext:
    """Executes one function at a time, in a context of its own."""

    def __init__(self, kind: ContextKind, name: str) -> None:
        self.kind, self.name = kind, name
        self._lock = threading.Lock()  # guards the fields below
        self._state = State.IDLE
        self._context: ExecutionContext | None = None
        self._ended = threading.Event()
        self._outcome: Outcome[Any] | None = None

    def execute(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Self:
        """Begin to run ``function(*args, **kwargs)``. Returns itself.

        Raises:
            ContextError: It is still busy, or its last result was not joined.
            UsageError: This kind runs coroutine functions, and `function` is none.
            NotPicklable: The function has to be sent to a worker, and cannot be.
        """
        if registry.traits_of(self.kind).runs_coroutines:
            _check_coroutine(function, self.name)
        with self._lock:
            if self._state is not State.IDLE:
                raise ContextError(f"context {self.name!r} is {self._state.value}; join it first")
            self._state = State.BUSY
            self._ended.clear()
        try:
            context = self._opened(CallKernel(function, args, kwargs))
        except BaseException:  # nobody could ever join it
            self._state = State.IDLE
            raise
        if self.kind is ContextKind.INLINE:
            self._serve(context)
        return self

    def join(self, timeout: float | None = None) -> Any:
        """Wait for the function, and return its result. Can be called again.

        Raises:
            ContextError: Nothing was executed.
            TimeoutError: It has not ended within `timeout` seconds; it goes on.
            RunCancelled: It was terminated.
            Exception: What the function raised, with the worker's traceback.
        """
        if not self.executed:
            raise ContextError(f"context {self.name!r} has nothing to join; execute first")
        if not self._ended.wait(timeout):
            raise TimeoutError(f"context {self.name!r} has not ended within {timeout:g} s")
        with self._lock:
            if self._state is State.ENDED:
                self._state = State.IDLE
            outcome = self._outcome
        assert outcome is not None, "an ended context has an outcome"
        return unwrap(outcome)

    @property
    def executed(self) -> bool:
        """Whether there is something to join."""
        return self._outcome is not None or self._state is not State.IDLE

    def reset(self, name: str) -> None:
        """Forget the last result, for a new user under a new name.

        Raises:
            ContextError: It is busy.
        """
        with self._lock:
            if self._state is State.BUSY:
                raise ContextError(f"context {self.name!r} is busy; join it first")
            self.name, self._state, self._outcome = name, State.IDLE, None

    @property
    def alive(self) -> bool:
        """Whether the function is running."""
        return self._state is State.BUSY

    def terminate(self) -> None:
        """Stop the function, by force where the kind can. `join` then raises `RunCancelled`.

        A kind that cannot be stopped (inline, thread) is left to end; its result is dropped.
        """
        with self._lock:
            if self._state is not State.BUSY or self._context is None:
                return
            context = self._context
            if not context.traits.killable:
                self._finish(Cancelled("terminated"))
                return
        context.kill("terminated")
        self._ended.wait(EXIT_SECONDS)

    def _opened(self, kernel: CallKernel) -> ExecutionContext:
        """A context that serves already, on a thread of its own, unless it runs inline."""
        context, why = open_nearest(kernel, ContextSpec(self.kind))
        self._context = context
        try:
            if why is not None:
                warnings.warn(f"context {self.name!r}: {why}", PlanWarning, stacklevel=3)
            if self.kind is not ContextKind.INLINE:
                daemon_thread(self._serve, (context,), f"minigun-{self.name}").start()
        except BaseException:  # the system grants no more threads, or warnings are errors
            self._context = None
            context.close(Deadline.after(0.0))
            raise
        return context

    def _serve(self, context: ExecutionContext) -> None:
        leases = _OneLease()
        try:
            context.serve(leases, leases.answer)
            outcome = leases.outcome
        except ContextError as error:
            outcome = Cancelled(str(error))
        except BaseException as error:
            outcome = Failure(error)
        try:
            context.close(Deadline.after(EXIT_SECONDS))
        finally:
            with self._lock:
                if self._context is context:
                    self._finish(outcome)

    def _finish(self, outcome: Outcome[Any]) -> None:
        self._context = None
        self._state, self._outcome = State.ENDED, outcome
        self._ended.set()


class _OneLease:
    """A stream of one lease, and the outcome that its answer tells."""

    bound, has_room = False, True

    def __init__(self) -> None:
        self._given = self._answered = False
        self.outcome: Outcome[Any] = Cancelled("no answer")

    def receive(self, worker: int, most: int | None = None) -> Lease:
        if self._given:
            raise EndOfChannel("the one lease was given")
        self._given = True
        return Lease(0, [None])

    receive_nowait = receive

    def wait_time(self) -> float | None:
        """Nothing becomes due."""
        return None

    def on_ready(self, wake: Callable[[], None]) -> None:
        """It is ready, and does not change."""

    def wait_for_room(self) -> None:
        """There is."""

    def raise_if_cut(self) -> None:
        """Nobody cuts it: a context by itself is killed."""

    def answer(self, answer: Answer) -> None:
        match answer:
            case Done(_, harvest) if harvest.failures:
                self.outcome = Failure(harvest.failures[0].error)
            case Done(_, harvest):
                self.outcome = Success(next(iter(harvest.outputs[0])))
            case Died(_, _, error):
                self.outcome = Failure(error)
            case Returned(_, death):
                self.outcome = Failure(death or WorkerDied("the worker ended"))
            case Broken(error):
                self.outcome = Failure(error)


def _check_coroutine(function: Callable[..., Any], name: str) -> None:
    called = function if inspect.isroutine(function) else getattr(function, "__call__", function)  # noqa: B004
    if not (inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)):
        raise UsageError(
            f"context {name!r} runs coroutine functions, and {function!r} is none; write async "
            f"def, or use a thread"
        )

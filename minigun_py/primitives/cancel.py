"""A cancel token: a one-way flag that work looks at, and waits on, to learn that it should end.

Why: the end of a run has to reach everything that runs for it, and work with a time limit of
its own should end alone. So tokens form a tree: cancelling one cancels all below it, and
nothing above.

How::

    run = CancelToken()
    attempt = run.child(timeout=3)
    unregister = attempt.on_cancel(lambda: sender.abort("cancelled"))
    try:
        while not attempt.wait(0.1):        # or attempt.raise_if_cancelled()
            ...
    finally:
        unregister()

Deadlines are lazy: no timer thread stands behind them. A deadline that has passed takes effect,
callbacks and all, when somebody looks at the token (`cancelled`, `reason`, `raise_if_cancelled`,
`wait`, `on_cancel`); a loop that must act in time asks `remaining` how long it may sleep.

*Invariants*: a token once cancelled stays so, with its first reason, and so is every token below
it. A callback is called once, or never if it was unregistered in time. A parent knows its
children by weak references that remove themselves: what nobody holds is gone.

*Lock order*: one lock per tree, a leaf: callbacks run when it has been released. So do not look
at a token while you hold a lock that one of its callbacks takes.

*Threads*: everything may be called from any thread. `cancel` may be called from a signal handler
if the callbacks may: the lock is re-entrant, and whatever registers does so before it looks.
"""

# ruff: noqa: SLF001 - the tokens of a tree are of one class, and know each other's inside.

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Callable

from minigun_py.clock import SYSTEM_CLOCK, Clock, Deadline
from minigun_py.errors import RunCancelled

__all__ = ["CancelToken"]


class CancelToken:
    """The root of a tree of one-way flags; `child` gives the others."""

    __slots__ = (
        "__weakref__",
        "_callbacks",
        "_cancelled",
        "_changed",
        "_children",
        "_clock",
        "_deadline",
        "_parent",
        "_reason",
        "_timeout",
    )

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._parent: CancelToken | None = None
        self._timeout: float | None = None
        self._deadline = Deadline(None, clock)  # the nearest of this token and those above
        self._changed = threading.Condition()  # one per tree, notified at every cancel
        # Its lock guards the rest, but dead children leave without it: that is atomic anyway.
        self._cancelled = False
        self._reason: object = None
        self._callbacks: dict[object, Callable[[], None]] = {}
        self._children: set[weakref.ref[CancelToken]] = set()

    def child(self, *, timeout: float | None = None) -> CancelToken:
        """A token that is cancelled with this one, by itself, or `timeout` seconds from now."""
        child = CancelToken(self._clock)
        child._parent = self
        child._timeout = timeout
        child._deadline = self._sooner(timeout)
        child._changed = self._changed
        with self._changed:
            self._children.add(weakref.ref(child, self._children.discard))
            if self._cancelled:
                child._mark(self._reason)
        return child

    def cancel(self, reason: object = None) -> None:
        """Cancel this token and all below it, then call their callbacks. The first reason wins."""
        callbacks: list[Callable[[], None]] = []
        with self._changed:
            tokens = [self]
            while tokens:
                token = tokens.pop()
                if not token._cancelled:
                    callbacks += token._mark(reason)
                    tokens += token._living_children()
            self._changed.notify_all()
        for callback in callbacks:
            callback()

    @property
    def cancelled(self) -> bool:
        """Whether this token, or one above it, was cancelled or has passed its deadline."""
        if not self._cancelled and self._deadline.passed:
            self._expire()
        return self._cancelled

    @property
    def reason(self) -> object:
        """What the first `cancel` said, or which deadline passed; None while not cancelled."""
        return self._reason if self.cancelled else None

    def raise_if_cancelled(self) -> None:
        """Raise RunCancelled with the reason, if this token is cancelled."""
        if self.cancelled:
            raise RunCancelled(self._reason)

    def remaining(self) -> float | None:
        """Seconds to the nearest deadline of this token and those above it; None without one."""
        return self._deadline.remaining()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until cancelled, but no longer than `timeout` seconds; return whether cancelled."""
        deadline = self._sooner(timeout)
        with self._changed:
            while not self._cancelled and (remaining := deadline.remaining()) != 0:
                self._changed.wait(remaining and min(remaining, threading.TIMEOUT_MAX))
        return self.cancelled

    def on_cancel(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have `callback` called once when this token is cancelled, or at once if it is already.

        It runs in the thread that cancels, and holds no lock. It must be quick and must not
        raise: the exception would come out of `cancel`, and the callbacks after it be left out.

        Returns:
            A function that unregisters it. After a cancel that does nothing; the callback may
            then still be running in another thread.
        """
        key = object()
        with self._changed:
            self._callbacks[key] = callback
        if self.cancelled and self._forget(key):
            callback()

        def unregister() -> None:
            self._forget(key)

        return unregister

    def follow(self, other: CancelToken) -> Callable[[], None]:
        """Be cancelled when `other` is, with its reason, though it is of another tree.

        Returns:
            A function that ends this, as that of `on_cancel`.
        """
        return other.on_cancel(lambda: self.cancel(other.reason))

    def _forget(self, key: object) -> bool:
        """Unregister a callback; whether it was still there, so not called and never will be."""
        with self._changed:
            return self._callbacks.pop(key, None) is not None

    def _mark(self, reason: object) -> list[Callable[[], None]]:
        """Set the flag; return the callbacks that are due. Needs the lock."""
        self._reason = reason  # before the flag, which is read without the lock
        self._cancelled = True
        callbacks = list(self._callbacks.values())
        self._callbacks.clear()
        return callbacks

    def _living_children(self) -> list[CancelToken]:
        # The copy is atomic: another thread may drop a child in the middle of a Python loop.
        return [child for ref in self._children.copy() if (child := ref()) is not None]

    def _sooner(self, timeout: float | None) -> Deadline:
        """The moment `timeout` seconds from now, or this token's deadline if that comes first."""
        own = Deadline.after(timeout, self._clock)
        return min(self._deadline, own, key=_moment)

    def _expire(self) -> None:
        """Cancel the token whose deadline has passed: this one, or the one it inherited it from."""
        token = self
        while token._parent is not None and token._parent._deadline is token._deadline:
            token = token._parent
        token.cancel(f"deadline of {token._timeout:g} s passed")


def _moment(deadline: Deadline) -> float:
    return math.inf if deadline.at is None else deadline.at

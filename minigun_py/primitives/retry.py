"""How often a failed item is tried again, and how long it waits before. Pure.

The wait doubles from attempt to attempt, up to a bound. Half of it is left to chance, so that many
items that failed together do not come back together ("equal jitter": M. Brooker, *Exponential
Backoff And Jitter*, AWS Architecture Blog, 2015).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigun_py.errors import NotPicklable, UsageError
from minigun_py.record import record

__all__ = ["Retry"]


def _chance() -> float:
    import random  # here: it takes long to import

    return random.random()


@record
class Retry:
    """Tries an item again that has failed.

    Args:
        attempts: How often it is tried in all, the first time included.
        on: The errors that are worth another attempt.
        backoff: Seconds before the second attempt; twice as long before each that follows.
        max_backoff: The longest wait, in seconds.
        jitter: Whether half of each wait is left to chance.
        fresh_state: Whether the worker tears its state down, and sets it up anew, before it tries
            again: for what a failure leaves behind broken, as a connection.

    Raises:
        UsageError: A value makes no sense.
    """

    attempts: int
    on: type[BaseException] | tuple[type[BaseException], ...] = Exception
    backoff: float = 0.1
    max_backoff: float = 30.0
    jitter: bool = True
    fresh_state: bool = False

    def __post_init__(self) -> None:
        attempts: Any = self.attempts
        if isinstance(attempts, bool) or not isinstance(attempts, int) or attempts < 1:
            raise UsageError(f"Retry: attempts is a whole number from 1 on, not {attempts!r}")
        kinds: tuple[Any, ...] = self.on if isinstance(self.on, tuple) else (self.on,)
        if not all(isinstance(kind, type) and issubclass(kind, Exception) for kind in kinds):
            raise UsageError(f"Retry: on is an exception type, or a tuple of them, not {self.on!r}")
        for name in ("backoff", "max_backoff"):
            seconds: Any = getattr(self, name)
            if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
                raise UsageError(f"Retry: {name} is a number of seconds from 0 on, not {seconds!r}")

    def allows(self, error: BaseException, attempt: int) -> bool:
        """Whether an item that has failed in this attempt, the first being 1, is tried again."""
        # wrong use, and what cannot be pickled, does not get better by itself
        again = isinstance(error, self.on) and not isinstance(error, UsageError | NotPicklable)
        return again and attempt < self.attempts

    def wait(self, attempt: int, chance: Callable[[], float] = _chance) -> float:
        """Seconds until the attempt after this one. `chance` gives a number from 0 to 1."""
        whole = min(self.backoff * 2.0 ** min(attempt - 1, 1000), self.max_backoff)
        return whole * (0.5 + 0.5 * chance()) if self.jitter else whole

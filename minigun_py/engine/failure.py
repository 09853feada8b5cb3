"""What a failure means: whether the run ends, or the item is left out and the run goes on. Pure."""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Final

from minigun_py.errors import UsageError

__all__ = ["Action", "CrashBudget", "decide"]


class Action(Enum):
    """What becomes of a run in which an item failed."""

    FAIL = "fail"
    SKIP = "skip"


def decide(on_error: str, error: Exception) -> Action:
    """The stage's policy, but wrong use of the library is never skipped."""
    return Action.FAIL if isinstance(error, UsageError) else Action(on_error)


class CrashBudget:
    """How many workers of one stage may die before it is no accident any more."""

    DEATHS: Final = 5
    SECONDS: Final = 60.0

    def __init__(self) -> None:
        self._deaths: deque[float] = deque(maxlen=self.DEATHS + 1)

    def spend(self, now: float) -> bool:
        """Note a death. False when there were more than `DEATHS` within `SECONDS`."""
        self._deaths.append(now)
        return len(self._deaths) <= self.DEATHS or now - self._deaths[0] > self.SECONDS

"""What a failure means: the end of the run, or that the item is put aside. Pure."""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Any, ClassVar, Final

from minigun_py.errors import UsageError
from minigun_py.plan.options import OnError
from minigun_py.plan.stage import DeclaredStage
from minigun_py.record import record

__all__ = ["Action", "CrashBudget", "Policy"]


class Action(Enum):
    """What becomes of an item that has failed."""

    FAIL = "fail"
    SKIP = "skip"
    DEAD_LETTER = "dead_letter"


@record
class Policy:
    """What a stage makes of its failures.

    Attributes:
        on_error: A word, or a function of the `FailedItem` that gives one.
        most: So many failures are forgiven; below 1, so great a share of the items, as soon as
            there are `ENOUGH` of them. None forgives any number.
        delivers: Whether another stage gets what is a dead letter.
    """

    ENOUGH: ClassVar[int] = 100

    on_error: OnError = "fail"
    most: float | None = None
    delivers: bool = False

    @classmethod
    def of(cls, stage: DeclaredStage, over: OnError | None = None) -> Policy:
        """The policy of a stage, with what the run says `over` what it says itself."""
        if stage.cannot_go_on:
            return cls()
        said = stage.options
        return cls(over or said.policy, said.max_failures, said.dead_letter is not None)

    @property
    def goes_on(self) -> bool:
        """Whether a worker goes on after a failure, for all that it can know itself."""
        return self.on_error != "fail"

    def decide(self, failed: Any) -> Action:
        """What becomes of a `FailedItem`. Wrong use of the library is never forgiven.

        Raises:
            UsageError: The function gave none of the words.
            Exception: What the function raises.
        """
        if isinstance(failed.error, UsageError):
            return Action.FAIL
        word = self.on_error(failed) if callable(self.on_error) else self.on_error
        try:
            return Action(word)
        except ValueError:
            raise UsageError(
                f"on_error of stage {failed.stage!r} gave {word!r}; it gives 'fail', 'skip' or "
                "'dead_letter'"
            ) from None

    def forgives(self, failures: int, received: int) -> bool:
        """Whether so many failures, among so many items, are not too many."""
        if self.most is None:
            return True
        if not 0 < self.most < 1:
            return failures <= self.most
        return received < self.ENOUGH or failures <= self.most * received


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

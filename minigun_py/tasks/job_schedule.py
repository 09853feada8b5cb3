"""Which of some independent jobs begins next, and what became of each. Pure, but for its clock.

A job that fails is tried again as its `Retry` says; meanwhile it takes no place.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from minigun_py.clock import Clock
from minigun_py.events import Event, TaskEnded, TaskRetried, TaskStarted
from minigun_py.outcome import Cancelled, Failure, Outcome, Success, TimedOut
from minigun_py.primitives.retry import Retry
from minigun_py.record import record, replace
from minigun_py.tasks.task import Attempt, Lane, Task, Ticket

__all__ = ["JobSchedule"]


@record(frozen=False)
class _Begun:
    """A job that has begun at least once."""

    start: float
    at: float
    attempts: int = 1
    runs: bool = True


class JobSchedule:
    """The jobs of one call.

    Args:
        tasks: One for each job, in the order in which they may begin.
        places: How many may run at once.
        retry: When a failed job is tried again.
        stop: Is called with the error of the first job that has failed for good, if the others
            are not to go on then.
        clock: Measures.
        wall: Tells the time of day, in seconds since the epoch.
        tell: Is told what happens.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        places: int,
        retry: Retry | None,
        stop: Callable[[object], None] | None,
        clock: Clock,
        wall: Callable[[], float],
        tell: Callable[[Event], object] | None = None,
    ) -> None:
        self._tasks, self._free, self._retry, self._stop = tasks, places, retry, stop
        self._clock, self._wall, self._tell = clock, wall, tell
        self._fresh = deque(range(len(tasks)))
        self._again: list[tuple[float, int]] = []
        self._begun: dict[int, _Begun] = {}
        self._outcomes: dict[int, Outcome[Any]] = {}

    @property
    def finished(self) -> bool:
        """Whether every job has ended."""
        return len(self._outcomes) == len(self._tasks)

    def next(self) -> tuple[Lane, Ticket] | None:
        """Begin a job, if there is a place and one is due."""
        number = self._due() if self._free else None
        if number is None:
            return None
        self._free -= 1
        now, begun = self._clock.now(), self._begun.get(number)
        if begun is None:
            self._begun[number] = _Begun(self._wall(), now)
        else:
            begun.at, begun.attempts, begun.runs = now, begun.attempts + 1, True
        task = self._tasks[number]
        self._say(lambda: TaskStarted(now, task.name, self._begun[number].attempts))
        return task.lane, Ticket(number, number)

    def _due(self) -> int | None:
        if self._again and self._again[0][0] <= self._clock.now():
            return heapq.heappop(self._again)[1]
        return self._fresh.popleft() if self._fresh else None

    def ended(self, number: int, outcome: Attempt) -> None:
        """An attempt at a job has ended."""
        self._free += 1
        begun = self._begun[number]
        begun.runs = False
        if isinstance(outcome, Failure) and self._is_tried_again(outcome, begun):
            assert self._retry is not None
            wait, now = self._retry.wait(begun.attempts), self._clock.now()
            heapq.heappush(self._again, (now + wait, number))
            name, error = self._tasks[number].name, outcome.error
            self._say(lambda: TaskRetried(now, name, begun.attempts, error, wait))
            return
        self._settle(number, replace(outcome, duration=outcome.duration or self._elapsed(begun)))
        if self._stop is not None and not isinstance(outcome, Success):
            self._stop(outcome.error)

    def wait_time(self) -> float | None:
        """Seconds until a job is due for another attempt."""
        if not (self._again and self._free):
            return None
        return max(0.0, self._again[0][0] - self._clock.now())

    def outcomes(self, reason: object, too_long: float | None = None) -> list[Outcome[Any]]:
        """How each job ended, in their order. What has not ended was cancelled for this reason.

        If the reason is that all of them took longer than `too_long` seconds, those that ran by
        then have timed out.
        """
        for number in range(len(self._tasks)):
            if number not in self._outcomes:
                begun = self._begun.get(number)
                if begun is None:
                    self._settle(number, Cancelled(reason))
                    continue
                duration = self._elapsed(begun) if begun.runs else 0.0
                timed_out = too_long is not None and begun.runs
                left = TimedOut(too_long or 0.0) if timed_out else Cancelled(reason)
                self._settle(number, replace(left, duration=duration))
        return [self._outcomes[number] for number in range(len(self._tasks))]

    def _settle(self, number: int, outcome: Outcome[Any]) -> None:
        begun = self._begun.get(number)
        if begun is not None:
            outcome = replace(outcome, start=begun.start, attempts=begun.attempts)
        self._outcomes[number] = outcome
        self._say(lambda: TaskEnded(self._clock.now(), self._tasks[number].name, outcome))

    def _is_tried_again(self, outcome: Failure, begun: _Begun) -> bool:
        return self._retry is not None and self._retry.allows(outcome.error, begun.attempts)

    def _elapsed(self, begun: _Begun) -> float:
        return self._clock.now() - begun.at

    def _say(self, event: Callable[[], Event]) -> None:
        if self._tell is not None:
            self._tell(event())

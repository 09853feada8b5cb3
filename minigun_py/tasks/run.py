"""Runs the tasks of a schedule: a pipeline with a stage for each lane, or a loop in the caller.

::

    feed ──> lane "fork"   ──┐
         ──> lane "thread" ──┴──> feed

Since the schedule lets no more begin than a lane has workers, whatever begins is worked on at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any, Protocol

from minigun_py.contexts.event_loop import EventLoop
from minigun_py.engine.current import Current, entered
from minigun_py.errors import PipelineFailed, RunCancelled, RunTimedOut
from minigun_py.outcome import TimedOut
from minigun_py.pipeline import Pipeline
from minigun_py.primitives.cancel import CancelToken
from minigun_py.tasks.caller import AwaitingCaller, Caller
from minigun_py.tasks.feed import Feed, Schedule
from minigun_py.tasks.task import Attempt, Lane, Ticket
from minigun_py.tasks.warned import warnings_kept

__all__ = ["TaskRun"]


class Task(Protocol):
    """What a run has to know of a task."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def function(self) -> Callable[..., Any]:
        """What it calls."""
        ...


FEED, ENDS = "minigun-feed", "minigun-ends"


class TaskRun:
    """One run of the tasks of a schedule.

    Args:
        name: What errors and plans call it.
        tasks: All that the schedule may begin, by their numbers.
        workers: For each lane, how many of its tasks may be at work at once.
        schedule: Says what begins.
        token: Ends it all.
    """

    def __init__(
        self,
        name: str,
        tasks: Sequence[Task],
        workers: Mapping[Lane, int],
        schedule: Schedule,
        token: CancelToken,
    ) -> None:
        self._name, self._tasks, self._workers = name, tasks, workers
        self._schedule, self._token = schedule, token
        self._feed = Feed(schedule, token)

    def complete(self) -> PipelineFailed | None:
        """Run to the end. Returns what ended it, if that is not the schedule or the token.

        Raises:
            UsageError: A lane cannot be as it is said to be.
            PipelineFailed: Something went wrong that no task tells of.
            KeyboardInterrupt: After everything has ended.
        """
        forget, trouble = self._token.on_cancel(self._feed.wake), None
        try:
            if all(lane.execution == "inline" for lane in self._workers):
                self._loop()
            else:
                self._pipeline().run(cancel=self._token, observers=[self._feed.observe])
        except PipelineFailed as failed:
            trouble = failed
        except (RunCancelled, RunTimedOut):
            if not self._token.cancelled:
                raise
        finally:
            forget()
            for ended in self._feed.rest():
                self._schedule.ended(ended.number, ended.outcome)
        if trouble is not None and self._schedule.finished:
            raise trouble
        return trouble

    def _pipeline(self) -> Pipeline:
        pipe, feed = Pipeline(self._name), self._feed
        names = [lane.name for lane in self._workers]
        pipe.source(feed.tickets(), name=FEED, routes=names)
        for lane, workers in self._workers.items():
            pipe.processor(
                self._caller(lane),
                name=lane.name,
                execution=lane.execution,
                workers=workers,
                timeout=lane.timeout,
                chunk=1,
                on_error="skip",
                to=ENDS,
            )
        pipe.consumer(feed.take, name=ENDS)
        return pipe

    def _caller(self, lane: Lane) -> Caller:
        functions = [task.function for task in self._tasks]
        return AwaitingCaller(functions) if lane.waits else Caller(functions)

    def _loop(self) -> None:
        """One after the other, in the thread of the caller."""
        schedule, token = self._schedule, self._token
        callers = {lane: self._caller(lane) for lane in self._workers}
        events, here = EventLoop(), _Here(self._tasks, token)
        with entered(here), closing(events), warnings_kept() as warned:
            last, outcome_of = None, None
            while not (schedule.finished or token.cancelled):
                begun = schedule.next()
                if begun is None:
                    token.wait(schedule.wait_time())
                    continue
                lane, ticket = begun
                if lane is not last or outcome_of is None:
                    last, outcome_of = lane, callers[lane].outcome
                here.ticket = ticket
                outcome: Attempt = outcome_of(ticket, warned)
                if lane.waits:
                    outcome = events.run(outcome)  # type: ignore[arg-type]
                if lane.timeout is not None:
                    outcome = _in_time(outcome, lane.timeout)
                if warned:
                    warned.clear()
                schedule.ended(ticket.number, outcome)


class _Here:
    """What `current()` asks where tasks are called by the caller."""

    sets_up = False

    def __init__(self, tasks: Sequence[Task], token: CancelToken) -> None:
        self._tasks, self._token = tasks, token
        self.ticket = Ticket(0, 0)

    def current_at(self, line: int | None) -> Current:
        """The task that is called now; to drain is to begin no other."""
        return Current(self._tasks[self.ticket.task].name, 1, 1, self._token, self._token.cancel)


def _in_time(outcome: Attempt, limit: float) -> Attempt:
    """The same, unless it took too long: here nobody can stop it."""
    if outcome.duration <= limit:
        return outcome
    return TimedOut(limit, duration=outcome.duration, warnings=outcome.warnings)

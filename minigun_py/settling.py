"""Settle: call named jobs side by side, and tell of each how it ended, whatever becomes of others.

How::

    settled = settle({"ios": build_ios, "web": build_web}, max_concurrency=2, timeout=300)
    settled["web"]                    # Success(value=...), Failure(error=...), TimedOut, Cancelled
    settled.raise_failures()

It is a pipeline with one item for each job, that gives out a job as soon as there is a free place
for it; the decisions are made in `JobSchedule`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any, Literal, TypedDict, TypeVar, Unpack, overload

from minigun_py.clock import SYSTEM_CLOCK, Clock
from minigun_py.errors import UsageError
from minigun_py.events import Observer, Observers
from minigun_py.plan.options import Options, check_positive, check_seconds, checked_options, nearest
from minigun_py.primitives.cancel import CancelToken
from minigun_py.primitives.retry import Retry
from minigun_py.settled import Settled
from minigun_py.tasks.job_schedule import JobSchedule
from minigun_py.tasks.run import TaskRun
from minigun_py.tasks.task import Task, lane_for

__all__ = ["ParallelExecutor", "asettle", "settle"]

T = TypeVar("T")

MOST_AT_ONCE = 32
"""So many jobs run at once at most, if nothing is said."""

Jobs = Mapping[str, Callable[[], Any]] | Iterable[str]


class _OtherOptions(TypedDict, total=False):
    total_timeout: float | None
    execution: str | None
    continue_on_failure: bool
    retry: int | Retry | None
    progress: Observer | Iterable[Observer]
    clock: Clock


class _Options(_OtherOptions, total=False):
    max_concurrency: int | None
    timeout: float | None


_KNOWN = (
    "max_concurrency",
    "timeout",
    "total_timeout",
    "execution",
    "continue_on_failure",
    "retry",
    "progress",
    "clock",
)


class _AllOptions(_Options, total=False):
    cancel: CancelToken | None


@overload
def settle(
    jobs: Mapping[str, Callable[[], Awaitable[T]]], /, **options: Unpack[_AllOptions]
) -> Settled[T]: ...
@overload
def settle(
    jobs: Mapping[str, Callable[[], T]], /, **options: Unpack[_AllOptions]
) -> Settled[T]: ...
@overload
def settle(
    jobs: Iterable[str], function: Callable[[str], Awaitable[T]], /, **options: Unpack[_AllOptions]
) -> Settled[T]: ...
@overload
def settle(
    jobs: Iterable[str], function: Callable[[str], T], /, **options: Unpack[_AllOptions]
) -> Settled[T]: ...
def settle(
    jobs: Jobs,
    function: Callable[[str], Any] | None = None,
    /,
    *,
    cancel: CancelToken | None = None,
    **options: Unpack[_Options],
) -> Settled[Any]:
    """Call every job, and tell how each ended.

    Args:
        jobs: Functions without arguments by name; or names, each of which `function` is called
            with. Functions written with ``async def`` are awaited.
        function: Called for every name.
        cancel: Ends it all when it is cancelled.
        **options: As of `ParallelExecutor`.

    Raises:
        UsageError: At once, for an argument that makes no sense.

    Example:
        >>> from minigun_py import settle
        >>> settled = settle({"one": lambda: 1, "none": lambda: 1 / 0})
        >>> settled["one"].value, settled["none"].errors[0].message, settled.ok
        (1, 'division by zero', False)
    """
    return ParallelExecutor(**options).execute(jobs, function, cancel=cancel)


async def asettle(
    jobs: Jobs,
    function: Callable[[str], Any] | None = None,
    /,
    *,
    cancel: CancelToken | None = None,
    **options: Unpack[_Options],
) -> Settled[Any]:
    """As `settle`, awaited. A task that is cancelled cancels the jobs."""
    return await ParallelExecutor(**options).aexecute(jobs, function, cancel=cancel)


class ParallelExecutor:
    """Calls named jobs side by side, each time that it is asked to.

    Args:
        max_concurrency: How many jobs run at once; all of them if nothing is said, but no more
            than 32. A place that becomes free is filled at once.
        timeout: Seconds that each attempt at a job may take. A job that takes longer is stopped.
        total_timeout: Seconds for all of them together.
        execution: The kind of context. If nothing is said: coroutines for coroutine functions; for
            others threads, or with a `timeout` a kind that can be stopped.
        continue_on_failure: Whether the others go on when a job has failed. If not, those that run
            are cancelled, and no other begins.
        retry: How often a job is tried in all, or a `Retry`.
        progress: What is called with `TaskStarted`, `TaskRetried` and `TaskEnded`, or several.

    Raises:
        UsageError: One of them makes no sense.
    """

    def __init__(
        self,
        max_concurrency: int | None = None,
        timeout: float | None = None,
        **options: Unpack[_OtherOptions],
    ) -> None:
        said: _Options = {"max_concurrency": max_concurrency, "timeout": timeout, **options}
        _check(said)
        self._said, self._token = said, CancelToken()

    def execute(
        self,
        jobs: Jobs,
        function: Callable[[str], Any] | None = None,
        *,
        cancel: CancelToken | None = None,
    ) -> Settled[Any]:
        """Call every job, and tell how each ended; arguments as of `settle`."""
        return self._settling(jobs, function, cancel).run()

    async def aexecute(
        self,
        jobs: Jobs,
        function: Callable[[str], Any] | None = None,
        *,
        cancel: CancelToken | None = None,
    ) -> Settled[Any]:
        """As `execute`, awaited."""
        return await self._settling(jobs, function, cancel).arun()

    def cancel(self, reason: object = None) -> None:
        """Cancel the jobs that run or wait just now. From any thread."""
        token, self._token = self._token, CancelToken()
        token.cancel(reason)

    def _settling(
        self, jobs: Jobs, function: Callable[[str], Any] | None, cancel: CancelToken | None
    ) -> _Settling:
        tokens = [self._token] if cancel is None else [self._token, cancel]
        return _Settling(_functions(jobs, function), self._said, tokens)


class _Settling:
    """One call."""

    def __init__(
        self,
        functions: Mapping[str, Callable[[], Any]],
        said: _Options,
        tokens: Iterable[CancelToken],
    ) -> None:
        clock = said.get("clock", SYSTEM_CLOCK)
        self._names, self._clock, self._total = list(functions), clock, said.get("total_timeout")
        self._token = CancelToken(clock).child(timeout=self._total)
        self._forget = [self._token.follow(token) for token in tokens]
        timeout, execution = said.get("timeout"), said.get("execution")
        tasks = [Task(n, lane_for(f, execution, timeout), f) for n, f in functions.items()]
        places = said.get("max_concurrency") or min(len(tasks), MOST_AT_ONCE)
        goes_on = said.get("continue_on_failure", True)
        observers = Observers(_listed(said.get("progress", ())))
        self._schedule = JobSchedule(
            tasks,
            places,
            _as_of_a_stage(said).retry,
            None if goes_on else self._token.cancel,
            clock,
            time.time,
            observers.send if observers else None,
        )
        lanes = Counter(task.lane for task in tasks)
        workers = {lane: min(count, places) for lane, count in lanes.items()}
        self._run = TaskRun("settle", tasks, workers, self._schedule, self._token)

    def run(self) -> Settled[Any]:
        began = self._clock.now()
        try:
            trouble = self._run.complete()
        finally:
            for forget in self._forget:
                forget()
        expired = self._token.cancelled and self._token.remaining() == 0
        outcomes = self._schedule.outcomes(
            trouble or self._token.reason, self._total if expired else None
        )
        return Settled(dict(zip(self._names, outcomes, strict=True)), self._clock.now() - began)

    async def arun(self) -> Settled[Any]:
        from minigun_py.engine.awaiting import LEFT, in_thread  # here: asyncio is long to import

        return await in_thread(self.run, lambda: self._token.cancel(LEFT))


def _check(said: _Options) -> None:
    """Raise `UsageError` for what makes no sense, or is not known."""
    for name in said:
        if name not in _KNOWN:
            raise UsageError(f"settle: there is no option {name!r}{nearest(name, _KNOWN)}")
    places = said.get("max_concurrency")
    if places is not None:
        check_positive("max_concurrency", places, "settle")
    check_seconds("total_timeout", said.get("total_timeout"), "settle")
    _as_of_a_stage(said)


def _as_of_a_stage(said: _Options) -> Options:
    """What is said as it would be of a stage. Raises `UsageError`."""
    shared: tuple[Literal["timeout", "execution", "retry"], ...] = ("timeout", "execution", "retry")
    return checked_options({name: said.get(name) for name in shared}, "settle")


def _listed(progress: Observer | Iterable[Observer]) -> list[Observer]:
    return [progress] if callable(progress) else list(progress)


def _functions(jobs: Jobs, function: Callable[[str], Any] | None) -> dict[str, Callable[[], Any]]:
    """The functions by name. Raises `UsageError`."""
    if isinstance(jobs, Mapping):
        if function is not None:
            raise UsageError("settle: jobs are functions by name, or names and one function")
        for name, job in jobs.items():
            if not callable(job):
                raise UsageError(
                    f"settle: job {name!r} is a function without arguments, not {job!r}"
                )
        return dict(jobs)
    if isinstance(jobs, str) or not isinstance(jobs, Iterable):
        raise UsageError(f"settle: jobs are functions by name, or several names, not {jobs!r}")
    if not callable(function):
        raise UsageError(
            f"settle: names need a function that is called with each, not {function!r}"
        )
    names = list(jobs)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UsageError(f"settle: there are two jobs called {twice[0]!r}; give each its own name")
    return {name: partial(function, name) for name in names}

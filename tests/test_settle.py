"""Settle: every job has its ending, in the given order, whatever becomes of the others."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faults.kinds import KINDS, kinds_that, traits_for
from minigun_py import (
    CancelToken,
    NotPicklable,
    ParallelExecutor,
    Retry,
    UsageError,
    WorkerDied,
    asettle,
    current,
    settle,
)
from minigun_py.errors import JobCancelled
from minigun_py.events import Event, TaskEnded, TaskRetried, TaskStarted
from minigun_py.outcome import Cancelled, Failure, Success, TimedOut

MOMENT = 30.0
"""How long something may take that comes at once."""
FOR_EVER = 1000.0

in_every_kind = pytest.mark.parametrize("kind", KINDS)


def one() -> int:
    return 1


def nothing() -> None: ...


def wrong() -> int:
    raise ValueError("wrong")


def exits() -> None:
    sys.exit(3)


def cancels() -> None:
    raise asyncio.CancelledError


def hang() -> None:
    time.sleep(FOR_EVER)


def careful() -> str:
    warnings.warn("careful", UserWarning, stacklevel=1)
    return "done"


def for_kind(kind: str, function: Callable[[], Any]) -> Callable[[], Any]:
    """The same as a coroutine function, where these are wanted."""
    if not traits_for(kind).runs_coroutines:
        return function

    async def awaited() -> Any:
        if function is hang:
            await asyncio.sleep(FOR_EVER)
        return function()

    return awaited


def jobs_for(kind: str, **jobs: Callable[[], Any]) -> dict[str, Callable[[], Any]]:
    return {name: for_kind(kind, job) for name, job in jobs.items()}


# ----------------------------------------------------------------- how jobs end


@in_every_kind
def test_every_job_has_its_result_in_the_given_order(kind: str) -> None:
    jobs = jobs_for(kind, nothing=nothing, wrong=wrong, careful=careful, one=one)
    settled = settle(jobs, execution=kind)
    assert list(settled) == list(settled.results) == ["nothing", "wrong", "careful", "one"]
    assert settled.values == {"nothing": None, "careful": "done", "one": 1}
    failed = settled["wrong"]
    assert isinstance(failed, Failure)
    assert isinstance(failed.error, ValueError)
    assert (settled.success_count, settled.failure_count, len(settled)) == (3, 1, 4)
    assert (settled.ok, settled.all_completed) == (False, True)
    assert [warned.message for warned in settled["careful"].warnings] == ["careful"]
    for result in settled.results.values():
        assert result.start is not None
        assert (result.attempts, result.duration > 0) == (1, True)


@in_every_kind
def test_a_job_that_exits_or_cancels_what_nobody_cancelled_ends_alone(kind: str) -> None:
    jobs = jobs_for(kind, exits=exits, cancels=cancels, one=one)
    settled = settle(jobs, execution=kind)
    assert settled.values == {"one": 1}
    died = settled["exits"].error
    assert isinstance(died, WorkerDied)
    assert died.status == 3
    assert "nobody had cancelled it" in str(settled["cancels"].error)


def test_names_and_one_function() -> None:
    settled = settle(["ios", "web"], str.upper)
    assert (settled.values, settled.ok) == ({"ios": "IOS", "web": "WEB"}, True)


def test_functions_and_coroutine_functions_may_stand_together() -> None:
    async def slowly() -> int:
        await asyncio.sleep(0)
        return 2

    assert settle({"one": one, "two": slowly}).values == {"one": 1, "two": 2}


@pytest.mark.parametrize("kind", ["inline", "thread"])
def test_they_may_stand_together_in_one_kind_too(kind: str) -> None:
    async def slowly() -> int:
        await asyncio.sleep(0)
        return 2

    assert settle({"one": one, "two": slowly}, execution=kind).values == {"one": 1, "two": 2}


def test_no_job_is_settled_at_once() -> None:
    settled = settle({})
    assert (settled.ok, settled.all_completed, len(settled)) == (True, True, 0)


def test_a_thousand_jobs_are_settled() -> None:
    settled = settle([str(n) for n in range(1000)], int)
    assert list(settled.values.values()) == list(range(1000))


@kinds_that("survives_crash")
def test_a_job_whose_worker_dies_takes_no_other_with_it(kind: str) -> None:
    settled = settle({"one": one, "dies": lambda: os._exit(3), "two": one}, execution=kind)
    died = settled["dies"]
    assert isinstance(died, Failure)
    assert isinstance(died.error, WorkerDied)
    assert settled.values == {"one": 1, "two": 1}


@kinds_that("not shares_memory")
def test_a_value_that_cannot_cross_is_a_failure(kind: str) -> None:
    settled = settle({"lock": threading.Lock, "one": one}, execution=kind)
    failed = settled["lock"]
    assert isinstance(failed, Failure)
    assert isinstance(failed.error, NotPicklable)
    assert settled.values == {"one": 1}


class Odd(Exception):
    """Cannot be rebuilt from its args."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__("odd")


def be_odd() -> None:
    raise Odd(1, 2)


@in_every_kind
def test_an_error_that_cannot_cross_is_told_all_the_same(kind: str) -> None:
    [result] = settle(jobs_for(kind, odd=be_odd), execution=kind).results.values()
    assert "odd" in result.errors[0].message


# ----------------------------------------------------------------- places


def test_three_jobs_meet() -> None:
    barrier = threading.Barrier(3)
    settled = settle(["a", "b", "c"], lambda name: barrier.wait(MOMENT) >= 0)
    assert settled.values == {"a": True, "b": True, "c": True}


def test_where_there_are_two_places_three_cannot_meet_and_the_time_out_stops_them() -> None:
    barrier = asyncio.Barrier(3)

    async def meet(name: str) -> None:
        await barrier.wait()

    settled = settle(["a", "b", "c"], meet, max_concurrency=2, timeout=0.2)
    assert [type(result) for result in settled.results.values()] == [TimedOut] * 3
    assert (settled.success_count, settled.all_completed) == (0, False)


def test_a_free_place_is_filled_at_once() -> None:
    fourth = threading.Event()

    def job(name: str) -> bool:
        if name == "fourth":
            fourth.set()
        return name == "first" or fourth.wait(MOMENT)

    names = ["first", "second", "third", "fourth"]
    settled = settle(names, job, max_concurrency=3)
    assert settled.values == dict.fromkeys(names, True)


# ----------------------------------------------------------------- time


@kinds_that("killable", "not one_lease_each")
def test_a_job_that_takes_too_long_is_stopped_and_the_others_are_not(kind: str) -> None:
    settled = settle(jobs_for(kind, one=one, hang=hang, two=one), timeout=0.5, execution=kind)
    hung = settled["hang"]
    assert isinstance(hung, TimedOut)
    assert (hung.seconds, hung.attempts) == (0.5, 1)
    assert hung.errors[0].suggestions
    assert settled.values == {"one": 1, "two": 1}


def test_with_a_time_out_and_no_kind_one_is_taken_that_can_be_stopped() -> None:
    assert isinstance(settle({"hang": hang}, timeout=0.2)["hang"], TimedOut)


def test_threads_cannot_be_stopped_so_a_time_out_is_refused_for_them() -> None:
    with pytest.raises(UsageError, match="timeout"):
        settle({"one": one}, timeout=1, execution="thread")


def test_inline_a_job_is_late_when_it_has_ended() -> None:
    settled = settle(
        {"late": lambda: time.sleep(0.01), "one": one}, timeout=0.001, execution="inline"
    )
    assert isinstance(settled["late"], TimedOut)
    assert settled["one"] == Success(1, **times_of(settled["one"]))


def times_of(result: Any) -> dict[str, Any]:
    return {"start": result.start, "duration": result.duration}


def test_all_together_may_take_only_so_long() -> None:
    jobs = {"one": one, "hang": hang, "other": hang, "later": one}
    settled = settle(jobs, total_timeout=1, max_concurrency=2, execution="fork")
    kinds = [type(result) for result in settled.results.values()]
    assert kinds == [Success, TimedOut, TimedOut, Cancelled]
    assert settled["later"].start is None


# ----------------------------------------------------------------- failures and cancels


def test_where_the_others_do_not_go_on_the_failure_is_the_reason() -> None:
    jobs = {"hang": hang, "wrong": wrong, "later": one}
    settled = settle(jobs, continue_on_failure=False, max_concurrency=2, execution="fork")
    failed, later, hung = settled["wrong"], settled["later"], settled["hang"]
    assert isinstance(failed, Failure)
    assert isinstance(later, Cancelled)
    assert isinstance(hung, Cancelled)
    assert later.reason is hung.reason is failed.error
    assert (later.attempts, hung.attempts) == (0, 1)


def test_a_running_thread_sees_that_it_is_cancelled() -> None:
    def patient() -> None:
        assert current().cancel.wait(MOMENT)

    settled = settle({"patient": patient, "wrong": wrong}, continue_on_failure=False)
    assert isinstance(settled["patient"], Cancelled | Success)


@in_every_kind
def test_a_token_that_is_cancelled_already_lets_nothing_begin(kind: str) -> None:
    token = CancelToken()
    token.cancel("enough")
    [result] = settle(jobs_for(kind, one=one), execution=kind, cancel=token).results.values()
    assert result == Cancelled("enough")


def test_a_token_ends_what_runs() -> None:
    token = CancelToken()

    def told(event: Event) -> None:
        if isinstance(event, TaskStarted):
            token.cancel("enough")

    [result] = settle(
        {"hang": hang}, execution="fork", cancel=token, progress=told
    ).results.values()
    assert isinstance(result, Cancelled)
    assert result.reason == "enough"


def test_an_executor_can_be_cancelled_and_used_again() -> None:
    executor = ParallelExecutor(execution="fork", progress=lambda event: executor.cancel("enough"))
    cancelled = executor.execute(["a"], lambda name: hang())
    assert isinstance(cancelled["a"], Cancelled)
    again = ParallelExecutor(max_concurrency=1)
    again.cancel()
    assert again.execute(["a"], str.upper).values == {"a": "A"}


@in_every_kind
def test_a_job_that_fails_is_tried_again(kind: str) -> None:
    jobs = jobs_for(kind, wrong=wrong, one=one)
    settled = settle(jobs, retry=Retry(3, backoff=0), execution=kind)
    assert (settled["wrong"].attempts, settled["one"].attempts) == (3, 1)


def test_what_is_wrong_is_raised_together() -> None:
    settled = settle({"one": one, "wrong": wrong, "late": hang}, timeout=0.2)
    with pytest.raises(ExceptionGroup, match="2 of 3 jobs") as caught:
        settled.raise_failures()
    failed, late = caught.value.exceptions
    assert isinstance(failed, ValueError)
    assert isinstance(late, TimeoutError)
    assert failed.__notes__[-1:] == ["in job 'wrong'"]
    settle({"one": one}).raise_failures()


def test_a_cancelled_job_is_raised_with_its_reason() -> None:
    token = CancelToken()
    token.cancel("enough")
    with pytest.raises(ExceptionGroup) as caught:
        settle({"one": one}, cancel=token).raise_failures()
    [error] = caught.value.exceptions
    assert isinstance(error, JobCancelled)
    assert str(error) == "job 'one' was cancelled: enough"


# ----------------------------------------------------------------- what is told


def test_errors_have_words_and_suggestions() -> None:
    settled = settle({"lost": Path("/no/such/file").read_text, "wrong": wrong})
    [lost], [silent] = settled["lost"].errors, settled["wrong"].errors
    assert "/no/such/file" in lost.message
    assert "path" in lost.suggestions[0]
    assert (silent.message, silent.suggestions) == ("wrong", ())


def test_jobs_side_by_side_have_only_their_own_warnings(recwarn: pytest.WarningsRecorder) -> None:
    barrier = threading.Barrier(3)

    def job(name: str) -> None:
        barrier.wait(MOMENT)
        warnings.warn(name, UserWarning, stacklevel=1)
        barrier.wait(MOMENT)

    settled = settle(["a", "b", "c"], job)
    assert {n: [w.message for w in r.warnings] for n, r in settled.results.items()} == {
        "a": ["a"],
        "b": ["b"],
        "c": ["c"],
    }
    assert str(settled["a"].warnings[0]).endswith("UserWarning: a")
    warnings.warn("of others", UserWarning, stacklevel=1)
    assert [str(warned.message) for warned in recwarn] == ["of others"]


def test_progress_is_told_and_cannot_break_anything() -> None:
    told: list[Event] = []

    def broken(event: Event) -> None:
        raise RuntimeError("broken")

    with pytest.warns(RuntimeWarning, match="broken"):
        settle({"wrong": wrong}, retry=Retry(2, backoff=0), progress=[told.append, broken])
    assert [type(event) for event in told] == [TaskStarted, TaskRetried, TaskStarted, TaskEnded]


# ----------------------------------------------------------------- in asyncio


def test_it_can_be_awaited() -> None:
    async def main() -> Any:
        return await asettle({"one": one, "wrong": wrong})

    assert asyncio.run(main()).values == {"one": 1}


def test_a_task_that_is_cancelled_cancels_the_jobs() -> None:
    begun = threading.Event()
    told: list[Event] = []

    def tell(event: Event) -> None:
        told.append(event)
        begun.set()

    async def main() -> None:
        task = asyncio.ensure_future(asettle({"hang": hang}, execution="fork", progress=tell))
        await asyncio.to_thread(begun.wait, MOMENT)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert isinstance(told[-1], TaskEnded)
    assert isinstance(told[-1].outcome, Cancelled)


# ----------------------------------------------------------------- wrong use


@pytest.mark.parametrize(
    ("args", "options", "told"),
    [
        (({"a": one}, one), {}, "functions by name, or names and one function"),
        (({"a": 5},), {}, "job 'a' is a function without arguments, not 5"),
        (("abc", one), {}, "several names, not 'abc'"),
        ((5, one), {}, "several names, not 5"),
        ((["a"],), {}, "names need a function"),
        ((["a", "b", "a"], one), {}, "two jobs called 'a'"),
        (({"a": one},), {"max_concurrency": 0}, "max_concurrency is a whole number from 1 on"),
        (({"a": one},), {"timeout": 0}, "timeout is a number of seconds above 0"),
        (({"a": one},), {"total_timeout": -1}, "total_timeout is a number of seconds above 0"),
        (({"a": one},), {"execution": "forks"}, "forks"),
        (({"a": one},), {"retry": 0}, "attempts"),
        (({"a": one},), {"retry": "often"}, "retry is the number of attempts"),
        (({"a": one},), {"workers": 2}, "there is no option 'workers'"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(args: Any, options: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        settle(*args, **options)

"""A stage with a retry tries an item again that has failed, in every kind of context."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from faults.kinds import KINDS, AnyPipeline
from minigun_py import FailedItem, Job, Pipeline, PipelineFailed, Retry, current, processor
from minigun_py.events import Event, ItemRetried

SOON = Retry(3, backoff=0.001)
each_kind = pytest.mark.parametrize("kind", KINDS)
each_process = pytest.mark.parametrize("kind", ["fork", "cow_fork", "process"])


def until(attempt: int) -> Callable[[int], tuple[int, int]]:
    """A stage that fails on multiples of three before this attempt."""

    def stage(n: int) -> tuple[int, int]:
        if n % 3 == 0 and current().attempt < attempt:
            raise ValueError(n)
        return n, current().attempt

    return stage


def built(kind: str, function: Callable[[int], Any], **options: Any) -> Pipeline:
    pipe = AnyPipeline("p", kind)
    pipe.source(range(7), name="numbers")
    pipe.processor(function, name="stage", **({"retry": SOON} | options))
    return pipe


@each_kind
def test_an_item_that_fails_is_tried_again_and_its_result_comes_once(kind: str) -> None:
    out = built(kind, until(3)).collect()
    assert sorted(out) == [(n, 3 if n % 3 == 0 else 1) for n in range(7)]


@each_kind
def test_the_books_count_the_attempts_that_were_followed_by_another(kind: str) -> None:
    report = built(kind, until(3)).run()
    assert (report["stage"].received, report["stage"].completed) == (7, 7)
    assert report["stage"].retried == 6


@each_kind
def test_after_the_last_attempt_the_policy_decides(kind: str) -> None:
    pipe = built(kind, until(4), on_error="skip")
    report = pipe.run()
    assert (report["stage"].completed, report["stage"].skipped) == (4, 3)
    assert {(f.item, f.attempts) for f in report.failures} == {(0, 3), (3, 3), (6, 3)}


@each_kind
def test_the_error_that_is_raised_names_the_attempt(kind: str) -> None:
    with pytest.raises(PipelineFailed) as failed:
        built(kind, until(4)).run()
    notes = failed.value.exceptions[0].__notes__
    assert any("attempt 3" in note for note in notes)


@each_kind
def test_order_is_kept_across_attempts(kind: str) -> None:
    out = built(kind, until(2), ordered=True, workers=1 if kind == "inline" else 2).collect()
    assert [n for n, _ in out] == list(range(7))


@each_process
def test_an_item_whose_worker_died_is_tried_again(kind: str) -> None:
    def deadly(n: int) -> int:
        if n == 3 and current().attempt == 1:
            os._exit(7)
        return n

    report = built(kind, deadly).run()
    assert (report["stage"].completed, report["stage"].retried) == (7, 1)


@each_process
def test_order_is_kept_when_a_worker_dies_and_its_item_is_tried_again(kind: str) -> None:
    def deadly(n: int) -> int:
        if n in (0, 4) and current().attempt == 1:
            os._exit(7)
        return n

    assert built(kind, deadly, ordered=True, workers=2).collect() == list(range(7))


def test_errors_that_the_retry_is_not_for_fail_at_once() -> None:
    pipe = built("thread", until(2), retry=Retry(3, on=KeyError), on_error="skip")
    report = pipe.run()
    assert (report["stage"].retried, report["stage"].skipped) == (0, 3)


def test_a_number_is_the_number_of_attempts() -> None:
    pipe = Pipeline("p")
    pipe.source([1])
    stage = pipe.processor(until(1), name="stage", retry=2)
    assert stage
    assert pipe["stage"].options.retry == Retry(2)


def test_a_waiting_item_occupies_no_worker() -> None:
    order: list[int] = []

    def stage(n: int) -> None:
        if n == 0 and current().attempt == 1:
            raise ValueError(n)
        order.append(n)

    built("thread", stage, workers=1, retry=Retry(2, backoff=0.2), chunk=1).run()
    assert order == [1, 2, 3, 4, 5, 6, 0]


def test_a_cut_leaves_nobody_waiting_and_the_books_balance() -> None:
    def stage(n: int) -> None:
        if n == 5:
            raise KeyError(n)
        raise ValueError(n)

    pipe = built("thread", stage, retry=Retry(2, on=ValueError, backoff=1000, max_backoff=1000))
    with pytest.raises(PipelineFailed) as failed:
        pipe.run()
    assert [type(error) for error in failed.value.exceptions] == [KeyError]
    book = failed.value.report["stage"]
    assert (book.failed, book.received) == (1, 1 + book.cancelled)


def test_hooks_hear_of_the_last_failure_and_observers_of_each() -> None:
    failures: list[FailedItem[Any]] = []
    events: list[Event] = []
    pipe = built("thread", until(4), on_error="skip")
    pipe.on_failure(failures.append)
    pipe.run(observers=[events.append])
    assert sorted(failed.item for failed in failures) == [0, 3, 6]
    retried = [(e.item, e.attempt) for e in events if isinstance(e, ItemRetried)]
    assert sorted(retried) == [(n, attempt) for n in (0, 3, 6) for attempt in (1, 2)]


def test_a_job_can_say_it_for_all_its_stages() -> None:
    class Twice(Job):
        retry = 2

        @processor
        def stage(self, n: int) -> tuple[int, int]:
            return until(2)(n)

    assert sorted(Twice().pipe.collect(range(4))) == [(0, 2), (1, 1), (2, 1), (3, 2)]


def test_a_stage_behind_one_that_retries_does_not_make_it_retry() -> None:
    calls: list[int] = []

    def first(n: int) -> int:
        calls.append(n)
        return n

    pipe = built("thread", first, on_error="skip")
    pipe.processor(until(2), name="second", on_error="skip")
    report = pipe.run()
    assert sorted(calls) == list(range(7))
    assert (report["stage"].retried, report["second"].skipped) == (0, 3)

"""What becomes of items that fail: the run ends, or they are put aside, and none gets lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from faults.deeds import end_badly
from faults.kinds import KINDS, AnyPipeline, kinds_that
from minigun_py import (
    FailedItem,
    Pipeline,
    PipelineFailed,
    Retry,
    To,
    TooManyFailures,
    UsageError,
)

BAD = (5, 17)
in_every_kind = pytest.mark.parametrize("kind", KINDS)


class Bad(Exception):
    """What a bad item raises."""


def check(number: int) -> int:
    if number in BAD:
        raise Bad(number)
    return number


def seen(failed: FailedItem[Any]) -> tuple[Any, ...]:
    return "failed", failed.item, failed.stage, type(failed.error).__name__, failed.attempts


def good(outputs: list[Any]) -> list[int]:
    return sorted(output for output in outputs if isinstance(output, int))


def letters(outputs: list[Any]) -> list[tuple[Any, ...]]:
    return sorted(output for output in outputs if isinstance(output, tuple))


def run_of(pipe: Pipeline, **options: Any) -> tuple[list[Any], Any]:
    with pipe.stream(**options) as stream:
        outputs = list(stream)
    return outputs, stream.report


# --------------------------------------------------------------------------- dead letters


@in_every_kind
def test_a_dead_letter_goes_to_the_stage_that_is_named(kind: str) -> None:
    pipe = AnyPipeline("letters", kind)
    pipe.source(range(40))
    pipe.processor(check, dead_letter="bad", to=[])
    pipe.consumer(seen, name="bad", execution="inline")
    outputs, report = run_of(pipe)
    assert good(outputs) == sorted({*range(40)} - {*BAD})
    assert letters(outputs) == [("failed", n, "check", "Bad", 1) for n in BAD]
    assert (report["check"].dead_lettered, report["bad"].received) == (2, 2)
    assert [failed.item for failed in report.failures] == sorted(BAD)
    assert report.failed_items == ()


@in_every_kind
def test_without_such_a_stage_the_report_keeps_them(kind: str) -> None:
    pipe = AnyPipeline("kept", kind)
    pipe.source(range(40))
    pipe.processor(check, on_error="dead_letter")
    outputs, report = run_of(pipe)
    assert len(outputs) == 38
    assert sorted(failed.item for failed in report.failed_items) == [*BAD]
    assert report["check"].dead_lettered == 2


@kinds_that("survives_crash")
def test_an_item_whose_worker_died_is_a_dead_letter_as_well(kind: str) -> None:
    pipe = AnyPipeline("dead", kind)
    pipe.source(range(40))
    pipe.processor(_end_badly_on_seven, name="end", dead_letter="bad", to=[])
    pipe.consumer(seen, name="bad", execution="inline")
    outputs, report = run_of(pipe)
    assert good(outputs) == sorted({*range(40)} - {7})
    assert letters(outputs) == [("failed", 7, "end", "WorkerDied", 1)]
    assert report["end"].dead_lettered == 1


@in_every_kind
def test_an_item_is_a_dead_letter_after_its_last_attempt(kind: str) -> None:
    pipe = AnyPipeline("again", kind)
    pipe.source(range(20))
    pipe.processor(check, retry=Retry(3, backoff=0.001), dead_letter="bad", to=[])
    pipe.consumer(seen, name="bad", execution="inline")
    outputs, report = run_of(pipe)
    assert letters(outputs) == [("failed", n, "check", "Bad", 3) for n in BAD]
    assert (report["check"].retried, report["check"].dead_lettered) == (4, 2)


@in_every_kind
def test_a_stage_that_gets_dead_letters_may_run_anywhere(kind: str) -> None:
    pipe = AnyPipeline("there", kind)
    pipe.source(range(20))
    pipe.processor(check, name="first", execution="inline", dead_letter="bad", to=[])
    pipe.processor(_with_last_line, name="bad")
    outputs, _ = run_of(pipe)
    assert letters(outputs) == [(n, "first", f"Bad: {n}") for n in BAD]


def test_stages_that_share_a_context_have_letters_of_their_own() -> None:
    pipe = Pipeline("fused", execution="fork")
    pipe.source(range(20))
    pipe.processor(check, name="one", dead_letter="bad")
    pipe.processor(lambda n: 1 // (n - 3) and n, name="two", dead_letter="bad")
    pipe.processor(lambda n: 1 // (n - 4) and n, name="three", dead_letter="worse", to=[])
    pipe.consumer(seen, name="bad", to=[])
    pipe.consumer(seen, name="worse")
    outputs, report = run_of(pipe)
    assert {(stage, item) for _, item, stage, *_ in letters(outputs)} == {
        ("one", 5), ("one", 17), ("two", 3), ("three", 4),
    }  # fmt: skip
    assert (report["bad"].received, report["worse"].received) == (3, 1)


@pytest.mark.parametrize("execution", ["inline", "thread"])
def test_stages_beside_the_source_have_them_too(execution: str) -> None:
    pipe = Pipeline("beside")
    pipe.source(range(20))
    pipe.consumer(check, dead_letter="bad")
    pipe.consumer(seen, name="bad", execution=execution)
    outputs, _ = run_of(pipe)
    assert [item for _, item, *_ in letters(outputs)] == [*BAD]
    assert len(good(outputs)) == 18


@in_every_kind
def test_a_dead_letter_can_be_mended_and_sent_back(kind: str) -> None:
    pipe = AnyPipeline("mended", kind)
    pipe.source(range(20), to="check")
    pipe.processor(check, dead_letter="mend", to=[])

    @pipe.processor(feedback="check", execution="inline")
    def mend(failed: FailedItem[int]) -> To[int]:
        return To("check", 100 + failed.item)

    outputs, report = run_of(pipe)
    assert good(outputs) == sorted({*range(20)} - {*BAD} | {100 + n for n in BAD})
    assert (report["check"].received, report["check"].dead_lettered) == (22, 2)


def test_an_item_whose_key_cannot_be_told_is_one_as_well() -> None:
    def key(number: int) -> int:
        return 1 // (number - 3)

    pipe = Pipeline("keys")
    pipe.source(range(9))
    pipe.processor(check, key=key, workers=2, execution="thread", dead_letter="bad", to=[])
    pipe.consumer(seen, name="bad")
    outputs, _ = run_of(pipe)
    assert [(item, error) for _, item, _, error, _ in letters(outputs)] == [
        (3, "ZeroDivisionError"), (5, "Bad"),
    ]  # fmt: skip


def test_a_stage_of_another_pipeline_can_be_named_by_its_path() -> None:
    pipe = Pipeline("outer")
    pipe.source(range(9))
    with pipe.pipeline("inner", to=[]) as inner:
        inner.processor(check, dead_letter="trash.bad")
    with pipe.pipeline("trash", to=[]) as trash:
        trash.consumer(seen, name="bad")
    outputs, _ = run_of(pipe)
    assert letters(outputs) == [("failed", 5, "inner.check", "Bad", 1)]


def test_the_stage_that_gets_them_ends_after_all_who_may_send_some() -> None:
    ended: list[str] = []
    pipe = Pipeline("ends")
    pipe.source(range(20))
    pipe.processor(check, dead_letter="bad", execution="thread", workers=2)
    pipe.processor(check, name="again", dead_letter="bad", execution="thread", to=[])
    pipe.consumer(seen, name="bad")
    for stage in ("check", "again", "bad"):
        pipe.after(stage)(lambda stage=stage: ended.append(stage))
    pipe.run()
    assert ended[-1] == "bad"


# --------------------------------------------------------------------------- a function decides


@in_every_kind
def test_a_function_decides_what_becomes_of_an_item(kind: str) -> None:
    def decide(failed: FailedItem[int]) -> str:
        return "skip" if failed.item == BAD[0] else "dead_letter"

    pipe = AnyPipeline("decided", kind)
    pipe.source(range(40))
    pipe.processor(check, on_error=decide)
    outputs, report = run_of(pipe)
    assert len(outputs) == 38
    assert (report["check"].skipped, report["check"].dead_lettered) == (1, 1)
    assert [failed.item for failed in report.failed_items] == [BAD[1]]


@in_every_kind
def test_a_function_can_end_the_run(kind: str) -> None:
    pipe = AnyPipeline("ended", kind)
    pipe.source(range(40))
    pipe.processor(check, on_error=lambda failed: "skip" if failed.item == BAD[0] else "fail")
    with pytest.raises(PipelineFailed) as raised:
        pipe.run()
    assert [str(error) for error in raised.value.exceptions] == [str(BAD[1])]


def _raise(failed: FailedItem[int]) -> str:
    raise KeyError(failed.item)


@pytest.mark.parametrize(
    ("function", "kind"), [(lambda _: "ignore", UsageError), (_raise, KeyError)]
)
def test_a_function_that_cannot_tell_ends_the_run(
    function: Callable[[Any], str], kind: type[Exception]
) -> None:
    pipe = Pipeline("confused")
    pipe.source(range(40))
    pipe.processor(check, on_error=function)
    with pytest.raises(PipelineFailed) as raised:
        pipe.run()
    assert isinstance(raised.value.exceptions[0], kind)
    assert "in on_error of stage 'check'" in raised.value.exceptions[0].__notes__


# --------------------------------------------------------------------------- too many


@in_every_kind
def test_as_many_failures_as_are_forgiven_end_nothing(kind: str) -> None:
    pipe = AnyPipeline("forgiven", kind)
    pipe.source(range(40))
    pipe.processor(check, max_failures=2)
    outputs, report = run_of(pipe)
    assert (len(outputs), report["check"].skipped) == (38, 2)


@in_every_kind
def test_one_more_ends_the_run_and_says_so(kind: str) -> None:
    pipe = AnyPipeline("too many", kind)
    pipe.source(range(40))
    pipe.processor(check, max_failures=1)
    with pytest.raises(PipelineFailed) as raised:
        pipe.run()
    (error,) = raised.value.exceptions
    assert isinstance(error, TooManyFailures)
    assert (error.stage, error.failures, error.most) == ("check", 2, 1)
    assert isinstance(error.__cause__, Bad)


@in_every_kind
def test_a_share_of_failures_is_judged_at_the_end_too(kind: str) -> None:
    """All of them were among the first few, when nothing could be said of the share yet."""
    pipe = AnyPipeline("share", kind)
    pipe.source(range(120))
    pipe.processor(check, max_failures=0.01)
    with pytest.raises(PipelineFailed, match="failed") as raised:
        pipe.run()
    assert isinstance(raised.value.exceptions[0], TooManyFailures)


# --------------------------------------------------------------------------- at definition


def test_the_run_says_it_over_the_stages() -> None:
    pipe = Pipeline("strict")
    pipe.source(range(40))
    pipe.processor(check, dead_letter="bad", to=[])
    pipe.consumer(seen, name="bad")
    with pytest.raises(PipelineFailed):
        pipe.run(on_error="fail")
    with pipe.stream(on_error="skip") as stream:
        assert len(list(stream)) == 38


@pytest.mark.parametrize(
    ("declare", "said"),
    [
        (lambda p: p.processor(check, dead_letter="nobody"), "there is no stage 'nobody'"),
        (lambda p: p.processor(check, dead_letter="source"), "a producer receives nothing"),
        (lambda p: p.processor(check, dead_letter="check"), "cycle: check.* -> check"),
        (
            lambda p: p.processor(check, stream=True, dead_letter="source"),
            "takes an iterator, so an error in it ends the run, and dead_letter has no meaning",
        ),
        (
            lambda p: p.source([], name="more", max_failures=3),
            "a producer, so an error in it ends the run, and max_failures has no meaning",
        ),
    ],
)
def test_what_cannot_be_is_refused(declare: Callable[[Pipeline], Any], said: str) -> None:
    pipe = Pipeline("wrong")
    pipe.source(range(3))
    with pytest.raises(UsageError, match=said):
        declare(pipe)
        pipe.plan()


def test_a_cycle_of_dead_letters_is_told_in_full() -> None:
    pipe = Pipeline("round")
    pipe.source(range(3))
    pipe.processor(check, name="a")
    pipe.processor(check, name="b", dead_letter="a")
    with pytest.raises(UsageError, match=r"cycle: a \(.*\) -> b \(.*\) -> a"):
        pipe.plan()


def _end_badly_on_seven(number: int) -> int:
    if number == 7:
        end_badly(number)
    return number


def _with_last_line(failed: FailedItem[Any]) -> tuple[Any, ...]:
    return failed.item, failed.stage, failed.traceback.strip().splitlines()[-1].rpartition(".")[2]

"""`run(execution="inline", strict=True)` finds what could not cross where it would have to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from minigun_py import Pipeline, PipelineFailed, RunReport, Stage, UsageError
from minigun_py.errors import NotPicklable

LOCK = threading.Lock()


class Unwanted:
    """Is pickled, and cannot be rebuilt."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _refuse, ()


def _refuse() -> None:
    raise ValueError("not here")


class KeepsLocks(Stage):
    """Keeps what it gets, and emits a lock."""

    def __init__(self, until_the_end: bool = False) -> None:
        self._until_the_end = until_the_end

    def process(self, item: Any) -> Any:
        return LOCK if item == 3 and not self._until_the_end else None

    def flush(self) -> list[Any]:
        return [LOCK] if self._until_the_end else []


def lock_for_three(item: Any) -> Any:
    return LOCK if item == 3 else item


def twice(item: Any) -> Iterator[Any]:
    yield item
    yield lock_for_three(item)


def in_a_stream(items: Iterable[Any]) -> Iterator[Any]:
    yield from items


def spoiled_in_a_stream(items: Iterable[Any]) -> Iterator[Any]:
    yield from map(lock_for_three, items)


def told(report: RunReport) -> list[tuple[str, str]]:
    return sorted((f.stage, str(f.error)) for f in report.failures)


def of_items(
    items: list[Any], declare: Callable[[Pipeline], object]
) -> tuple[list[list[str]], list[RunReport]]:
    """What comes of a pipeline in earnest and rehearsed."""
    outputs, reports = [], []
    for options in ({}, {"execution": "inline", "strict": True}):
        pipe = Pipeline("rehearsed")
        pipe.source(items)
        declare(pipe)
        with pipe.stream(**options) as stream:
            given = [x for o in stream for x in (o if isinstance(o, list) else [o])]
            outputs.append(sorted(map(repr, given)))
        assert stream.report is not None
        reports.append(stream.report)
    return outputs, reports


STAGES: dict[str, Callable[[Pipeline], object]] = {
    "value": lambda p: p.processor(lock_for_three, execution="fork", on_error="skip"),
    "generator": lambda p: p.processor(twice, execution="fork", on_error="skip"),
    "fresh process": lambda p: p.processor(lock_for_three, execution="process", on_error="skip"),
    "batch": lambda p: p.batch(2, execution="fork", on_error="skip"),
    "outputs at once": lambda p: p.processor(
        twice, stream_outputs=True, execution="fork", on_error="skip"
    ),
    "behind each other": lambda p: [
        p.processor(lock_for_three, name=name, execution="fork", on_error="skip") for name in "ab"
    ],
}


@pytest.mark.parametrize("declare", STAGES.values(), ids=STAGES)
@pytest.mark.parametrize("bad", [LOCK, Unwanted()], ids=["unpicklable", "cannot be rebuilt"])
def test_a_rehearsal_finds_what_a_process_finds(
    declare: Callable[[Pipeline], object], bad: object
) -> None:
    outputs, reports = of_items([1, 2, bad, 3, 4, 5], declare)
    assert outputs[0] == outputs[1]
    assert told(reports[0]) == told(reports[1]) != []
    for stage in reports[0].stages:
        mine, rehearsed = (report[stage] for report in reports)
        assert (mine.received, mine.completed, mine.skipped, mine.emitted) == (
            rehearsed.received, rehearsed.completed, rehearsed.skipped, rehearsed.emitted,
        )  # fmt: skip
    assert all(report.failures[0].item is not None for report in reports)


@pytest.mark.parametrize("options", [{}, {"execution": "inline", "strict": True}])
@pytest.mark.parametrize("bad", [LOCK, Unwanted()], ids=["unpicklable", "cannot be rebuilt"])
def test_an_item_that_cannot_reach_a_stream_ends_the_run(
    bad: object, options: dict[str, Any]
) -> None:
    pipe = Pipeline("stream")
    pipe.source([1, bad, 3])
    pipe.processor(in_a_stream, stream=True, execution="fork")
    with pytest.raises(PipelineFailed) as failed:
        pipe.collect(**options)
    (error,) = failed.value.exceptions
    assert isinstance(error, NotPicklable)
    assert failed.value.report.failures[0].item is bad


@pytest.mark.parametrize("options", [{}, {"execution": "inline", "strict": True}])
@pytest.mark.parametrize("declare", [
    lambda pipe: pipe.processor(spoiled_in_a_stream, stream=True, execution="fork"),
    lambda pipe: pipe.add(KeepsLocks(), execution="fork"),
    lambda pipe: pipe.add(KeepsLocks(until_the_end=True), execution="fork"),
])  # fmt: skip
def test_what_is_kept_and_cannot_cross_ends_the_run(
    declare: Callable[[Pipeline], object], options: dict[str, Any]
) -> None:
    pipe = Pipeline("kept")
    pipe.source([1, 2, 3, 4])
    declare(pipe)
    with pytest.raises(PipelineFailed) as failed:
        pipe.collect(**options)
    assert any("cannot be sent back from a worker" in str(e) for e in failed.value.exceptions)
    assert failed.value.report.ok is False


def test_without_strict_everything_passes() -> None:
    pipe = Pipeline("lenient")
    pipe.source([LOCK])
    pipe.processor(lock_for_three, execution="fork")
    assert pipe.collect(execution="inline") == [LOCK]


def test_what_shares_memory_is_not_pickled() -> None:
    pipe = Pipeline("shared")
    pipe.source([LOCK])
    pipe.processor(lock_for_three, name="a", execution="thread")
    pipe.processor(lock_for_three, name="b")
    assert pipe.collect(execution="inline", strict=True) == [LOCK]


def test_stages_that_share_a_process_hand_each_other_what_they_like() -> None:
    pipe = Pipeline("together", execution="fork")
    pipe.source([3])
    pipe.processor(lock_for_three, name="a")
    pipe.processor(lambda lock: lock is not None, name="b")
    assert pipe.collect(execution="inline", strict=True) == [True]


def test_a_stage_that_cannot_be_sent_is_found() -> None:
    held = threading.RLock()
    pipe = Pipeline("closure")
    pipe.source([1])
    pipe.processor(lambda item: (held, item), name="closes", execution="process")
    with pytest.raises((UsageError, PipelineFailed), match=r"closes|held"):
        pipe.run(execution="inline", strict=True)


def test_what_cannot_cross_is_not_tried_again() -> None:
    pipe = Pipeline("retried")
    pipe.source([3])
    pipe.processor(lock_for_three, execution="fork", retry=2, on_error="skip")
    with pipe.stream(execution="inline", strict=True) as stream:
        assert list(stream) == []
    report = stream.report
    assert report is not None
    assert isinstance(report.failures[0].error, NotPicklable)
    assert report["lock_for_three"].retried == 0


@pytest.mark.parametrize("options", [{}, {"execution": "fork"}])
def test_strict_is_for_inline_runs(options: dict[str, Any]) -> None:
    pipe = Pipeline("elsewhere")
    pipe.source([1])
    with pytest.raises(UsageError, match="strict=True is for execution='inline'"):
        pipe.run(strict=True, **options)

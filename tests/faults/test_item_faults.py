"""One bad item among forty: it is left out or ends the run, by name, and harms no other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from faults.deeds import (
    TwoArguments,
    be_killed,
    end_badly,
    end_well,
    exit_python,
    interrupt,
    raise_memory_error,
    raise_two_arguments,
    raise_unpicklable,
    raise_value_error,
    read_nowhere,
    recurse,
    return_deep,
    return_lock,
    segfault,
)
from faults.kinds import kinds_that, kinds_with, traits_for
from minigun_py import Pipeline, PipelineFailed, RunReport
from minigun_py.errors import NotPicklable, RemoteError, WorkerDied

ITEMS = 40
BAD = 5


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and what it is called where memory is shared and where it is not."""

    deed: Callable[[int], Any]
    here: type[Exception] | None
    there: type[Exception]

    def expected(self, kind: str) -> type[Exception] | None:
        return self.here if traits_for(kind).shares_memory else self.there

    def __str__(self) -> str:
        return self.deed.__name__


EVERYWHERE = (
    Fault(raise_value_error, ValueError, ValueError),
    Fault(raise_memory_error, MemoryError, MemoryError),
    Fault(raise_two_arguments, TwoArguments, RemoteError),
    Fault(raise_unpicklable, ValueError, RemoteError),
    Fault(recurse, RecursionError, RecursionError),
    Fault(exit_python, WorkerDied, WorkerDied),
)
IN_ANOTHER_MEMORY = (
    Fault(return_lock, None, NotPicklable),
    Fault(return_deep, None, NotPicklable),
)
IN_A_PROCESS = (
    Fault(end_well, None, WorkerDied),
    Fault(end_badly, None, WorkerDied),
    Fault(be_killed, None, WorkerDied),
    Fault(segfault, None, WorkerDied),
    Fault(interrupt, None, WorkerDied),
)
IN_EVERY_KIND = [
    pytest.param(kind, fault, id=f"{kind}-{fault}")
    for kinds, faults in (
        (kinds_with(), EVERYWHERE),
        (kinds_with("not shares_memory"), IN_ANOTHER_MEMORY),
        (kinds_with("survives_crash"), IN_A_PROCESS),
    )
    for kind in kinds
    for fault in faults
]


@pytest.mark.parametrize(("kind", "fault"), IN_EVERY_KIND)
def test_a_skipped_fault_costs_its_item_and_no_other(
    pipe: Pipeline, kind: str, fault: Fault
) -> None:
    check_skipped(pipe, fault.deed, fault.expected(kind))


@pytest.mark.parametrize(("kind", "fault"), IN_EVERY_KIND)
def test_a_fault_ends_the_run_naming_stage_and_item(
    pipe: Pipeline, kind: str, fault: Fault
) -> None:
    check_failed(pipe, fault.deed, fault.expected(kind))


@pytest.mark.parametrize("deed", [be_killed, segfault, end_badly, interrupt])
@kinds_that("survives_crash")
def test_a_death_says_what_the_worker_died_of(
    pipe: Pipeline, kind: str, deed: Callable[[int], Any]
) -> None:
    _, report = run(pipe, deed, on_error="skip")
    (failed,) = report.failures
    assert isinstance(failed.error, WorkerDied)
    statuses = {be_killed: -9, segfault: -11, end_badly: 7, interrupt: 130}
    assert failed.error.status == statuses[deed]


@kinds_that("survives_crash")
def test_a_crash_says_where_it_was(pipe: Pipeline, kind: str) -> None:
    _, report = run(pipe, read_nowhere, on_error="skip")
    (failed,) = report.failures
    (words,) = failed.error.__notes__
    assert words.startswith("the worker's last words:\nFatal Python error: Segmentation fault")
    assert "in read_nowhere" in words
    assert words in failed.traceback


@kinds_that("shares_memory")
@pytest.mark.parametrize("deed", [return_lock, return_deep])
def test_a_result_that_crosses_to_no_other_memory_need_not_be_pickled(
    pipe: Pipeline, kind: str, deed: Callable[[int], Any]
) -> None:
    results, report = run(pipe, deed, on_error="fail")
    assert (len(results), report.failures) == (ITEMS, ())


@kinds_that("not several_workers")
def test_a_keyboard_interrupt_raised_inline_is_the_callers(pipe: Pipeline, kind: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(pipe, interrupt, on_error="skip")


@kinds_that("several_workers", "not survives_crash")
def test_a_keyboard_interrupt_raised_beside_the_caller_ends_the_run_naming_the_stage(
    pipe: Pipeline, kind: str
) -> None:
    with pytest.raises(PipelineFailed) as failed:
        run(pipe, interrupt, on_error="skip")
    assert "'work' raised KeyboardInterrupt" in str(failed.value.exceptions[0])


@pytest.mark.parametrize("on_error", ["skip", "fail"])
def test_an_item_that_cannot_be_pickled_fails_only_where_it_has_to_be(
    pipe: Pipeline, kind: str, on_error: str
) -> None:
    lock = threading.Lock()
    items = [lock if n == BAD else n for n in range(ITEMS)]
    pipe.source(items)
    pipe.processor(type, name="work", on_error=on_error)
    if traits_for(kind).shares_memory:
        assert len(pipe.collect()) == ITEMS
    elif on_error == "skip":
        with pipe.stream() as stream:
            assert len(list(stream)) == ITEMS - 1
        (failure,) = stream.report.failures
        assert (failure.stage, failure.item) == ("work", lock)
        assert isinstance(failure.error, NotPicklable)
    else:
        with pytest.raises(PipelineFailed, match=r"in stage 'work' on item <unlocked"):
            pipe.collect()


@pytest.mark.parametrize("on_error", ["skip", "fail"])
def test_an_error_in_the_producer_ends_the_run_naming_the_producer(
    pipe: Pipeline, kind: str, on_error: str
) -> None:
    @pipe.producer
    def numbers() -> Iterator[int]:
        yield from range(BAD)
        raise OSError("the disk is gone")

    pipe.processor(abs, name="work", on_error=on_error)
    with pytest.raises(PipelineFailed) as failed:
        pipe.run()
    (failure,) = failed.value.report.failures
    assert failure.stage == "numbers"
    assert failed.value.exceptions == (failure.error,)
    assert "the disk is gone" in str(failure.error)


@pytest.mark.parametrize("on_error", ["skip", "fail"])
def test_an_error_in_the_consumer_is_treated_like_any_other(
    pipe: Pipeline, kind: str, on_error: str
) -> None:
    seen: list[int] = []

    @pipe.consumer(on_error=on_error)
    def keep(item: int) -> None:
        if item == BAD:
            raise OSError("the disk is full")
        seen.append(item)

    pipe.source(range(ITEMS))
    pipe.processor(abs, name="work", to="keep")
    if on_error == "skip":
        (failure,) = pipe.run().failures
        assert (failure.stage, failure.item) == ("keep", BAD)
        assert sorted(seen) == [n for n in range(ITEMS) if n != BAD]
    else:
        with pytest.raises(PipelineFailed, match=f"in stage 'keep' on item {BAD}"):
            pipe.run()


def check_skipped(
    pipe: Pipeline, deed: Callable[[int], Any], expected: type[Exception] | None
) -> None:
    results, report = run(pipe, deed, on_error="skip")
    (failure,) = report.failures
    assert (failure.stage, failure.item, type(failure.error)) == ("work", BAD, expected)
    assert sorted(results) == [n for n in range(ITEMS) if n != BAD]
    assert (report["work"].received, report["work"].skipped) == (ITEMS, 1)
    assert report.ok


def check_failed(
    pipe: Pipeline, deed: Callable[[int], Any], expected: type[Exception] | None
) -> None:
    with pytest.raises(PipelineFailed, match=f"in stage 'work' on item {BAD}") as failed:
        run(pipe, deed, on_error="fail")
    error = failed.value.exceptions[0]
    assert type(error) is expected
    assert f"in stage 'work', on item {BAD}" in error.__notes__[-1]
    assert failed.value.report.failures[0].item == BAD
    assert failed.value.report["work"].failed == 1


def run(pipe: Pipeline, deed: Callable[[int], Any], on_error: str) -> tuple[list[Any], RunReport]:
    bad = BAD  # a global would bring this whole module to the workers

    def work(item: int) -> Any:
        return deed(item) if item == bad else item

    pipe.source(range(ITEMS))
    pipe.processor(work, on_error=on_error)
    with pipe.stream() as stream:
        results = list(stream)
    return results, stream.report

"""A fault that is planted happens in every kind, at its item, and nowhere else."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from faults.kinds import KINDS, AnyPipeline, kinds_that
from minigun_py import ItemTimedOut, Pipeline, PipelineFailed, Retry, UsageError, WorkerDied
from minigun_py.testing import EVERY, full_queue, kill_worker, raise_in, seeded, slow

in_every_kind = pytest.mark.parametrize("kind", KINDS)


def doubled(kind: str, **options: Any) -> Pipeline:
    pipe = AnyPipeline("doubled", kind)
    pipe.source(range(20))
    pipe.processor(lambda number: 2 * number, name="double", **options)
    return pipe


def outcome(pipe: Pipeline) -> tuple[int, list[Any], Any]:
    with pipe.stream() as stream:
        count = len(list(stream))
    return count, [failed.item for failed in stream.report.failures], stream.report


@in_every_kind
def test_a_worker_is_killed_at_its_item(kind: str) -> None:
    pipe = doubled(kind, on_error="skip")
    with kill_worker("double", at_item=7):
        count, failed, report = outcome(pipe)
    assert (count, failed) == (19, [7])
    error = report.failures[0].error
    assert isinstance(error, WorkerDied)
    assert error.status == -9
    assert outcome(pipe)[:2] == (20, [])  # it was for that run alone


@in_every_kind
def test_it_is_killed_in_the_first_attempt_alone(kind: str) -> None:
    with kill_worker("double", at_item=7):
        count, failed, report = outcome(doubled(kind, retry=Retry(2, backoff=0.001)))
    assert (count, failed, report["double"].retried) == (20, [], 1)


@in_every_kind
def test_an_error_is_raised_in_place_of_a_stage(kind: str) -> None:
    with raise_in("double", KeyError("planted"), at_item=3):
        count, failed, report = outcome(doubled(kind, on_error="skip"))
    assert (count, failed) == (19, [3])
    assert repr(report.failures[0].error) == "KeyError('planted')"


@in_every_kind
def test_it_can_be_raised_at_every_item(kind: str) -> None:
    with raise_in("double", ValueError), pytest.raises(PipelineFailed):
        doubled(kind).run()
    with raise_in("double", ValueError, at_item=EVERY):
        assert outcome(doubled(kind, on_error="skip"))[0] == 0


@kinds_that("killable")
def test_a_stage_is_slowed_down(kind: str) -> None:
    with slow("double", 60.0, at_item=3):
        count, failed, report = outcome(doubled(kind, timeout=0.5, on_error="skip"))
    assert (count, failed) == (19, [3])
    assert isinstance(report.failures[0].error, ItemTimedOut)


def test_an_accumulator_fails_as_its_iterator_does() -> None:
    pipe = Pipeline("summed")
    pipe.source(range(9))

    @pipe.accumulator
    def total(numbers: Iterator[int]) -> Iterator[int]:
        yield sum(numbers)

    with raise_in("total", KeyError("planted"), at_item=3), pytest.raises(PipelineFailed) as failed:
        pipe.run()
    assert repr(failed.value.exceptions[0]) == "KeyError('planted')"


def test_stages_that_share_a_context_have_faults_of_their_own() -> None:
    pipe = Pipeline("fused", execution="fork", on_error="skip")
    pipe.source(range(9))
    pipe.processor(lambda number: number + 1, name="a")
    pipe.processor(lambda number: number + 1, name="b")
    with raise_in("b", KeyError, at_item=3), raise_in("a", KeyError, at_item=5):
        _, failed, report = outcome(pipe)
    assert sorted(failed) == [3, 5]
    assert (report["a"].skipped, report["b"].skipped) == (1, 1)


@pytest.mark.parametrize("kind", ["thread", "async", "fork", "process"])
def test_a_queue_fills_while_it_is_held(kind: str) -> None:
    drawn, full = [0], threading.Event()
    pipe = AnyPipeline("held", kind)

    @pipe.producer
    def numbers() -> Iterator[int]:
        for number in range(20):
            drawn[0] = number
            if number == 5:
                full.set()
            yield number

    pipe.processor(lambda number: number, name="same", queue_size=5)
    with full_queue("same"):
        run = pipe.start()
        assert full.wait(20)
        report = run.statistics()
        assert (report["same"].received, drawn[0]) == (0, 5)
    assert run.wait()["same"].completed == 20


def test_a_hold_can_be_released_before_its_block_ends() -> None:
    pipe = doubled("thread")
    with full_queue("double") as hold:
        run = pipe.start()
        hold.release()
        assert run.wait()["double"].completed == 20


def test_a_cut_ends_a_hold() -> None:
    pipe = doubled("thread")
    with full_queue("double"), pytest.raises(BaseException, match="enough"):
        run = pipe.start()
        run.cancel("enough")
        run.wait()


@pytest.mark.parametrize(
    "planted", [kill_worker("dubble"), raise_in("dubble", KeyError), slow("dubble", 1.0)]
)
def test_a_fault_in_a_stage_that_never_ran_is_told_of(planted: Any) -> None:
    with pytest.raises(UsageError, match="no stage 'dubble' has run meanwhile"), planted:
        doubled("inline").run()


@pytest.mark.parametrize("kind", ["inline", "thread"])
def test_a_fault_in_a_producer_is_refused(kind: str) -> None:
    with (
        pytest.raises(UsageError, match="a producer receives no items"),
        raise_in("source", OSError),
    ):
        doubled(kind).run()


def test_a_queue_that_is_not_there_is_told_of() -> None:
    with pytest.raises(UsageError, match="with a queue of its own"):  # noqa: SIM117
        with full_queue("double"):
            doubled("inline").run(execution="inline")


def test_chance_can_be_made_the_same() -> None:
    state = random.getstate()
    with seeded(7):
        first = random.random()
    with seeded(7):
        assert random.random() == first
    assert random.getstate() == state


# --------------------------------------------------------------------------- as fixtures


def test_each_is_a_fixture_that_holds_until_the_test_ends(
    kill_worker: Any, raise_in: Any, slow: Any, seeded: Any, full_queue: Any, virtual_clock: Any
) -> None:
    seeded(7)
    kill_worker("double", at_item=3)
    raise_in("double", KeyError, at_item=4)
    slow("double", 0.0)
    full_queue("double").release()
    with doubled("thread", on_error="skip").stream(clock=virtual_clock) as stream:
        assert len(list(stream)) == 18


def test_the_sequencer_is_one_too(sequencer: Any) -> None:
    with sequencer(0):
        pass
    with sequencer(1):
        pass

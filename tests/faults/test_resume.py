"""A job that is killed and begun again finishes every item, and none again that was finished."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from faults.deeds import return_lock, square
from faults.kinds import AnyPipeline, kinds_that, kinds_with
from faults.resuming import COUNT, kill_and_resume, rows_of
from faults.session import written_for
from minigun_py import (
    Checkpoint,
    CheckpointError,
    FailedItem,
    Pipeline,
    PipelineFailed,
    Stage,
    UsageError,
)
from minigun_py.testing import full_queue

SOAKING = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
KILLS = 300 if SOAKING else 8
"""So often a job is killed in all, over the kinds of context."""


@pytest.mark.parametrize("kind", KILLED := kinds_with("not one_lease_each"))
def test_a_job_that_is_killed_again_and_again_stores_what_it_stores_undisturbed(
    kind: str, tmp_path: Path
) -> None:
    wanted = [(number, part) for number in range(COUNT) for part in range(number % 4)]
    seed, left = 0, max(2, KILLS // len(KILLED))
    while left > 0:
        directory = tmp_path / str(seed)
        directory.mkdir()
        moments = random.Random(seed)
        left -= kill_and_resume(kind, directory, left, moments, partial(written_for, kind))
        assert rows_of(directory) == wanted
        seed += 1


def test_a_run_that_has_failed_is_resumed_behind_what_was_finished(
    pipe: AnyPipeline, tmp_path: Path
) -> None:
    path, down = tmp_path / "job.db", tmp_path / "down"
    down.touch()
    pipe.source(range(20), name="numbers")
    pipe.processor(square, name="square")

    @pipe.consumer
    def store(number: int) -> int:
        if number == 100 and down.exists():
            raise OSError("the store is down")
        return number

    with pytest.raises(PipelineFailed) as caught:
        pipe.run(checkpoint=path)
    finished = caught.value.report["store"].completed
    down.unlink()
    with pipe.stream(checkpoint=path) as stream:
        stored = set(stream)
    assert stream.report.already_finished == finished
    assert 100 in stored
    assert len(stored) == 20 - finished


@kinds_that("several_workers", "not one_lease_each")
def test_what_a_failure_has_kept_from_being_run_is_run_by_the_next_run(
    kind: str, tmp_path: Path
) -> None:
    """An item fails in the middle of what travels together: those behind it were not run."""
    path, down = tmp_path / "job.db", tmp_path / "down"
    down.touch()
    done: list[int] = []
    pipe = AnyPipeline("kept", kind)

    @pipe.producer
    def numbers() -> Iterator[int]:
        yield from range(100)
        hold.release()  # only now somebody takes any: so many as may travel together

    @pipe.processor(chunk=30)
    def check(number: int) -> int:
        if number == 40 and down.exists():
            raise OSError("not now")
        return number

    pipe.consumer(done.append, name="done", execution="inline")
    with full_queue("check") as hold, pytest.raises(PipelineFailed):
        pipe.run(checkpoint=path)
    down.unlink()
    with full_queue("check") as hold:
        pipe.run(checkpoint=path)
    assert {*done} == {*range(100)}


def test_what_was_skipped_is_run_again_and_what_is_a_dead_letter_is_not(
    pipe: AnyPipeline, tmp_path: Path
) -> None:
    def bad(number: int) -> int:
        if number % 5 == 0:
            raise ValueError(number)
        return number

    def policy(failed: FailedItem[int]) -> str:
        return "skip" if failed.item % 2 else "dead_letter"

    pipe.source(range(20), name="numbers")
    pipe.processor(bad, name="bad", on_error=policy)
    path = tmp_path / "job.db"
    assert len(pipe.collect(checkpoint=path)) == 16
    again = pipe.run(checkpoint=path)
    assert (again.already_finished, again["bad"].skipped) == (18, 2)
    again = pipe.run(checkpoint=Checkpoint(path, retry_failed=True))
    assert (again.already_finished, again["bad"].skipped, again["bad"].dead_lettered) == (16, 2, 2)


def test_a_dead_letter_is_finished_when_the_stage_that_gets_it_is_done_with_it(
    pipe: AnyPipeline, tmp_path: Path
) -> None:
    def bad(number: int) -> int:
        raise ValueError(number)

    pipe.source(range(4), name="numbers")
    pipe.processor(bad, name="bad", dead_letter="letters")

    @pipe.consumer(on_error="skip")
    def letters(failed: FailedItem[int]) -> None:
        if failed.item == 2:
            raise OSError("no stamps")

    path = tmp_path / "job.db"
    pipe.run(checkpoint=path)
    assert pipe.run(checkpoint=path).already_finished == 3


@kinds_that("survives_crash")
def test_an_item_that_killed_its_worker_is_run_again_by_the_next_run(
    kind: str, pipe: AnyPipeline, tmp_path: Path
) -> None:
    once = tmp_path / "once"

    def deadly(number: int) -> int:
        if number == 7 and not once.exists():
            once.touch()
            os._exit(3)
        return number

    pipe.source(range(20), name="numbers")
    pipe.processor(deadly, name="deadly", on_error="skip", chunk=4)
    pipe.batch(3)
    path = tmp_path / "job.db"
    given = sorted(n for batch in pipe.collect(checkpoint=path) for n in batch)
    assert given == sorted({*range(20)} - {7})
    assert pipe.collect(checkpoint=path) == [[7]]
    assert pipe.collect(checkpoint=path) == []


def test_an_output_is_finished_when_the_next_one_is_asked_for(
    pipe: AnyPipeline, tmp_path: Path
) -> None:
    pipe.source(range(10), name="numbers")
    pipe.processor(square, name="square", ordered=True)
    path = tmp_path / "job.db"
    with pipe.stream(checkpoint=path) as stream:
        assert [next(stream) for _ in range(3)] == [0, 1, 4]
    with pipe.stream(checkpoint=path) as stream:
        assert next(stream) == 4


@kinds_that("not shares_memory")
def test_a_result_that_cannot_cross_leaves_its_own_item_unfinished_and_no_other(
    kind: str, pipe: AnyPipeline, tmp_path: Path
) -> None:
    def locked(number: int) -> object:
        return return_lock(number) if number == 7 else number

    pipe.source(range(20), name="numbers")
    pipe.processor(locked, name="locked", on_error="skip", chunk=5)
    path = tmp_path / "job.db"
    assert sorted(pipe.collect(checkpoint=path)) == sorted({*range(20)} - {7})
    with pipe.stream(checkpoint=path) as stream:
        assert list(stream) == []
    assert (stream.report.already_finished, stream.report["locked"].skipped) == (19, 1)


def test_a_source_is_told_of_each_item_that_is_finished(pipe: AnyPipeline) -> None:
    """As a queue that would deliver again what nobody has acknowledged."""
    acknowledged: list[dict[str, int]] = []

    def bad(row: dict[str, int]) -> list[int]:
        if row["id"] == 5:
            raise ValueError(row)
        return [row["id"]] * row["id"]

    rows = [{"id": n} for n in range(10)]
    pipe.source(rows, name="rows", ack=acknowledged.append)
    pipe.processor(bad, name="bad", on_error="skip")
    pipe.unbatch(execution="inline")
    pipe.batch(4)
    pipe.run()
    assert sorted(row["id"] for row in acknowledged) == [0, 1, 2, 3, 4, 6, 7, 8, 9]


def test_an_acknowledgement_that_fails_ends_the_run(pipe: AnyPipeline) -> None:
    def refuse(number: int) -> None:
        raise OSError("the queue is gone")

    pipe.source(range(5), name="numbers", ack=refuse)
    pipe.processor(square, name="square")
    with pytest.raises(PipelineFailed) as caught:
        pipe.run()
    assert "the queue is gone" in str(caught.value.exceptions[0])
    assert caught.value.exceptions[0].__notes__ == ["in the ack of a source"]


# --------------------------------------------------------------------------- what is refused


def test_only_a_source_is_told_of_finished_items() -> None:
    with pytest.raises(UsageError, match="ack is told of the items that a source has given"):
        Pipeline("told").processor(square, ack=print)
    with pytest.raises(UsageError, match="ack is told of the items that a source has given"):
        Pipeline("told").batch(3, ack=print)


def test_a_checkpoint_is_a_path_or_a_checkpoint() -> None:
    with pytest.raises(UsageError, match="the path of a file, or a Checkpoint, not 7"):
        Pipeline("wrong").run([1], checkpoint=7)


def test_a_source_item_without_a_key_is_named(tmp_path: Path) -> None:
    pipe = Pipeline("rows")
    pipe.source([{"id": 1}], name="rows")
    pipe.processor(lambda row: row["id"], name="id")
    with pytest.raises(PipelineFailed, match="failed in producer 'rows'") as caught:
        pipe.run(checkpoint=tmp_path / "job.db")
    assert "not a dict: {'id': 1}; say checkpoint=Checkpoint(" in str(caught.value.exceptions[0])
    by_id = Checkpoint(tmp_path / "job.db", key=lambda row: row["id"])
    assert pipe.collect(checkpoint=by_id) == [1]
    assert pipe.collect(checkpoint=by_id) == []


def test_what_coroutines_keep_together_cannot_be_told_apart(tmp_path: Path) -> None:
    class Kept(Stage):
        async def process(self, item: int) -> None: ...

        async def flush(self) -> None: ...

    pipe = Pipeline("kept")
    pipe.source(range(3), name="numbers")
    pipe.add(Kept(), name="kept", execution="async")
    with pytest.raises(UsageError, match="it keeps items that several coroutines bring"):
        pipe.run(checkpoint=tmp_path / "job.db")


def test_a_damaged_file_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    (tmp_path / "job.db").write_text("no database")
    pipe = Pipeline("damaged")
    begun: list[int] = []
    pipe.before_run(lambda: begun.append(1))
    pipe.source(begun, name="numbers")
    pipe.processor(square)
    with pytest.raises(CheckpointError, match="it was left as it is"):
        pipe.run(checkpoint=tmp_path / "job.db")
    assert not begun


def test_a_file_that_is_taken_meanwhile_ends_the_run(tmp_path: Path) -> None:
    pipe, other = Pipeline("taken"), Pipeline("taken")
    for one in (pipe, other):
        one.source(range(3), name="numbers")
    path = tmp_path / "job.db"
    with contextlib.ExitStack() as stack:
        pipe.before_run(lambda: stack.enter_context(other.stream(checkpoint=path)))
        with pytest.raises(PipelineFailed) as caught:
            pipe.run(checkpoint=path)
    assert "job.db is in use: by another run" in str(caught.value.exceptions[0])

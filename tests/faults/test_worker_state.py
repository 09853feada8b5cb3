"""What workers set up, tear down and say, while they fail, die and are replaced."""

from __future__ import annotations

import logging
import re
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contract.gate import LIMIT
from faults.deeds import log_and_warn, log_as_itself
from faults.diary import Chatter, Diary
from faults.kinds import AnyPipeline, kinds_that, traits_for
from faults.processes import end_idle_workers
from minigun_py import Pipeline, PipelineFailed, Retry, UsageError
from minigun_py.errors import WorkerDied


@pytest.fixture
def diary(tmp_path: Path) -> Diary:
    return Diary(str(tmp_path / "diary"))


# --------------------------------------------------------------------------- set up, torn down


def test_every_worker_that_is_set_up_is_torn_down(
    pipe: AnyPipeline, kind: str, diary: Diary
) -> None:
    pipe.source(range(20))
    pipe.processor(diary.work, setup=diary.set_up, teardown=diary.tear_down)
    assert len(pipe.collect()) == 20
    notes = diary.notes()
    assert notes.count("up") == notes.count("down") >= 1


@kinds_that("survives_crash")
def test_a_worker_that_dies_of_an_item_is_not_torn_down_and_the_next_one_is_set_up(
    kind: str, diary: Diary
) -> None:
    pipe = AnyPipeline("deadly", kind)
    pipe.source(range(10))
    pipe.processor(diary.work_or_die, setup=diary.set_up, teardown=diary.tear_down, on_error="skip")
    assert sorted(pipe.collect()) == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    notes = diary.notes()
    assert notes.count("up") == notes.count("down") + 1
    if not traits_for(kind).one_lease_each:
        assert notes == ["up", "up", "down"]


@kinds_that("survives_crash")
def test_a_worker_killed_between_items_is_replaced_by_one_that_is_set_up(
    kind: str, diary: Diary
) -> None:
    pipe = AnyPipeline("between", kind)
    arrived, ran = threading.Semaphore(0), [(0, 0)]

    @pipe.producer
    def numbers() -> Iterator[int]:
        for number in range(4):
            yield number
            assert arrived.acquire(timeout=LIMIT)
            if number == 1:
                end_idle_workers(kind, *ran[0])

    pipe.processor(diary.work, setup=diary.set_up, teardown=diary.tear_down, to="keep")

    @pipe.consumer
    def keep(told: tuple[int, int, int]) -> int:
        ran[0] = told[1:]
        arrived.release()
        return told[0]

    with pipe.stream() as stream:
        assert sorted(stream) == [0, 1, 2, 3]
    assert stream.report.failures == ()
    if not traits_for(kind).one_lease_each:
        assert diary.notes() == ["up", "up", "down"]


@kinds_that("recycles", "several_workers")
def test_a_worker_that_has_had_its_share_of_items_is_torn_down_and_replaced(
    kind: str, diary: Diary
) -> None:
    pipe = AnyPipeline("renewed", kind)
    pipe.source(range(12))
    pipe.processor(diary.work, setup=diary.set_up, teardown=diary.tear_down, max_items_per_worker=4)
    assert sorted(number for number, _, _ in pipe.collect()) == list(range(12))
    notes = diary.notes()
    assert notes.count("up") == notes.count("down") >= 3
    assert notes[:4] == ["up", "down", "up", "down"] or traits_for(kind).one_lease_each


@kinds_that("not runs_coroutines")
@pytest.mark.parametrize("fresh", [True, False])
def test_a_failed_item_is_tried_again_with_a_state_set_up_anew_if_that_is_wanted(
    kind: str, diary: Diary, fresh: bool
) -> None:
    pipe = AnyPipeline("fresh", kind)
    pipe.source(range(6))
    pipe.processor(
        diary.work_once_broken,
        setup=diary.set_up,
        teardown=diary.tear_down,
        retry=Retry(2, backoff=0.001, fresh_state=fresh),
    )
    assert sorted(pipe.collect()) == [0, 1, 2, 3, 4, 5]
    notes = diary.notes()
    assert notes.count("up") == notes.count("down")
    if not traits_for(kind).one_lease_each:
        assert notes == ["up", "broken"] + ["down", "up"] * fresh + ["down"]


@kinds_that("not runs_coroutines", "not one_lease_each")
def test_a_state_that_cannot_be_set_up_anew_ends_the_run(kind: str, diary: Diary) -> None:
    pipe = AnyPipeline("worn out", kind)
    pipe.source(range(6))
    pipe.processor(
        diary.work_once_broken, setup=diary.set_up_once, retry=Retry(2, fresh_state=True)
    )
    with pytest.raises(PipelineFailed) as raised:
        pipe.run()
    assert "no room" in str(raised.value.exceptions[0])


def test_coroutines_share_a_state_that_is_not_set_up_anew() -> None:
    async def work(item: int) -> int:
        return item

    pipe = Pipeline("shared")
    pipe.source(range(6))
    pipe.processor(work, retry=Retry(2, fresh_state=True), execution="async")
    with pytest.raises(UsageError, match="its workers share one state; drop fresh_state"):
        pipe.plan()


def test_what_keeps_items_does_not_lose_them_with_its_state() -> None:
    with pytest.raises(UsageError, match="what it keeps would be lost"):
        Pipeline("kept").batch(3, retry=Retry(2, fresh_state=True))


# --------------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize("moment", ["setup", "teardown"])
def test_a_setup_or_teardown_that_fails_ends_the_run_naming_the_stage(
    pipe: AnyPipeline, kind: str, diary: Diary, moment: str
) -> None:
    endless = iter(int, 1)
    pipe.source(endless if moment == "setup" else range(3))
    functions: dict[str, Any] = {"setup": diary.set_up} | {moment: diary.fail}
    pipe.processor(diary.work, on_error="skip", **functions)
    with pytest.raises(PipelineFailed) as failed:
        pipe.run()
    error = failed.value.exceptions[0]
    assert (type(error), str(error)) == (OSError, "no room")
    assert f"in the {moment} of stage 'work'" in error.__notes__


@kinds_that("not several_workers")
def test_the_one_worker_of_a_run_that_is_all_inline_is_never_replaced(
    kind: str, diary: Diary
) -> None:
    pipe = AnyPipeline("alone", kind)
    pipe.processor(diary.work, setup=diary.set_up, teardown=diary.tear_down, max_items_per_worker=4)
    assert len(pipe.collect(range(12))) == 12
    assert diary.notes() == ["up", "down"]


@kinds_that("recycles", "several_workers")
def test_a_setup_that_fails_in_a_later_worker_ends_the_run_too(kind: str, diary: Diary) -> None:
    pipe = AnyPipeline("later", kind)
    pipe.source(range(100))
    pipe.processor(diary.work, setup=diary.set_up_once, on_error="skip", max_items_per_worker=3)
    with pytest.raises(PipelineFailed) as failed:
        pipe.run()
    assert "in the setup of stage 'work'" in failed.value.exceptions[0].__notes__


@kinds_that("survives_crash")
@pytest.mark.parametrize("moment", ["setup", "teardown"])
def test_a_setup_or_teardown_that_ends_its_process_ends_the_run(
    pipe: AnyPipeline, kind: str, diary: Diary, moment: str
) -> None:
    pipe.source(range(3))
    functions: dict[str, Any] = {"setup": diary.set_up} | {moment: diary.die}
    pipe.processor(diary.work, on_error="skip", **functions)
    with pytest.raises(PipelineFailed) as failed:
        pipe.run()
    error = failed.value.exceptions[0]
    assert "exit code 9" in str(error)
    assert isinstance(error, WorkerDied) or moment == "setup"


# --------------------------------------------------------------------------- what they say


class Listener(logging.Handler):
    """Keeps what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def listener() -> Iterator[Listener]:
    """What the user's handler of all records gets, warnings included."""
    listener, root = Listener(), logging.getLogger()
    level = root.level
    root.addHandler(listener)
    root.setLevel(logging.INFO)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        try:
            yield listener
        finally:
            logging.captureWarnings(False)
            root.setLevel(level)
            root.removeHandler(listener)


def test_what_a_stage_logs_as_itself_tells_stage_and_worker(
    pipe: AnyPipeline, kind: str, listener: Listener
) -> None:
    pipe.processor(log_as_itself, name="work")
    assert pipe.run(range(5)).ok
    told = [record for record in listener.records if record.name == "minigun_py.stage.work"]
    assert sorted(record.getMessage() for record in told) == [f"item {n}" for n in range(5)]
    assert {vars(record)["minigun_stage"] for record in told} == {"work"}
    assert {vars(record)["minigun_worker"] for record in told} <= {1, 2}


def test_what_a_stage_logs_or_warns_of_comes_to_the_handlers_of_the_program(
    pipe: AnyPipeline, kind: str, listener: Listener
) -> None:
    pipe.processor(log_and_warn, name="work")
    assert pipe.run([7]).ok
    records = {record.name: record for record in listener.records}
    assert records["tests_of_workers"].getMessage() == "logged 7"
    assert re.search("FutureWarning: warned of 7", records["py.warnings"].getMessage())
    assert "quiet" not in {record.getMessage() for record in listener.records}
    if not traits_for(kind).shares_memory:
        for name in ("tests_of_workers", "py.warnings"):
            assert vars(records[name])["minigun_stage"] == "work"
            assert vars(records[name])["minigun_worker"] in {1, 2}


@kinds_that("not shares_memory")
def test_a_worker_may_log_from_a_thread_of_its_own_while_it_answers(
    pipe: AnyPipeline, kind: str, listener: Listener
) -> None:
    pipe.processor(Chatter.work, name="work", setup=Chatter, teardown=Chatter.end)
    results = pipe.collect(range(20))
    assert sorted(results) == [bytes([n]) * 200_000 for n in range(20)]
    chatter = [r for r in listener.records if r.name == "tests_of_chatter"]
    assert {record.getMessage() for record in chatter} == {"x" * 5000}


# --------------------------------------------------------------------------- grown too large


@kinds_that("survives_crash")
def test_a_worker_that_has_grown_too_large_is_torn_down_and_replaced(
    kind: str, diary: Diary
) -> None:
    pipe = AnyPipeline("large", kind)
    pipe.source(range(6))
    pipe.processor(diary.work, setup=diary.set_up, teardown=diary.tear_down, max_rss=1, chunk=1)
    assert sorted(number for number, _, _ in pipe.collect()) == list(range(6))
    notes = diary.notes()
    assert notes.count("up") == notes.count("down") >= 6


@kinds_that("survives_crash")
def test_one_that_has_not_stays(kind: str, diary: Diary) -> None:
    pipe = AnyPipeline("small", kind)
    pipe.source(range(6))
    pipe.processor(diary.work, setup=diary.set_up, teardown=diary.tear_down, max_rss="64 GiB")
    assert len(pipe.collect()) == 6
    assert diary.notes() == ["up", "down"] or traits_for(kind).one_lease_each


def test_lists_that_are_gathered_in_a_worker_go_before_it_does() -> None:
    pipe = Pipeline("gathered")
    pipe.source(range(20))
    pipe.batch(7, execution="fork", max_rss=1, chunk=3)
    given = pipe.collect()
    assert sorted(number for numbers in given for number in numbers) == list(range(20))


@pytest.mark.parametrize("kind", ["inline", "thread", "async"])
def test_a_bound_for_what_is_no_process_is_refused(kind: str) -> None:
    async def work(item: int) -> int:
        return item

    pipe = Pipeline("bounded")
    pipe.source(range(6))
    pipe.processor(work, execution=kind, max_rss="1 GiB")
    with pytest.raises(UsageError, match="max_rss is for workers that are processes"):
        pipe.plan()


@pytest.mark.parametrize("value", [0, -1, "much", True, 1.5])
def test_a_bound_is_a_number_of_bytes(value: object) -> None:
    with pytest.raises(UsageError, match="max_rss is a number of bytes"):
        Pipeline("bounded").processor(len, max_rss=value)

"""Saying where stages run, through the door: hints, limits, fallbacks, state, and what is told."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import signal
import threading
import warnings
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest

from minigun_py import (
    DEFAULT,
    HEAVY_CPU,
    HEAVY_IO,
    CancelToken,
    Pipeline,
    PipelineFailed,
    PlanWarning,
    RunCancelled,
    Stage,
    To,
    UsageError,
    current,
)
from minigun_py.contexts.registry import obstacle_to, traits_of
from minigun_py.contexts.surroundings import look_around
from minigun_py.placement import ALIASES, ContextKind
from minigun_py.plan.hints import parallel_kind

PLAIN = [
    kind for kind in ContextKind if kind is not ContextKind.ASYNC and obstacle_to(kind) is None
]
AWAY = [kind for kind in PLAIN if not traits_of(kind).shares_memory]


def fed(count: int, function: Any, **options: Any) -> Pipeline:
    """A source of numbers, and one stage."""
    pipe = Pipeline("where")
    pipe.source(range(count))
    pipe.processor(function, name="work", **options)
    return pipe


# --------------------------------------------------------------------------- kinds


@pytest.mark.parametrize("alias", ALIASES)
def test_the_words_of_the_original_are_understood(alias: str) -> None:
    plan = fed(1, abs, execution=alias).plan()
    kind = ALIASES[alias]
    assert plan.context_for("work") is (kind if obstacle_to(kind) is None else ContextKind.FORK)


def test_a_coroutine_function_runs_in_coroutines_unless_it_says_otherwise() -> None:
    async def wait(number: int) -> int:
        return number + 1

    pipe = fed(3, wait, workers=2)
    assert pipe.plan().context_for("work") is ContextKind.ASYNC
    assert sorted(pipe.collect()) == [1, 2, 3]


@pytest.mark.parametrize("kind", PLAIN)
def test_a_coroutine_function_means_the_same_in_every_kind(kind: ContextKind) -> None:
    async def twice(number: int) -> AsyncIterator[int]:
        yield number
        yield -number

    assert sorted(fed(3, twice, execution=kind).collect()) == [-2, -1, 0, 0, 1, 2]


def test_coroutines_wait_together() -> None:
    together = threading.Barrier(3)  # whoever comes last lets all go; alone, each would wait

    async def meet(number: int) -> int:
        await asyncio.to_thread(together.wait, 20)
        return number

    assert sorted(fed(6, meet, workers=3, chunk=1).collect()) == list(range(6))


def test_a_plain_function_in_coroutines_is_refused_with_what_to_write() -> None:
    with pytest.raises(UsageError, match="write it with async def, or give it execution='thread'"):
        fed(1, abs, execution="async").run()


def test_a_plain_function_after_a_coroutine_does_not_hold_up_the_loop() -> None:
    async def wait(number: int) -> int:
        return number

    pipe = fed(4, wait)
    pipe.processor(lambda number: threading.current_thread().name, name="plain")
    plan = pipe.plan()
    assert plan.affinity_for("plain") is None
    assert "hold up the coroutines of work" in plan.explain()
    assert len(set(pipe.collect())) == 1


# --------------------------------------------------------------------------- hints and limits


def test_a_stage_that_computes_goes_where_python_is_parallel_here() -> None:
    plan = fed(1, abs, resources=HEAVY_CPU).plan()
    here = look_around()
    assert plan.context_for("work") is parallel_kind(here)
    assert plan.workers_for("work") == here.cpus
    assert "HEAVY_CPU" in plan.explain()


def test_the_number_of_a_hint_is_for_its_own_kind() -> None:
    pipe = fed(1, abs, resources=HEAVY_IO)
    assert pipe.plan().workers_for("work") > 1
    assert pipe.plan(execution="fork").workers_for("work") == 1
    assert pipe.plan(execution="inline").all_inline


def test_a_hint_that_says_nothing_keeps_a_stage_apart_all_the_same() -> None:
    pipe = fed(1, abs)
    pipe.processor(abs, name="next", resources=DEFAULT)
    pipe.processor(abs, name="last", execution="thread")
    assert pipe.plan().affinity_for("next") is None


def test_a_number_that_a_limit_cuts_is_warned_of_once() -> None:
    pipe = Pipeline("bounded", max_threads=3)
    pipe.source(range(20))
    pipe.processor(lambda n: n, name="a", execution="thread", workers=4)
    pipe.processor(lambda n: n, name="b", execution="thread", workers=2)
    with pytest.warns(PlanWarning) as told:
        assert len(pipe.collect()) == 20
    (warning,) = told
    assert "'a' wants 4" in str(warning.message)
    assert warning.filename == __file__
    plan = pipe.plan()
    assert plan.workers_for("a") + plan.workers_for("b") == 3


def test_neighbours_share_their_workers_when_there_are_too_few_for_each() -> None:
    pipe = Pipeline("narrow", max_processes=1)
    pipe.source(range(5))
    pipe.processor(lambda n: n + 1, name="a", execution="fork")
    pipe.processor(lambda n: (n, os.getpid()), name="b", execution="fork")
    assert pipe.plan().affinity_for("b") == "a"
    with pytest.warns(PlanWarning, match="leave no worker for it beside a"):
        assert len({pid for _, pid in pipe.collect()}) == 1


def test_a_stage_that_gets_only_some_items_shares_no_workers() -> None:
    pipe = Pipeline("narrow", max_processes=1)
    pipe.source(range(5))
    pipe.processor(lambda n: To("b", n), name="a", execution="fork", routes="b")
    pipe.processor(lambda n: n, name="b", execution="fork")
    with pytest.raises(UsageError, match=r"max_processes is 1, and a, b need one each"):
        pipe.plan()


def test_too_many_contexts_that_cannot_merge_are_refused() -> None:
    pipe = Pipeline("narrow", max_processes=1)
    pipe.source(range(5))
    pipe.processor(lambda n: n, name="a", execution="fork")
    pipe.batch(2)
    pipe.processor(lambda n: n, name="b", execution="fork")
    with pytest.raises(UsageError, match=r"max_processes is 1, and a, b need one each"):
        pipe.plan()


# --------------------------------------------------------------------------- pre-flight


def test_what_cannot_cross_is_told_with_stage_variable_file_and_line() -> None:
    lock = threading.Lock()

    def parse(number: int) -> int:
        with lock:
            return number

    line = parse.__code__.co_firstlineno
    expected = rf"stage 'work' closes over 'lock' \(threading.Lock\), test_where.py:{line}"
    with pytest.raises(UsageError, match=expected):
        fed(1, parse, execution="process").plan()


def test_a_lock_that_is_held_is_refused_before_a_fork_waits_for_it() -> None:
    lock = threading.Lock()

    def parse(number: int) -> int:
        with lock:
            return number

    pipe = fed(3, parse, execution="fork")
    with lock, pytest.raises(UsageError, match=r"'lock'.*would wait for it for ever"):
        pipe.run()
    assert pipe.collect() == [0, 1, 2]


def test_an_assignment_that_the_program_does_not_see_is_warned_of() -> None:
    total = 0

    def add(number: int) -> None:
        nonlocal total
        total += number

    with pytest.warns(PlanWarning, match="nonlocal total .* emit it instead"):
        fed(3, add, execution="fork").run()
    fed(3, add, execution="thread").run()
    assert total == 3


# --------------------------------------------------------------------------- worker state


@pytest.mark.parametrize("kind", PLAIN)
def test_a_worker_sets_up_once_and_tears_down_once(kind: ContextKind, tmp_path: Any) -> None:
    def connect() -> Iterator[dict[str, int]]:
        (tmp_path / f"up {uuid4()}").touch()
        yield {"seen": 0}
        (tmp_path / f"down {uuid4()}").touch()

    def count(number: int, state: dict[str, int]) -> int:
        state["seen"] += 1
        return state["seen"]

    options = {} if traits_of(kind).one_lease_each else {"chunk": 1}
    outputs = fed(4, count, execution=kind, setup=connect, **options).collect()
    renewed = traits_of(kind).one_lease_each
    assert sorted(outputs) == ([1, 1, 1, 1] if renewed else [1, 2, 3, 4])
    ups, downs = (len(list(tmp_path.glob(f"{name} *"))) for name in ("up", "down"))
    assert ups == downs
    assert ups >= 4 if renewed else ups == 1


@pytest.mark.parametrize("kind", [*PLAIN, ContextKind.ASYNC])
def test_a_setup_that_fails_ends_the_run_naming_its_stage(kind: ContextKind) -> None:
    def connect() -> int:
        raise OSError("no server")

    async def wait(number: int, state: int) -> int:
        return number

    def work(number: int, state: int) -> int:
        return number

    function = wait if kind is ContextKind.ASYNC else work
    with pytest.raises(PipelineFailed) as failed:
        fed(100, function, execution=kind, setup=connect).run()
    error = failed.value.exceptions[0]
    assert isinstance(error, OSError)
    assert "in the setup of stage 'work'" in error.__notes__


@pytest.mark.parametrize("kind", [k for k in PLAIN if k is not ContextKind.INLINE])
def test_no_worker_runs_more_items_than_it_may(kind: ContextKind) -> None:
    def count(number: int, state: list[int]) -> int:
        state.append(number)
        return len(state)

    pipe = fed(20, count, execution=kind, setup=list, max_items_per_worker=3)
    assert max(pipe.collect()) <= 3


def test_coroutines_cannot_be_replaced_one_by_one() -> None:
    async def wait(number: int) -> int:
        return number

    with pytest.raises(UsageError, match="share one event loop"):
        fed(1, wait, max_items_per_worker=3).plan()


@pytest.mark.parametrize("kind", PLAIN)
def test_a_stage_can_learn_where_it_runs_and_end_the_run(kind: ContextKind) -> None:
    def tell(number: int) -> tuple[str, int, int]:
        here = current()
        return here.stage, here.worker, here.attempt

    def end(number: int) -> None:
        if number == 3:
            current().cancel.cancel("seen enough")

    assert fed(1, tell, execution=kind).collect() == [("work", 1, 1)]
    with pytest.raises(RunCancelled, match="seen enough"):
        fed(10**9, end, execution=kind, chunk=1).run()


@pytest.mark.parametrize("kind", PLAIN)
def test_a_stage_can_stop_the_source(kind: ContextKind) -> None:
    def work(number: int) -> int:
        if number == 3:
            current().drain()
        return number

    report = fed(10**9, work, execution=kind, chunk=1, queue_size=4).run()
    assert report["work"].completed == report["source"].emitted >= 4


@pytest.mark.parametrize("kind", AWAY)
def test_workers_log_and_warn_through_the_program(
    kind: ContextKind, caplog: pytest.LogCaptureFixture
) -> None:
    def work(number: int) -> int:
        logging.getLogger("user.code").warning("item %d", number)
        warnings.warn("beware", stacklevel=1)
        current().logger.error("of the stage")
        return number

    with warnings.catch_warnings():  # a forked worker inherits that warnings are errors here
        warnings.simplefilter("always")
        fed(1, work, execution=kind).run()
    told = {record.name: record for record in caplog.records}
    assert told["user.code"].getMessage() == "item 0"
    assert "UserWarning: beware" in told["py.warnings"].getMessage()
    for record in (told["user.code"], told["py.warnings"], told["minigun_py.stage.work"]):
        assert (record.minigun_stage, record.minigun_worker) == ("work", 1)  # type: ignore[attr-defined]


# --------------------------------------------------------------------------- items that are kept


def back_or_on(number: int) -> Any:
    return To("again", number + 10) if number < 50 else number


class KeepsLast(Stage):
    """Gives an item when the next one comes."""

    def setup(self) -> None:
        self.kept: list[int] = []

    def process(self, number: int) -> Iterator[Any]:
        self.kept.append(number)
        if len(self.kept) > 1:
            yield back_or_on(self.kept.pop(0))

    def flush(self) -> Iterator[Any]:
        while self.kept:
            yield back_or_on(self.kept.pop())


class KeepsLastAwaiting(KeepsLast):
    """The same in coroutines."""

    async def process(self, number: int) -> AsyncIterator[Any]:  # type: ignore[override]
        for value in super().process(number):
            await asyncio.sleep(0)
            yield value

    async def flush(self) -> AsyncIterator[Any]:  # type: ignore[override]
        for value in super().flush():
            await asyncio.sleep(0)
            yield value


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("kind", [*PLAIN, ContextKind.ASYNC])
def test_a_loop_ends_with_nothing_kept_in_it(kind: ContextKind, workers: int) -> None:
    if kind is ContextKind.INLINE and workers > 1:
        kind = ContextKind.THREAD
    pipe = Pipeline("loop")
    pipe.source(range(5))
    pipe.processor(abs, name="again", execution="thread")
    stage = KeepsLastAwaiting() if kind is ContextKind.ASYNC else KeepsLast()
    pipe.add(stage, name="keep", feedback="again", execution=kind.value, workers=workers)
    assert sorted(pipe.collect(timeout=60)) == [50, 51, 52, 53, 54]


@pytest.mark.parametrize("kind", [k for k in PLAIN if k is not ContextKind.INLINE])
def test_a_batch_gives_every_item_once_wherever_it_is(kind: ContextKind) -> None:
    pipe = Pipeline("batches")
    pipe.source(range(50))
    pipe.batch(4, execution=kind.value, workers=2, max_items_per_worker=10)
    batches = pipe.collect()
    assert sorted(itertools.chain.from_iterable(batches)) == list(range(50))
    assert max(map(len, batches)) <= 4


@pytest.mark.parametrize("kind", [k for k in PLAIN if traits_of(k).survives_crash])
def test_what_a_killed_worker_has_kept_is_run_again(kind: ContextKind, tmp_path: Any) -> None:
    first = tmp_path / "first"

    class Keep(Stage):
        def setup(self) -> None:
            self.kept: list[int] = []

        def process(self, number: int) -> None:
            if number == 7 and not first.exists():
                first.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            self.kept.append(number)

        def flush(self) -> Iterator[int]:
            yield from self.kept

    pipe = Pipeline("kept")
    pipe.source(range(20))
    pipe.add(Keep(), name="keep", execution=kind.value, chunk=2, on_error="skip")
    assert sorted(pipe.collect()) == [n for n in range(20) if n != 7]


# --------------------------------------------------------------------------- endings


@pytest.mark.parametrize("kind", [*PLAIN])
def test_a_run_that_is_cut_before_it_begins_is_told_as_such(kind: ContextKind) -> None:
    token = CancelToken()
    token.cancel("never mind")
    for run in ("run", "collect"):
        with pytest.raises(RunCancelled, match="never mind") as cancelled:
            getattr(fed(5, abs, execution=kind), run)(cancel=token)
        assert cancelled.value.report is not None

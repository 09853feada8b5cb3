"""Where the original was found to fail when it was run: each finding, and what is right.

The numbers are those of the list of findings. Left out are 23, which is about clusters, and what
only Ruby can get wrong.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from contract.gate import Gate
from faults.session import start
from minigun_py import (
    Job,
    Pipeline,
    PipelineFailed,
    PlanWarning,
    RunCancelled,
    Stage,
    To,
    UsageError,
    WorkerDied,
    consumer,
    processor,
    producer,
)
from originals.kinds import (
    PROCESSES,
    SINGLY,
    in_every_kind,
    in_kinds,
    in_other_memory,
    in_other_processes,
    in_pairs_of_kinds,
    in_quick_kinds,
    pipeline,
    where,
)
from originals.marks import here
from support.processes import open_process

Mark = tuple[int, int, int]

LARGE = 200_000
"""Bytes that fill every pipe."""


@in_kinds("thread", *PROCESSES, "subinterpreter")
def test_1_workers_work_at_the_same_time(kind: str, gate: Gate) -> None:
    """There a pool of ten threads is one, and the option is ignored."""
    pipe = Pipeline("pool")

    @pipe.processor(**where(kind, workers=2))
    def work(number: int) -> int:
        gate.pass_through()
        return number

    with pipe.stream(range(8)) as outputs:
        gate.wait_for(2)
        gate.let_go(8)
        assert sorted(outputs) == list(range(8))


@in_quick_kinds
def test_2_hooks_around_a_run_are_called_once(kind: str) -> None:
    calls: list[str] = []
    pipe = pipeline(kind)
    pipe.before_run(lambda: calls.append("before"))
    pipe.after_run(lambda: calls.append("after"))
    pipe.processor(lambda number: number, name="work")
    pipe.run([1, 2, 3])
    assert calls == ["before", "after"]


@in_other_memory
def test_3_the_execution_of_a_class_counts(kind: str) -> None:
    """There it is dropped, and all runs in the parent."""

    class Elsewhere(Job):
        execution = kind

        @processor
        def work(self, number: int) -> Any:
            return here()

    (mark,) = Elsewhere().pipe.collect([1])
    assert mark[:2] != (os.getpid(), threading.get_ident())
    if kind in PROCESSES:
        assert mark[0] != os.getpid()


@in_every_kind
def test_4_lists_and_none_are_items_like_any_other(kind: str) -> None:
    """There lists are flattened, and None is dropped."""
    values = [[1, 2], [], [[3]], None, False, 0, "", (4, 5), {"six": None}]
    pipe = pipeline(kind, workers=1)

    @pipe.processor
    def pass_on(value: Any) -> Iterator[Any]:
        yield value

    @pipe.processor
    def again(value: Any) -> Iterator[Any]:
        yield value

    outputs = pipe.collect(values)
    assert sorted(map(repr, outputs)) == sorted(map(repr, values))


@in_kinds("cow_fork", "fork", "process")
def test_5_an_error_in_a_worker_costs_its_own_item(kind: str) -> None:
    """There the error on item 1 of 4 leaves [0]."""
    pipe = pipeline(kind, on_error="skip")

    @pipe.processor
    def work(number: int) -> int:
        if number == 1:
            raise ValueError(number)
        return number

    assert sorted(pipe.collect(range(4))) == [0, 2, 3]


@in_other_memory
def test_6_a_result_may_be_larger_than_a_pipe(kind: str) -> None:
    """There 200 KB of a forked worker are a deadlock."""
    pipe = pipeline(kind)
    pipe.processor(lambda number: bytes([number]) * LARGE, name="grow")
    pipe.processor(lambda data: (data[0], len(data)), name="measure", execution="thread")
    assert sorted(pipe.collect(range(6))) == [(number, LARGE) for number in range(6)]


@in_other_memory
def test_6_items_may_be_larger_than_a_pipe_in_both_directions_at_once(kind: str) -> None:
    pipe = pipeline(kind)
    pipe.processor(lambda data: data[::-1], name="turn")
    items = [bytes([number]) * LARGE for number in range(12)]
    assert sorted(pipe.collect(items)) == items


@in_other_processes
def test_7_a_killed_worker_does_not_hang_the_run(kind: str) -> None:
    pipe = Pipeline("killed", on_error="skip")

    @pipe.processor(**where(kind, workers=1), chunk=1)
    def work(number: int) -> int:
        if number == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    with pipe.stream(range(6)) as outputs:
        assert sorted(outputs) == [0, 1, 3, 4, 5]
    (failure,) = outputs.report.failures
    assert isinstance(failure.error, WorkerDied)
    assert (failure.item, "SIGKILL" in str(failure.error)) == (2, True)


@pytest.mark.parametrize("time", range(2))
@in_pairs_of_kinds(("fork", "fork"), ("fork", "cow_fork"), ("cow_fork", "fork"))
def test_8_several_stages_in_forks_never_hang(first: str, second: str, time: int) -> None:
    """There up to 4 runs of 8 do."""
    pipe = Pipeline("two forks")

    @pipe.processor(routes=["process_a", "process_b"], **where(first))
    def split(number: int) -> To[int]:
        return To("process_b" if number % 2 else "process_a", number)

    for name in ("process_a", "process_b"):
        pipe.processor(lambda number: number * 10, name=name, to="gather", **where(second))
    pipe.consumer(lambda number: number, name="gather", **where(first))
    assert sorted(pipe.collect(range(10))) == [number * 10 for number in range(10)]


@in_kinds("thread", *PROCESSES, "subinterpreter")
def test_9_what_a_late_stage_sends_arrives(kind: str, gate: Gate) -> None:
    """There a stage ends with its static upstream, and what is routed to it later is lost."""
    pipe = Pipeline("late")
    pipe.source(["early"], name="fast", to="sink")
    pipe.source(["late"], name="first", to="slow")

    @pipe.processor(routes=["sink"], **where(kind, workers=1))
    def slow(text: str) -> To[str]:
        gate.pass_through()
        return To("sink", text)

    pipe.after("fast")(gate.let_go)
    pipe.consumer(lambda text: text, name="sink")
    assert sorted(pipe.collect()) == ["early", "late"]


@in_quick_kinds
def test_9_a_stage_hears_all_who_may_send_to_it(kind: str) -> None:
    """There it ends with the first of them: [a] of [a, b]."""
    pipe = pipeline(kind)
    pipe.source(["a"], name="first", to="router_a")
    pipe.source(["b"], name="second", to="router_b")
    for name in ("router_a", "router_b"):
        pipe.processor(lambda text: To("sink", text), name=name, routes=["sink"])
    pipe.consumer(lambda text: text, name="sink", **where(kind))
    assert sorted(pipe.collect()) == ["a", "b"]


@in_quick_kinds
def test_10_a_stage_that_nobody_sends_to_ends(kind: str) -> None:
    """There it waits for ever."""
    pipe = pipeline(kind)
    pipe.processor(lambda number: number, name="work", routes=["never"], to="sink")
    pipe.consumer(lambda number: number, name="sink")
    pipe.consumer(lambda number: number, name="never", **where(kind))
    with pipe.stream([1, 2]) as outputs:
        assert sorted(outputs) == [1, 2]
    assert outputs.report["never"].received == 0


@in_quick_kinds
def test_11_no_branch_of_a_fan_out_is_dropped(kind: str) -> None:
    """There a stage after a fan-out hears only the last branch."""
    pipe = pipeline(kind)
    pipe.processor(lambda number: number, name="a", to=["b", "c"])
    pipe.processor(lambda number: ("b", number), name="b")
    pipe.processor(lambda number: ("c", number), name="c")
    pipe.processor(lambda item: item, name="d")
    assert sorted(pipe.collect([1, 2])) == [("b", 1), ("b", 2), ("c", 1), ("c", 2)]


@in_quick_kinds
def test_12_an_edge_may_lead_to_a_stage_within_a_pipeline(kind: str) -> None:
    """There the items are lost."""
    pipe = pipeline(kind)
    pipe.source([1, 2])
    pipe.processor(lambda number: number, name="start", to="nested.second")
    with pipe.pipeline("nested") as nested:
        nested.source([100], name="own", to="first")
        nested.processor(lambda number: number + 1000, name="first")
        nested.processor(lambda number: number * 2, name="second")
    assert sorted(pipe.collect()) == [2, 4, 2200]


@in_kinds("inline", "thread", "fork", "cow_fork")
def test_13_the_hooks_of_a_nested_pipeline_are_called(kind: str) -> None:
    """There its stage and fork hooks never are."""
    calls: list[str] = []
    pipe = pipeline(kind)
    with pipe.pipeline("nested") as nested:
        nested.before_run(lambda: calls.append("before_run"))
        nested.after_run(lambda: calls.append("after_run"))
        nested.before("work")(lambda: calls.append("before"))
        nested.after("work")(lambda: calls.append("after"))
        nested.before_fork(lambda: calls.append("before_fork"))
        nested.after_fork(lambda: calls.append("after_fork"))
        nested.processor(lambda number: list(calls), name="work")
    in_worker = pipe.collect([1])[0]
    forked = kind in ("fork", "cow_fork")
    began = ["before_run", "before", *(["before_fork"] if forked else [])]
    assert calls[0] == "before_run"
    assert sorted(calls[: len(began)]) == sorted(began)
    assert calls[len(began) :] == ["after", "after_run"]
    assert in_worker[-1] == ("after_fork" if forked else "before")


@in_quick_kinds
def test_14_pipelines_nest_to_any_depth(kind: str) -> None:
    """There two deep is an error."""
    pipe = pipeline(kind)
    with pipe.pipeline("one") as one:
        one.processor(lambda number: number + 1, name="add")
        with one.pipeline("two") as two:
            two.processor(lambda number: number * 10, name="times")
            with two.pipeline("three") as three:
                three.processor(lambda number: -number, name="minus")
    with pipe.stream([1, 2]) as outputs:
        assert sorted(outputs) == [-30, -20]
    assert "one.two.three.minus" in outputs.report.stages


@in_every_kind
def test_15_a_batch_in_workers_gives_back_all_that_it_was_given(kind: str) -> None:
    """There six items in batches of four, with two workers, are all lost."""
    pipe = Pipeline("batches")
    pipe.batch(4, **where(kind, workers=2))
    batches = pipe.collect(range(6))
    assert sorted(chain.from_iterable(batches)) == list(range(6))
    assert max(map(len, batches)) <= 4


@in_kinds("inline", "thread", "fork", "process", "subinterpreter")
def test_15_a_batch_in_one_worker_is_full_but_for_the_last(kind: str) -> None:
    """There each item is a batch of its own."""
    pipe = Pipeline("batches")
    pipe.batch(4, **where(kind, workers=1))
    assert sorted(map(len, pipe.collect(range(10))), reverse=True) == [4, 4, 2]


@in_every_kind
def test_15_an_accumulator_in_workers_keeps_what_it_holds_for_the_end(kind: str) -> None:
    class Total(Stage):
        def setup(self) -> None:
            self.total = 0

        def process(self, item: int) -> None:
            self.total += item

        def flush(self) -> int:
            return self.total

    pipe = Pipeline("sum")
    pipe.add(Total(), **where(kind, workers=2))
    totals = pipe.collect(range(1, 21))
    assert sum(totals) == 210
    assert len(totals) <= (20 if kind == SINGLY else 2)


ENDLESS = """
    pipe = Pipeline("endless")
    @pipe.producer
    def numbers():
        yield from itertools.count()
    @pipe.consumer(execution=sys.argv[1], workers=2, queue_size=2)
    def work(number):
        if number == 9:
            say("working")
    pipe.run()
"""


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("fork", signal.SIGINT),
        ("fork", signal.SIGTERM),
        ("cow_fork", signal.SIGINT),
        ("process", signal.SIGTERM),
    ],
)
def test_16_no_worker_outlives_a_program_that_is_told_to_end(kind: str, number: int) -> None:
    """There the workers are orphans, and go on."""
    with start(ENDLESS, kind) as program:
        assert program.hear() == "working"
        assert len(program.members()) > 1
        program.signal(number)
        assert program.wait() != 0
        assert [pid for pid in program.members() if not ends_within(pid, 2.0)] == []


def ends_within(pid: int, seconds: float) -> bool:
    """Whether a process ends within so many seconds."""
    try:
        watch = open_process(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watch], [], [], seconds)[0])
    finally:
        os.close(watch)


@in_kinds("thread", *PROCESSES)
def test_17_what_is_cancelled_does_not_go_on(kind: str, gate: Gate) -> None:
    """There the workers of a stopped run go on in the background."""
    done: list[tuple[int, Mark]] = []
    pipe = Pipeline("stopped")

    @pipe.producer
    def endless() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    @pipe.processor(**where(kind, workers=1), chunk=1)
    def work(number: int) -> tuple[int, Mark]:
        if number == 20:
            gate.pass_through()
        return number, here()

    pipe.consumer(done.append, name="collect")

    run = pipe.start()
    gate.wait_for(1)
    run.cancel("enough")
    gate.let_go()
    with pytest.raises(RunCancelled, match="enough") as cancelled:
        run.wait()
    assert not run.running
    assert 0 < cancelled.value.report["collect"].received <= 21
    assert not any(works(mark) for _, mark in done)


def works(mark: Mark) -> bool:
    """Whether a worker that has given its mark has not ended, nor is about to."""
    pid, ident, _ = mark
    if pid != os.getpid():
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return False
        return state not in "ZX"
    thread = next((t for t in threading.enumerate() if t.ident == ident), None)
    if thread is not None:
        thread.join(2.0)
    return thread is not None and thread.is_alive()


@in_quick_kinds
def test_18_a_pipeline_with_a_fan_out_runs_again(kind: str) -> None:
    """There the second run hangs."""
    pipe = pipeline(kind)
    pipe.source(range(4), to=["a", "b"])
    pipe.processor(lambda number: ("a", number), name="a", to="join")
    pipe.processor(lambda number: ("b", number), name="b", to="join")
    pipe.consumer(lambda item: item, name="join")
    expected = [(name, number) for name in "ab" for number in range(4)]
    for _ in range(2):
        assert sorted(pipe.collect()) == expected


@pytest.mark.parametrize("wrong", ["processes", "threads", "fork_pool", "fiberr"])
def test_19_a_kind_that_does_not_exist_is_refused_where_it_is_said(wrong: str) -> None:
    """There such a pipeline hangs."""
    pipe = Pipeline("misspelt")
    with pytest.raises(
        UsageError, match=f"no kind of execution '{wrong}'.*(did you mean|there are)"
    ):
        pipe.processor(abs, execution=wrong)


@in_every_kind
def test_20_errors_reach_the_caller_and_are_counted(kind: str) -> None:
    """There a run with lost items returns as if nothing had been."""
    pipe = pipeline(kind)

    @pipe.processor
    def work(number: int) -> float:
        return 1 / number

    with pytest.raises(PipelineFailed) as failed:
        pipe.run([1, 0])
    (error,) = failed.value.exceptions
    assert isinstance(error, ZeroDivisionError)
    assert failed.value.report["work"].failed == 1
    report = pipe.run([1, 0, 0], on_error="skip")
    assert (report["work"].skipped, report["work"].completed) == (2, 1)


@in_quick_kinds
def test_20_the_error_of_a_producer_reaches_the_caller(kind: str) -> None:
    pipe = pipeline(kind)

    @pipe.producer
    def numbers() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    pipe.processor(lambda number: number, name="work")
    with pytest.raises(PipelineFailed) as failed:
        pipe.run()
    assert [str(error) for error in failed.value.exceptions] == ["the disk is gone"]


@in_every_kind
def test_21_a_worker_yields_to_the_stage_that_it_names(kind: str) -> None:
    """There a fork sends it to the usual targets."""
    pipe = pipeline(kind)

    @pipe.processor(to="usual", routes=["named"])
    def work(number: int) -> Iterator[Any]:
        yield number
        yield To("named", -number)

    for name in ("usual", "named"):

        @pipe.consumer(name=name)
        def take(number: int, name: str = name) -> tuple[str, int]:
            return name, number

    assert sorted(pipe.collect([1, 2])) == [
        ("named", -2),
        ("named", -1),
        ("usual", 1),
        ("usual", 2),
    ]


@in_kinds("thread", *PROCESSES, "subinterpreter")
def test_22_what_is_in_flight_reaches_the_end_when_a_run_is_drained(kind: str, gate: Gate) -> None:
    """There all that is in the middle of a pipeline is dropped."""
    collected: list[int] = []
    pipe = Pipeline("drained", queue_size=4)

    @pipe.producer
    def endless() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    @pipe.processor(**where(kind, workers=2), chunk=1)
    def first(number: int) -> int:
        if number == 10:
            gate.pass_through()
        return number

    pipe.processor(lambda number: number, name="second", execution="thread", workers=2)
    pipe.processor(lambda number: number, name="third", **where(kind), chunk=1)
    pipe.consumer(collected.append, name="collect")
    run = pipe.start()
    gate.wait_for(1)
    run.drain()
    gate.let_go()
    report = run.wait()
    produced = report["endless"].emitted
    assert produced > 10
    assert sorted(collected) == list(range(produced))
    assert all(book.cancelled == book.discarded == 0 for book in report.stages.values())


@in_kinds("thread", *PROCESSES, "subinterpreter")
def test_24_the_bottleneck_is_the_stage_that_is_slow(kind: str) -> None:
    """There it is the hidden router of a fan-out, or a filter, or the sink."""
    pipe = Pipeline("slow in the middle")

    @pipe.producer(to=["slow", "other"])
    def numbers() -> Iterator[int]:
        yield from range(20)

    @pipe.processor(to="keep", **where(kind, workers=1))
    def slow(number: int) -> int:
        return number if sum(range(200_000)) else 0

    @pipe.processor(to="keep", **where(kind, workers=1))
    def other(number: int) -> int:
        return number

    @pipe.processor(execution="thread")
    def keep(number: int) -> int | None:
        return number if number % 10 == 0 else None

    pipe.consumer(lambda number: None, name="sink")
    report = pipe.run()
    assert report.bottleneck == "slow"
    assert list(report.stages) == ["numbers", "slow", "other", "keep", "sink"]


@in_other_memory
def test_25_what_a_worker_counts_in_its_copy_is_warned_of(kind: str) -> None:
    """There the program checks a counter that its children have changed, and finds 0."""
    count = 0

    def work(number: int) -> int:
        nonlocal count
        count += 1
        return number

    pipe = Pipeline("counted")
    pipe.processor(work, **where(kind))
    with pytest.warns(PlanWarning, match="nonlocal count .* emit it instead"):
        report = pipe.run(range(5))
    assert count == 0
    assert report["work"].completed == 5


@in_quick_kinds
def test_25_the_report_is_there_after_the_run(kind: str) -> None:
    """There a class that asks for its statistics when it has run crashes."""

    class Counted(Job):
        execution = kind

        def __init__(self) -> None:
            self.results: Counter[str] = Counter()

        @producer
        def numbers(self) -> Iterator[int]:
            yield from range(18)

        @processor
        def label(self, number: int) -> str:
            return "even" if number % 2 == 0 else "odd"

        @consumer
        def collect(self, text: str) -> None:
            self.results[text] += 1

    job = Counted()
    report = job.run()
    assert job.results == {"even": 9, "odd": 9}
    assert [book.emitted for book in report.stages.values()][:2] == [18, 18]
    assert str(report).startswith("Counted: ended well")
    assert report.to_dict()["stages"]["collect"]["completed"] == 18

"""A run does what its steps say, in every kind, and tells how each ended."""

from __future__ import annotations

import asyncio
import os
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faults.kinds import KINDS, traits_for
from minigun_py import (
    HEAVY_CPU,
    HEAVY_IO,
    CancelToken,
    JobCancelled,
    NotPicklable,
    Results,
    Retry,
    StepState,
    UsageError,
    WorkerDied,
    Workflow,
    current,
)
from minigun_py.events import (
    Event,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepRetried,
    StepSkipped,
    StepStarted,
)

FOR_EVER = 1000.0
LIMIT = 30.0

in_every_kind = pytest.mark.parametrize("kind", KINDS)
however = pytest.mark.parametrize("sequential", [False, True], ids=["beside", "one by one"])


def for_kind(kind: str, function: Callable[..., Any], *names: str) -> Callable[..., Any]:
    """The same as a coroutine function, where these are wanted; with these parameters."""
    if not traits_for(kind).runs_coroutines:
        return function

    async def awaited(**given: Any) -> Any:
        return function(**given)

    given = ", ".join(f"{name}={name}" for name in names)
    code = f"async def step({', '.join(names)}):\n    return await f({given})"
    names_here: dict[str, Any] = {"f": awaited}
    exec(code, names_here)
    return names_here["step"]  # type: ignore[no-any-return]


def numbers() -> list[int]:
    return [1, 2, 3]


def double(number: int) -> int:
    return 2 * number


def total(doubled: list[int]) -> int:
    return sum(doubled)


def wrong() -> int:
    raise ValueError("wrong")


# ----------------------------------------------------------------- kinds


@in_every_kind
def test_results_go_from_step_to_step_in_every_kind(kind: Any) -> None:
    wf = Workflow("wf")
    wf.step(for_kind(kind, numbers), name="numbers", execution=kind)
    each = {"number": "numbers"}
    wf.step(for_kind(kind, double, "number"), name="doubled", each=each, execution=kind)
    wf.step(for_kind(kind, total, "doubled"), name="total", execution=kind)
    wf.step(for_kind(kind, wrong), name="wrong", execution=kind)
    results = wf.run()
    assert results.values == {"numbers": [1, 2, 3], "doubled": [2, 4, 6], "total": 12}
    assert isinstance(results["wrong"].error, ValueError)
    assert results["total"].type is int
    assert results["wrong"].type is None
    for result in results.steps.values():
        assert (result.attempts, result.start is not None, result.duration > 0) == (1, True, True)


@however
def test_a_step_can_learn_of_where_it_runs(sequential: bool) -> None:
    wf = Workflow("wf")
    wf.step(lambda: current().cancel.cancelled, name="asks")
    assert wf.run(sequential=sequential)["asks"].value is False


def test_hints_choose_the_kind() -> None:
    wf = Workflow("wf")
    wf.step(os.getpid, name="computes", resources=HEAVY_CPU, execution="fork")
    wf.step(lambda: threading.get_ident(), name="waits", resources=HEAVY_IO)
    results = wf.run()
    assert results["computes"].value != os.getpid()
    assert results["waits"].value != threading.get_ident()
    assert results["computes"].peak_memory is not None
    assert results["waits"].peak_memory is None


def test_what_cannot_cross_to_a_process_fails_its_step_alone() -> None:
    wf = Workflow("wf")
    wf.step(lambda: threading.Lock(), name="lock")
    wf.step(lambda lock: lock, name="uses", execution="fork")
    wf.step(lambda lock: lock.locked(), name="looks", execution="thread")
    results = wf.run()
    assert isinstance(results["uses"].error, NotPicklable)
    assert results["looks"].value is False


def test_a_worker_that_dies_fails_its_step_alone() -> None:
    wf = Workflow("wf")
    wf.step(lambda: os.kill(os.getpid(), 9), name="dies", execution="fork")
    wf.step(lambda: 1, name="lives", execution="fork")
    results = wf.run()
    assert isinstance(results["dies"].error, WorkerDied)
    assert results["lives"].value == 1


# ----------------------------------------------------------------- what begins when


def test_ready_steps_run_side_by_side() -> None:
    wf, meet = Workflow("wf"), threading.Barrier(3, timeout=LIMIT)
    for name in ("a", "b", "c"):
        wf.step(lambda: meet.wait() >= 0, name=name, resources=HEAVY_IO)
    assert wf.run().values == {"a": True, "b": True, "c": True}


def test_a_step_begins_when_its_own_dependencies_have_ended_and_not_a_whole_layer() -> None:
    wf, late = Workflow("wf"), threading.Event()
    wf.step(lambda: late.wait(LIMIT), name="slow", resources=HEAVY_IO)
    wf.step(lambda: 1, name="quick", resources=HEAVY_IO)
    wf.step(lambda quick: late.set(), name="after_quick", resources=HEAVY_IO)
    assert wf.run()["slow"].value is True


@pytest.mark.parametrize(
    "options",
    [
        {"run": {"max_cpu": 1}, "step": {}},
        {"run": {"max_io": 1}, "step": {"resources": HEAVY_IO}},
        {"run": {"max_cpu": 8}, "step": {"limits": "database"}},
        {"run": {"max_cpu": 8}, "step": {"execution": "inline"}},
    ],
    ids=["cpu", "io", "named", "inline"],
)
def test_slots_and_limits_bound_how_many_run_at_once(options: Any) -> None:
    wf, running, most = Workflow("wf", limits={"database": 1}), [0], [0]
    lock = threading.Lock()

    def count() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0)
        with lock:
            running[0] -= 1

    for number in range(12):
        wf.step(count, name=f"step{number}", **options["step"])
    assert wf.run(**options["run"]).ok
    assert most == [1]


def test_the_environment_says_how_many_slots_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    wf = Workflow("wf")
    wf.step(lambda: 1, name="one")
    wf.step(lambda: 1, name="two", resources=HEAVY_IO)
    for name in ("MINIGUN_CPU_WORKERS", "MINIGUN_IO_WORKERS"):
        monkeypatch.setenv(name, "many")
        with pytest.raises(UsageError, match=f"{name} is a whole number from 1 on, not 'many'"):
            wf.run()
        monkeypatch.setenv(name, "3")
    assert wf.run().ok


def test_of_what_is_ready_the_head_of_the_longest_path_begins() -> None:
    wf, order = Workflow("wf"), list[str]()
    for name, after in [("short", ()), ("x", ()), ("y", "x"), ("z", "y")]:
        wf.step(lambda name=name: order.append(name), name=name, after=after)
    wf.run(sequential=True)
    assert order in (["x", "y", "short", "z"], ["x", "y", "z", "short"])


def test_measured_durations_of_earlier_runs_say_what_is_urgent() -> None:
    wf, order = Workflow("wf"), list[str]()
    seconds = {"quick": 0.0, "also_quick": 0.0, "slow": 0.25}
    for name, length in seconds.items():
        wf.step(lambda n=name, s=length: (time.sleep(s), order.append(n)), name=name)
    wf.run(sequential=True)
    assert order == ["quick", "also_quick", "slow"]
    order.clear()
    wf.run(sequential=True)
    assert order[0] == "slow"
    assert wf.plan().critical_path == ("slow",)


def test_few_trivial_steps_run_in_the_caller() -> None:
    from minigun_py import LIGHT_CPU

    wf = Workflow("wf")
    for number in range(3):
        wf.step(lambda: threading.get_ident(), name=f"who{number}", resources=LIGHT_CPU)
    assert set(wf.run().values.values()) == {threading.get_ident()}
    wf.step(lambda: threading.get_ident(), name="unknown")
    assert threading.get_ident() not in wf.run().values.values()


def test_steps_known_to_be_quick_run_in_the_caller_the_next_time() -> None:
    wf = Workflow("wf")
    wf.step(lambda: threading.get_ident(), name="who")
    assert wf.run()["who"].value != threading.get_ident()
    # on a busy machine it may have been interrupted, so it has more than one chance
    assert any(wf.run()["who"].value == threading.get_ident() for _ in range(50))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"limits": "disk"}, "no limit 'disk' is known .'db'.; say how much there is"),
        ({"limits": {"db": 3}}, "it needs 3 db, and there are never more than 2"),
        ({"execution": "thread", "timeout": 1}, "a thread cannot be stopped"),
    ],
)
def test_what_can_never_run_is_refused_before_anything_begins(options: Any, words: str) -> None:
    wf, ran = Workflow("wf", limits={"db": 2}), list[int]()
    wf.step(lambda: ran.append(1), name="first")
    wf.step(lambda: 1, name="never", after="first", **options)
    for use in (wf.run, wf.plan, wf.dry_run):
        with pytest.raises(UsageError, match=words):
            use()
    assert ran == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"parallel": 2}, "run has no option 'parallel'"),
        ({"max_cpus": 2}, "no option 'max_cpus'; did you mean 'max_cpu'"),
        ({"max_io": 0}, "max_io"),
        ({"memory": "much"}, "memory is a number of bytes, or text such as '2GiB', not 'much'"),
        ({"timeout": -1}, "timeout"),
        ({"on_error": "ignore"}, "on_error is 'skip', 'fail', or a function"),
        ({"sequential": 1}, "sequential is True or False"),
        ({"progress": "yes"}, "progress is a function of an event"),
        ({"progress": ["yes"]}, "progress is a function of an event"),
        ({"cancel": True}, "cancel is a CancelToken"),
    ],
)
def test_options_of_a_run_are_checked(options: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Workflow("wf").run(**options)


# ----------------------------------------------------------------- conditions and instances


@however
def test_a_step_whose_condition_does_not_hold_is_skipped_with_what_needs_it(
    sequential: bool,
) -> None:
    wf = Workflow("wf")
    wf.step(lambda: [], name="rows")

    def there_are_any(rows: list[int], least: int = 1) -> bool:
        return len(rows) >= least

    wf.step(lambda rows: rows[0], name="first", when=there_are_any)
    wf.step(lambda first: first, name="uses")
    wf.step(lambda first=None: first, name="may_use")
    results = wf.run(sequential=sequential)
    for name in ("first", "uses"):
        assert results[name].state is StepState.SKIPPED
        assert results[name].cause == "its condition there_are_any does not hold"
    assert results["uses"].chain == ("rows", "first", "uses")
    assert results["may_use"].ok
    assert results.ok


def test_a_condition_that_raises_fails_its_step() -> None:
    wf = Workflow("wf")
    wf.step(lambda: 1, name="one", when=lambda: 1 / 0)
    assert isinstance(wf.run()["one"].error, ZeroDivisionError)


def test_a_mapped_step_that_fails_for_some_keeps_what_the_others_gave() -> None:
    wf = Workflow("wf")
    wf.step(lambda: [1, 0, 2, 0], name="number")
    wf.step(lambda number: 10 // number, name="tenth", each="number")
    wf.step(lambda tenth: tenth, name="uses")
    results = wf.run()
    tenth = results["tenth"]
    assert [part.state.value for part in tenth.instances] == ["completed", "failed"] * 2
    assert [part.value for part in tenth.instances] == [10, None, 5, None]
    assert tenth.instances[1].name == "tenth[1]"
    assert isinstance(tenth.error, ExceptionGroup)
    assert len(tenth.error.exceptions) == 2
    assert results["uses"].cause is tenth.error


def test_several_lists_go_side_by_side_and_inputs_may_be_lists_too() -> None:
    wf = Workflow("wf")
    wf.step(lambda: "ab", name="letters", when=lambda: False)
    wf.step(lambda n, m, k: n * m + k, name="sum", each={"n": "ns", "m": "ms"})
    inputs = {"ns": [1, 2], "ms": (3, 4), "k": 5}
    assert wf.run(inputs=inputs)["sum"].value == [8, 13]
    uneven = wf.run(inputs={**inputs, "ms": [1]})["sum"]
    assert isinstance(uneven.error, ValueError)


@pytest.mark.parametrize("value", ["text", 7])
def test_what_is_no_list_cannot_be_gone_through(value: object) -> None:
    wf = Workflow("wf")
    wf.step(lambda rows: rows, name="each_row", each="rows")
    error = wf.run(inputs={"rows": value})["each_row"].error
    assert "runs for each element of 'rows', which is to be a list" in str(error)


def test_over_nothing_a_mapped_step_gives_nothing() -> None:
    wf = Workflow("wf")
    wf.step(lambda rows: rows, name="each_row", each="rows")
    wf.step(lambda each_row: len(each_row), name="count")
    assert wf.run(inputs={"rows": []}).values == {"each_row": [], "count": 0}


# ----------------------------------------------------------------- failures


@however
def test_what_depends_on_a_failed_step_is_skipped_and_the_rest_goes_on(sequential: bool) -> None:
    wf = Workflow("wf")
    wf.step(numbers)
    wf.step(lambda numbers: numbers[9], name="pick")
    wf.step(lambda pick: pick, name="uses")
    wf.step(lambda: 1, name="later", after="uses")
    wf.step(lambda numbers: len(numbers), name="count")
    results = wf.run(sequential=sequential)
    error = results["pick"].error
    assert isinstance(error, IndexError)
    assert "in step 'pick', by way of numbers -> pick" in getattr(error, "__notes__", [])
    assert [results[n].cause for n in ("pick", "uses", "later")] == [error] * 3
    assert results["later"].chain == ("numbers", "pick", "uses", "later")
    assert results.in_state("skipped") == ("uses", "later")
    assert results.values == {"numbers": [1, 2, 3], "count": 3}
    assert not results.ok
    with pytest.raises(ExceptionGroup) as raised:
        results.raise_failures()
    assert raised.value.exceptions == (error,)


@however
@pytest.mark.parametrize(
    "options",
    [{"fail_fast": True}, {"on_error": "fail"}, {"on_error": lambda result: "fail"}],
    ids=["fail_fast", "on_error", "function"],
)
def test_one_failure_may_end_it_all(sequential: bool, options: Any) -> None:
    wf = Workflow("wf")
    wf.step(wrong)
    for number in range(20):
        wf.step(lambda: 1, name=f"after{number}", after=f"after{number - 1}" if number else ())
    results = wf.run(sequential=sequential, **options)
    error = results["wrong"].error
    assert isinstance(error, ValueError)
    last = results["after19"]
    assert (last.state, last.cause) == (StepState.CANCELLED, error)
    with pytest.raises(ExceptionGroup) as raised:
        results.raise_failures()
    assert any(isinstance(e, JobCancelled) for e in raised.value.exceptions)


def test_a_function_decides_which_failure_ends_it_all() -> None:
    wf = Workflow("wf")
    wf.step(wrong)
    wf.step(lambda: 1, name="last", after="middle")
    wf.step(lambda: 1, name="middle")
    decided: list[str] = []

    def decide(result: Any) -> Any:
        decided.append(result.name)
        return "skip"

    assert wf.run(on_error=decide)["last"].ok
    assert decided == ["wrong"]


def test_a_deciding_function_that_raises_ends_it_all_and_the_error_says_so() -> None:
    wf = Workflow("wf")
    wf.step(wrong)
    wf.step(lambda: 1, name="last", after="wrong")
    error = wf.run(on_error=lambda result: 1 / 0)["wrong"].error  # type: ignore[arg-type,return-value]
    assert any("on_error itself raised ZeroDivisionError" in n for n in error.__notes__)  # type: ignore[union-attr]


@however
def test_a_step_is_tried_again(sequential: bool) -> None:
    wf, tries = Workflow("wf"), list[int]()

    @wf.step(retry=Retry(3, on=ValueError, backoff=0))
    def third() -> int:
        tries.append(1)
        if len(tries) < 3:
            raise ValueError(len(tries))
        return len(tries)

    told: list[Event] = []
    result = wf.run(sequential=sequential, progress=told.append)["third"]
    assert (result.value, result.attempts) == (3, 3)
    assert [type(event) for event in told] == [StepStarted, StepRetried] * 2 + [
        StepStarted,
        StepCompleted,
    ]


def test_warnings_are_kept() -> None:
    wf = Workflow("wf")
    wf.step(lambda: warnings.warn("careful", UserWarning, stacklevel=1), name="warns")
    assert [w.message for w in wf.run()["warns"].warnings] == ["careful"]


# ----------------------------------------------------------------- time and cancel


def test_a_step_that_takes_too_long_is_stopped_and_its_siblings_are_whole(tmp_path: Path) -> None:
    wf, mark = Workflow("wf"), tmp_path / "pid"

    @wf.step(timeout=2)
    def hangs() -> None:
        mark.write_text(str(os.getpid()))
        time.sleep(FOR_EVER)

    wf.step(lambda: 1, name="sibling", execution="fork")
    wf.step(lambda hangs: 1, name="uses")
    results = wf.run()
    assert isinstance(results["hangs"].error, TimeoutError)
    assert results["sibling"].value == 1
    assert results["uses"].state is StepState.SKIPPED
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


def test_a_coroutine_that_takes_too_long_is_cancelled() -> None:
    wf, told = Workflow("wf"), list[str]()

    @wf.step(timeout=1)
    async def hangs() -> None:
        try:
            await asyncio.sleep(FOR_EVER)
        except asyncio.CancelledError:
            told.append("cancelled")
            raise

    assert isinstance(wf.run()["hangs"].error, TimeoutError)
    assert told == ["cancelled"]


def test_all_of_it_may_take_only_so_long() -> None:
    wf = Workflow("wf")
    wf.step(lambda: 1, name="quick", execution="fork")
    wf.step(lambda quick: time.sleep(FOR_EVER), name="hangs", execution="fork")
    wf.step(lambda hangs: 1, name="uses")
    results = wf.run(timeout=3)
    assert results["quick"].value == 1
    assert isinstance(results["hangs"].error, TimeoutError)
    assert results["uses"].state is StepState.CANCELLED


@pytest.mark.parametrize("kind", ["thread", "fork", "async"])
def test_a_token_ends_it(kind: str) -> None:
    wf, token = Workflow("wf"), CancelToken()

    if kind == "thread":
        wf.step(lambda: current().cancel.wait(), name="runs", execution="thread")
    elif kind == "fork":
        wf.step(lambda: time.sleep(FOR_EVER), name="runs", execution="fork")
    else:

        @wf.step(name="runs")
        async def sleeps() -> None:
            await asyncio.sleep(FOR_EVER)

    wf.step(lambda runs: runs, name="never")

    def cancel(event: Event) -> None:
        if isinstance(event, StepStarted):
            threading.Thread(target=token.cancel, args=("enough",)).start()

    results = wf.run(cancel=token, progress=cancel)
    assert (results["never"].state, results["never"].cause) == (StepState.CANCELLED, "enough")
    assert results["runs"].state in (StepState.CANCELLED, StepState.COMPLETED)


def test_a_token_that_is_cancelled_already_lets_nothing_begin() -> None:
    wf, token, told = Workflow("wf"), CancelToken(), list[Event]()
    wf.step(lambda: 1, name="one")
    token.cancel("before")
    result = wf.run(cancel=token, progress=[told.append])["one"]
    assert (result.state, result.cause, result.attempts) == (StepState.CANCELLED, "before", 0)
    assert [type(event) for event in told] == [StepCancelled]


def test_a_task_that_is_cancelled_cancels_its_run() -> None:
    wf, begun = Workflow("wf"), threading.Event()
    ended: list[bool] = []

    @wf.step
    def waits() -> None:
        begun.set()
        ended.append(current().cancel.wait(LIMIT))

    async def main() -> None:
        task = asyncio.create_task(wf.arun())
        await asyncio.to_thread(begun.wait, LIMIT)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert ended == [True]


def test_a_run_can_be_awaited() -> None:
    wf = Workflow("wf")
    wf.step(lambda: 1, name="one")
    results: Results = asyncio.run(wf.arun())
    assert results.values == {"one": 1}


# ----------------------------------------------------------------- cleaning up


@however
def test_what_began_is_cleaned_up_the_last_first(sequential: bool) -> None:
    wf, told = Workflow("wf"), list[Any]()
    wf.step(lambda path: path + "/data", name="download")
    wf.step(lambda download: 1 / 0, name="parse")
    wf.step(lambda parse: 1, name="report")

    @wf.cleanup("download")
    def remove(download: str, path: str) -> None:
        told.append(("remove", download, path))

    @wf.cleanup("parse")
    def roll_back(result: Any, parse: Any) -> None:
        told.append(("roll back", result.state.value, parse))

    @wf.cleanup("report")
    def never() -> None:
        told.append("never")

    wf.run(inputs={"path": "/tmp"}, sequential=sequential)
    assert told == [("roll back", "failed", None), ("remove", "/tmp/data", "/tmp")]


def test_a_cleanup_that_raises_keeps_no_other_from_running() -> None:
    wf, told = Workflow("wf"), list[int]()
    wf.step(lambda: 1, name="one")
    wf.step(lambda one: 1, name="two")
    wf.cleanup("one", lambda: told.append(1))
    wf.cleanup("two", lambda: 1 / 0)
    results = wf.run()
    assert told == [1]
    assert not results.ok
    assert results["two"].ok
    [error] = results.cleanup_errors
    assert "while cleaning up after step 'two'" in error.__notes__
    with pytest.raises(ExceptionGroup, match="1 errors in 2 steps"):
        results.raise_failures()


def test_a_step_of_a_part_is_cleaned_up_too() -> None:
    part, told = Workflow("part"), list[Any]()
    part.step(lambda rows: len(rows), name="count")
    part.cleanup("count", lambda count, rows: told.append((count, rows)))
    wf = Workflow("wf")
    wf.add(part, inputs={"rows": "all_rows"})
    wf.run(inputs={"all_rows": [1, 2]})
    assert told == [(2, [1, 2])]


def test_after_an_interrupt_it_is_cleaned_up_as_well() -> None:
    wf, told = Workflow("wf"), list[Any]()

    @wf.step
    def interrupted() -> None:
        raise KeyboardInterrupt

    wf.cleanup("interrupted", lambda result: told.append(result.state.value))
    with pytest.raises(KeyboardInterrupt):
        wf.run(sequential=True)
    assert told == ["cancelled"]


# ----------------------------------------------------------------- progress


def test_whatever_happens_to_a_step_is_told_and_a_callback_that_raises_breaks_nothing() -> None:
    wf = Workflow("wf")
    wf.step(lambda: 1, name="one")
    wf.step(lambda one: 1 / 0, name="two")
    wf.step(lambda two: 1, name="three")
    told: list[Event] = []

    def breaks(event: Event) -> None:
        raise ValueError(event)

    with pytest.warns(RuntimeWarning, match="gets no further events"):
        results = wf.run(progress=[breaks, told.append])
    assert [(type(e), e.step) for e in told] == [  # type: ignore[attr-defined]
        (StepStarted, "one"),
        (StepCompleted, "one"),
        (StepStarted, "two"),
        (StepFailed, "two"),
        (StepSkipped, "three"),
    ]
    assert "one: completed, two: failed, three: skipped" in repr(results)
    assert ("two" in list(results), len(results)) == (True, 3)
    assert results.total_duration > 0

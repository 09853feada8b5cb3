"""The door: what `Pipeline` promises to those who declare stages and run them."""

from __future__ import annotations

import functools
import itertools
import json
import operator
import os
import select
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from minigun_py import (
    CancelToken,
    NotPicklable,
    Pipeline,
    PipelineFailed,
    RunCancelled,
    RunReport,
    RunTimedOut,
    UsageError,
    WorkerDied,
)
from minigun_py.engine.lending import Lending
from minigun_py.engine.shutdown import PATIENCE, Phase
from minigun_py.events import Event, ItemFailed, RunEnded, RunStarted, StageEnded
from minigun_py.placement import LATER_KINDS
from minigun_py.run_options import LATER_RUN_OPTIONS
from minigun_py.testing.clock import VirtualClock

KINDS = ("inline", "thread", "fork")
MOMENT = 10.0
"""Seconds after which a test gives up a wait that should have ended long before."""

each_kind = pytest.mark.parametrize("kind", KINDS)


def fed(items: Any, *functions: Callable[..., Any], **options: Any) -> Pipeline:
    """A source and processors; the options are those of every processor."""
    pipe = Pipeline("test")
    pipe.source(items)
    for number, function in enumerate(functions):
        pipe.processor(function, name=f"stage_{number}", **options)
    return pipe


def double(n: int) -> int:
    return 2 * n


def fail_on_three(n: int) -> int:
    if n == 3:
        raise ValueError("three")
    return n


def assert_books_balance(report: RunReport) -> None:
    for name, stage in report.stages.items():
        if name in ("source", "items", "numbers"):
            continue
        ends = stage.completed + stage.filtered + stage.failed + stage.skipped + stage.cancelled
        assert stage.received == ends, name


# ------------------------------------------------------------------- declaring


@pytest.mark.parametrize("role", ["producer", "processor", "consumer"])
def test_a_decorator_returns_the_function_unchanged(role: str) -> None:
    pipe = Pipeline()

    def work(item: int = 0) -> int:
        return item

    assert getattr(pipe, role)(work) is work
    assert getattr(pipe, role)(name="again")(work) is work
    assert getattr(pipe, role)(work, name="third") is work
    assert work(5) == 5


def test_a_stage_is_declared_in_three_forms() -> None:
    pipe = Pipeline()

    @pipe.processor
    def bare(item: int) -> int:
        return item

    @pipe.processor(workers=4)
    def with_options(item: int) -> int:
        return item

    pipe.processor(json.loads, name="load")

    assert [pipe[name].name for name in ("bare", "with_options", "load")] == [
        "bare", "with_options", "load",
    ]  # fmt: skip
    assert pipe["with_options"].options.workers == 4


def test_a_stage_takes_the_name_of_its_function_unless_given_one() -> None:
    pipe = Pipeline()
    pipe.processor(double)
    pipe.processor(double, name="twice")
    assert (pipe["double"].name, pipe["twice"].name) == ("double", "twice")


def test_a_function_without_a_name_needs_one() -> None:
    with pytest.raises(UsageError, match="name="):
        Pipeline().processor(lambda n: n)
    with pytest.raises(UsageError, match="name="):
        Pipeline().processor(functools.partial(operator.add, 1))


def test_a_name_twice_is_refused_with_the_places_of_both() -> None:
    pipe = Pipeline()
    pipe.processor(double)
    with pytest.raises(UsageError, match=r"'double'.*test_pipeline\.py:\d+.*test_pipeline\.py:\d+"):
        pipe.processor(double)


def test_an_unknown_stage_is_a_key_error_with_the_nearest_name() -> None:
    pipe = Pipeline()
    pipe.processor(double)
    with pytest.raises(KeyError, match="did you mean 'double'"):
        pipe["duoble"]


def test_an_unknown_option_is_refused_with_the_nearest_and_the_place() -> None:
    with pytest.raises(
        UsageError, match=r"test_pipeline\.py:\d+.*'worker'.*did you mean 'workers'"
    ):
        Pipeline().processor(double, worker=2)


def test_an_unknown_option_of_the_pipeline_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'workers'"):
        Pipeline("p", worker=2)


def test_an_unknown_run_option_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'timeout'"):
        fed([1], double).run(time_out=3)


WRONG_VALUES: list[tuple[str, Any]] = [
    ("execution", "thred"),
    ("execution", 3),
    ("workers", 0),
    ("workers", True),
    ("workers", "many"),
    ("queue_size", 0),
    ("queue_size", 1.5),
    ("chunk", -1),
    ("ordered", "yes"),
    ("ack", "told"),
    ("on_error", "ignore"),
    ("routing", "random"),
    ("key", "day"),
    ("rate", "fast"),
    ("stream", 1),
]


@pytest.mark.parametrize(("option", "value"), WRONG_VALUES)
def test_a_wrong_value_is_refused_with_the_option_and_the_value(option: str, value: Any) -> None:
    with pytest.raises(UsageError, match=option) as refused:
        Pipeline().processor(double, **{option: value})
    assert repr(value) in str(refused.value)


@pytest.mark.parametrize("option", sorted(LATER_RUN_OPTIONS))
def test_a_later_run_option_is_refused_by_name(option: str) -> None:
    with pytest.raises(UsageError, match=f"{option}.*not available in this version"):
        fed([1], double).run(**{option: None})


@pytest.mark.parametrize("kind", sorted(LATER_KINDS))
def test_a_later_kind_is_refused_by_name(kind: str) -> None:
    with pytest.raises(UsageError, match=f"{kind}.*not available in this version"):
        Pipeline().processor(double, execution=kind)


def test_a_number_of_workers_that_changes_is_refused() -> None:
    with pytest.raises(UsageError, match="not available in this version"):
        Pipeline().processor(double, workers=(1, 4))


@pytest.mark.parametrize(
    ("option", "value"), [("key", "day"), ("max_bytes", 0), ("max_pending", 1.5)]
)
def test_a_wrong_option_of_a_batch_is_refused_with_its_place(option: str, value: Any) -> None:
    with pytest.raises(UsageError, match=rf"'batch' \(.*test_pipeline\.py:\d+\): {option}"):
        Pipeline().batch(2, **{option: value})


def test_an_unknown_method_is_an_attribute_error_and_no_more() -> None:
    with pytest.raises(AttributeError, match="colect") as missing:
        Pipeline().colect  # noqa: B018
    assert not isinstance(missing.value, UsageError)


def with_state(item: int, state: Any) -> int:
    return item


def with_extra(item: int, extra: int) -> int:
    return item


def without_item() -> int:
    return 1


@pytest.mark.parametrize("function", [with_state, with_extra, without_item, 5])
def test_a_function_that_no_stage_can_call_is_refused(function: Any) -> None:
    with pytest.raises(UsageError):
        Pipeline().processor(function, name="stage")


def test_a_function_of_any_number_of_items_is_a_stage(capsys: pytest.CaptureFixture[str]) -> None:
    pipe = Pipeline()
    pipe.consumer(print)
    pipe.run(["hello"])
    assert capsys.readouterr().out == "hello\n"


def test_a_source_is_iterable() -> None:
    with pytest.raises(UsageError, match="iterable, not 5"):
        Pipeline().source(5)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, -1, 1.5, None])
def test_a_batch_has_a_size(size: Any) -> None:
    with pytest.raises(UsageError, match="size"):
        Pipeline().batch(size)


@pytest.mark.parametrize("max_wait", [0, -1, float("nan")])
def test_a_batch_waits_for_more_than_nothing(max_wait: float) -> None:
    with pytest.raises(UsageError, match="max_wait"):
        Pipeline().batch(2, max_wait)


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_run_is_given_more_time_than_none(timeout: float) -> None:
    with pytest.raises(UsageError, match="timeout"):
        fed([1], double).run(timeout=timeout)


def test_options_for_an_unknown_stage_are_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'stage_0'"):
        fed([1], double).run(stages={"stage_O": {"workers": 2}})


def test_a_pipeline_without_stages_does_not_run() -> None:
    with pytest.raises(UsageError, match="no stages"):
        Pipeline().run()


def test_a_pipeline_without_a_producer_says_how_to_get_one() -> None:
    pipe = Pipeline()
    pipe.processor(double)
    with pytest.raises(UsageError, match=r"pipe\.source.*pipe\.run\(items\)"):
        pipe.run()


def test_a_cycle_is_refused_in_full_before_the_first_item() -> None:
    pipe = Pipeline()
    pipe.source([1])
    pipe.processor(double, name="a", to="b")
    pipe.processor(double, name="b", to="a")
    with pytest.raises(UsageError, match=r": a \(.*\) -> b \(.*\) -> a; "):
        pipe.run()


def test_a_target_that_does_not_exist_is_refused_with_the_nearest() -> None:
    pipe = Pipeline()
    pipe.source([1], to="dubble")
    pipe.processor(double)
    with pytest.raises(UsageError, match=r"'dubble'.*did you mean 'double'"):
        pipe.run()


def test_a_stage_that_nothing_can_reach_is_refused() -> None:
    pipe = Pipeline()
    pipe.processor(double, name="lonely")
    pipe.source([1])
    pipe.consumer(double, name="end")
    pipe.processor(double, name="late", to="end")
    with pytest.raises(UsageError, match="never receive"):
        pipe.run()


def test_workers_of_the_pipeline_without_a_kind_are_threads_or_an_error_of_usage() -> None:
    pipe = Pipeline(workers=2)
    pipe.processor(double)
    assert sorted(pipe.collect([1, 2])) == [2, 4]


# ----------------------------------------------------------------------- edges


@each_kind
def test_stages_without_edges_form_a_chain(kind: str) -> None:
    pipe = fed(range(1, 4), double, str)
    assert pipe.collect(execution=kind) == ["2", "4", "6"]


@each_kind
def test_a_diamond_gives_each_branch_every_item_and_joins_them(kind: str) -> None:
    pipe = Pipeline()
    pipe.source([1, 2, 3], to=["a", "b"])
    pipe.processor(lambda n: ("a", 2 * n), name="a")
    pipe.processor(lambda n: ("b", 10 * n), name="b")
    pipe.processor(lambda pair: pair, name="join")
    outputs = pipe.collect(execution=kind)
    assert [n for branch, n in outputs if branch == "a"] == [2, 4, 6]
    assert [n for branch, n in outputs if branch == "b"] == [10, 20, 30]


@pytest.mark.parametrize("kind", ["inline", "thread"])
def test_a_broadcast_hands_the_same_object_to_every_target(kind: str) -> None:
    items = [object(), object()]
    pipe = Pipeline()
    pipe.source(items, to=["a", "b"])
    pipe.processor(lambda item: item, name="a")
    pipe.processor(lambda item: item, name="b")
    outputs = pipe.collect(execution=kind)
    assert Counter(map(id, outputs)) == {id(items[0]): 2, id(items[1]): 2}


@each_kind
def test_a_round_robin_deals_ten_items_as_four_three_three(kind: str) -> None:
    pipe = Pipeline()
    pipe.source(range(10), to=["a", "b", "c"], routing="round_robin")
    for name in "abc":
        pipe.processor(lambda n, name=name: (name, n), name=name, to="end")
    pipe.processor(lambda pair: pair, name="end")
    outputs = pipe.collect(execution=kind)
    dealt = {name: [n for target, n in outputs if target == name] for name in "abc"}
    assert dealt == {"a": [0, 3, 6, 9], "b": [1, 4, 7], "c": [2, 5, 8]}


def test_siblings_that_say_nothing_all_feed_the_next_stage() -> None:
    pipe = Pipeline()
    pipe.source([1, 2], to=["a", "b"])
    for name in "ab":
        pipe.processor(lambda n, name=name: (name, n), name=name)
    seen: list[Any] = []
    pipe.consumer(seen.append, name="end")
    pipe.run()
    assert sorted(seen) == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]


def test_a_stage_may_name_its_sources_with_from() -> None:
    pipe = Pipeline()
    numbers = pipe.source([1, 2], name="numbers", to="a")
    pipe.processor(double, name="a")
    pipe.consumer(lambda n: ("tapped", n), name="tap", from_=[numbers])
    assert sorted(map(str, pipe.collect())) == ["('tapped', 1)", "('tapped', 2)", "2", "4"]


def test_targets_may_be_named_by_function_and_before_they_are_defined() -> None:
    pipe = Pipeline()

    def later(n: int) -> tuple[str, int]:
        return "later", n

    pipe.source([1], to=later)
    pipe.processor(double, to="end")
    pipe.processor(later, to="end")
    pipe.consumer(lambda item: item, name="end", from_=double)
    with pytest.raises(UsageError, match=r"'double'.*never receive"):
        pipe.run()
    pipe = Pipeline()
    pipe.source([1], to=[later, double])
    pipe.processor(double)
    pipe.processor(later)
    assert sorted(map(str, pipe.collect())) == ["('later', 1)", "2"]


def test_a_consumer_ends_its_branch() -> None:
    pipe = Pipeline()
    pipe.source([1, 2])
    pipe.consumer(double, name="end")
    pipe.source([3], name="more")
    pipe.consumer(str, name="other")
    assert sorted(map(str, pipe.collect())) == ["2", "3", "4"]


# -------------------------------------------------------------------- emission

AWKWARD_ITEMS: list[Any] = [[1, 2], (3, 4), {"a": 5}, False, 0, "", [], (), {}, b"", frozenset()]


@each_kind
def test_items_of_any_shape_pass_whole(kind: str) -> None:
    pipe = fed(AWKWARD_ITEMS, lambda item: item, execution=kind)
    assert pipe.collect() == AWKWARD_ITEMS


@each_kind
def test_returning_none_emits_nothing(kind: str) -> None:
    pipe = fed(range(6), lambda n: n if n % 2 else None, execution=kind)
    stream = pipe.stream()
    assert list(stream) == [1, 3, 5]
    assert (stream.report["stage_0"].completed, stream.report["stage_0"].filtered) == (3, 3)


@each_kind
def test_yielding_emits_each_value_and_none_too(kind: str) -> None:
    def work(n: int) -> Iterator[Any]:
        yield n
        yield None
        yield [n]

    pipe = fed([1, 2], work, lambda item: (item,), execution=kind)
    assert pipe.collect() == [(1,), (None,), ([1],), (2,), (None,), ([2],)]


@each_kind
def test_yielding_nothing_emits_nothing(kind: str) -> None:
    def work(n: int) -> Iterator[int]:
        yield from range(n)

    pipe = fed([0, 2], work, execution=kind)
    assert pipe.collect() == [0, 1]


@each_kind
def test_output_emits_from_a_callback_and_the_return_comes_last(kind: str) -> None:
    def work(n: int, output: Callable[[Any], None]) -> str:
        for value in (n, None, [n]):
            output(value)
        return "returned"

    pipe = fed([1], work, lambda item: (item,), execution=kind)
    assert pipe.collect() == [(1,), (None,), ([1],), ("returned",)]


@each_kind
def test_a_list_that_is_returned_is_one_item(kind: str) -> None:
    assert fed([3], lambda n: [n] * n, execution=kind).collect() == [[3, 3, 3]]


def test_sending_to_a_named_target_is_refused_until_it_exists() -> None:
    def work(n: int, output: Any) -> None:
        output(n, to="elsewhere")

    with pytest.raises(PipelineFailed) as failed:
        fed([1], work, on_error="skip").run()
    assert isinstance(failed.value.exceptions[0], UsageError)


def test_a_producer_yields_returns_or_pushes() -> None:
    pipe = Pipeline()

    @pipe.producer(to="end")
    def yields() -> Iterator[int]:
        yield from (1, 2)

    @pipe.producer(to="end")
    def returns() -> list[int]:
        return [3]

    @pipe.producer(to="end")
    def pushes(output: Callable[[int], None]) -> None:
        output(4)
        output(5)

    pipe.processor(lambda item: item, name="end")
    for kind in KINDS:
        assert sorted(map(str, pipe.collect(execution=kind))) == ["1", "2", "4", "5", "[3]"]


def test_a_consumer_gives_outputs_too() -> None:
    pipe = Pipeline()
    pipe.source([1, 2])
    pipe.consumer(double)
    stream = pipe.stream()
    assert list(stream) == [2, 4]
    assert stream.report["double"].completed == 2


def test_a_consumer_stays_with_the_caller() -> None:
    pipe = fed([1, 2], lambda n: os.getpid(), execution="fork")
    seen: list[tuple[int, int]] = []

    @pipe.consumer
    def keep(pid: int) -> None:
        seen.append((pid, os.getpid()))

    pipe.run()
    assert len(seen) == 2
    assert {mine for _, mine in seen} == {os.getpid()}
    assert os.getpid() not in {theirs for theirs, _ in seen}


# --------------------------------------------------------------- source, batch


@each_kind
def test_items_of_a_run_replace_the_producers(kind: str) -> None:
    pipe = fed([1, 2, 3], double)
    assert pipe.collect([10, 20], execution=kind) == [20, 40]
    assert pipe.collect(execution=kind) == [2, 4, 6]
    assert pipe.run([]).stages["stage_0"].received == 0


def test_items_feed_a_pipeline_without_a_producer() -> None:
    pipe = Pipeline()
    pipe.processor(double)
    assert pipe.collect(iter([1, 2])) == [2, 4]


def test_a_source_of_any_iterable_will_do() -> None:
    class Sequence:
        def __getitem__(self, index: int) -> int:
            return [1, 2][index]

    assert fed(Sequence(), double).collect() == [2, 4]


def test_items_that_are_not_iterable_are_refused() -> None:
    with pytest.raises(UsageError):
        fed([1], double).run(5)  # type: ignore[arg-type]


@each_kind
def test_a_batch_is_full_or_the_rest(kind: str) -> None:
    pipe = fed(range(7), double, execution=kind)
    pipe.batch(3)
    assert pipe.collect() == [[0, 2, 4], [6, 8, 10], [12]]


def test_an_empty_stream_gives_no_batch() -> None:
    pipe = Pipeline()
    pipe.batch(3)
    assert pipe.collect([]) == []


def test_batches_of_batches_are_lists_of_lists() -> None:
    pipe = Pipeline()
    pipe.batch(2, name="pairs")
    pipe.batch(2, name="fours")
    assert pipe.collect(range(5)) == [[[0, 1], [2, 3]], [[4]]]


def test_a_batch_goes_when_its_time_is_up_although_no_item_comes() -> None:
    pipe = Pipeline()
    seen = threading.Event()
    in_time: list[bool] = []

    @pipe.producer
    def pausing() -> Iterator[int]:
        yield 1
        in_time.append(seen.wait(MOMENT))
        yield 2

    pipe.batch(100, max_wait=0.01)

    @pipe.consumer(execution="thread")
    def arrived(batch: list[int]) -> list[int]:
        seen.set()
        return batch

    assert pipe.collect() == [[1], [2]]
    assert in_time == [True]


def test_a_batch_inline_goes_before_the_first_item_after_its_time() -> None:
    clock = VirtualClock()
    pipe = Pipeline()

    @pipe.producer
    def every_second() -> Iterator[int]:
        for n in range(5):
            yield n
            clock.advance(1.0)

    pipe.batch(100, max_wait=2.0)
    assert pipe.collect(clock=clock, execution="inline") == [[0, 1], [2, 3], [4]]


# --------------------------------------------------------------------- running


@each_kind
def test_a_pipeline_runs_again(kind: str) -> None:
    pipe = fed([1, 2, 3], double)
    pipe.batch(2)
    assert pipe.collect(execution=kind) == pipe.collect(execution=kind) == [[2, 4], [6]]


@each_kind
def test_a_pipeline_runs_several_times_at_once(kind: str) -> None:
    pipe = fed(range(50), double)
    pipe.batch(20)
    results: list[list[Any]] = []
    threads = [
        threading.Thread(target=lambda: results.append(pipe.collect(execution=kind)), daemon=True)
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(MOMENT)
    evens = list(range(0, 100, 2))
    assert results == [[evens[:20], evens[20:40], evens[40:]]] * 4


def test_an_inline_run_has_no_threads_and_no_queues(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_channel(*_: Any, **__: Any) -> None:
        raise AssertionError("a queue was opened")

    monkeypatch.setattr("minigun_py.engine.doorways.open_channel", no_channel)
    pipe = Pipeline()
    pipe.source(range(3), to=["a", "b"], routing="round_robin")
    pipe.processor(lambda n: set(threading.enumerate()), name="a", execution="fork", workers=4)
    pipe.processor(lambda n: set(threading.enumerate()), name="b", execution="thread", workers=4)
    pipe.batch(2)
    before = set(threading.enumerate())
    seen = [threads for batch in pipe.collect(execution="inline") for threads in batch]
    assert seen == [before] * 3


def test_an_inline_run_follows_each_item_to_its_end() -> None:
    journal: list[str] = []
    pipe = Pipeline()

    @pipe.producer
    def numbers() -> Iterator[int]:
        for n in (1, 2):
            journal.append(f"made {n}")
            yield n

    pipe.processor(lambda n: journal.append(f"seen {n}"), name="see")
    pipe.collect()
    assert journal == ["made 1", "seen 1", "made 2", "seen 2"]


def test_options_of_a_stage_change_for_one_run() -> None:
    pipe = fed(range(3), double)
    changed = pipe.run(stages={"stage_0": {"execution": "thread", "workers": 3}})
    assert changed["stage_0"].workers == 3
    assert pipe.run()["stage_0"].workers == 1


def test_the_run_names_the_kind_over_every_stage() -> None:
    pipe = fed(range(4), lambda n: os.getpid(), execution="fork", workers=2)
    assert os.getpid() not in pipe.collect()
    assert set(pipe.collect(execution="inline")) == {os.getpid()}
    assert set(pipe.collect(execution="thread")) == {os.getpid()}


def test_go_brrr_is_run() -> None:
    assert Pipeline.go_brrr is Pipeline.run


@pytest.mark.parametrize("kind", ["thread", "fork"])
def test_a_stage_uses_all_of_its_workers_at_once(kind: str) -> None:
    with Gate() as gate:
        pipe = fed(range(2), gate.meet, execution=kind, workers=2, chunk=1)
        assert sorted(pipe.collect()) == [(0, True), (1, True)]


class Gate:
    """Holds item 0 until item 1 has come, across threads and forks."""

    def __enter__(self) -> Gate:
        self._read, self._write = os.pipe()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._read)
        os.close(self._write)

    def meet(self, n: int) -> tuple[int, bool]:
        """The item, and whether the other one came within the time."""
        if n == 0:
            return n, bool(select.select([self._read], [], [], MOMENT)[0])
        os.write(self._write, b"x")
        return n, True


@pytest.mark.parametrize("ordered", [True, False])
def test_ordered_keeps_the_order_that_threads_would_lose(ordered: bool) -> None:
    one_is_out = threading.Event()

    def uneven(n: int) -> int:
        if n == 0:
            assert one_is_out.wait(MOMENT)
        if n == 1:
            one_is_out.set()
        return n

    pipe = fed(range(8), uneven, execution="thread", workers=2, chunk=1, ordered=ordered)
    outputs = pipe.collect()
    assert sorted(outputs) == list(range(8))
    if ordered:
        assert outputs == list(range(8))


@pytest.mark.parametrize("kind", ["thread", "fork"])
def test_ordered_keeps_the_order_of_uneven_work(kind: str) -> None:
    def uneven(n: int) -> int:
        return n + 0 * sum(range(50_000 if n % 7 == 0 else 10))

    for chunk in (1, 3, None):
        pipe = fed(range(200), uneven, execution=kind, workers=3, chunk=chunk, ordered=True)
        assert pipe.collect() == list(range(200))


def test_ordered_keeps_the_order_if_a_worker_dawdles_between_taking_and_lending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lend, first_came, second_lent = Lending._lend, threading.Event(), threading.Event()

    def dawdle(lending: Lending, *arguments: Any) -> Any:
        if not first_came.is_set():
            first_came.set()
            second_lent.wait(0.2)  # in vain, if taking and lending are one step
            return lend(lending, *arguments)
        lease = lend(lending, *arguments)
        second_lent.set()
        return lease

    monkeypatch.setattr(Lending, "_lend", dawdle)
    pipe = fed(range(10), double, execution="thread", workers=2, chunk=1, ordered=True)
    assert pipe.collect() == list(range(0, 20, 2))


def test_ordered_leaves_a_gap_where_an_item_was_skipped() -> None:
    pipe = fed(range(6), fail_on_three, execution="fork", workers=2, ordered=True, on_error="skip")
    assert pipe.collect() == [0, 1, 2, 4, 5]


@pytest.mark.parametrize("kind", ["thread", "fork"])
def test_a_full_queue_stops_the_source(kind: str) -> None:
    drawn = itertools.count()
    pipe = Pipeline()
    pipe.source(next(drawn) for _ in itertools.count())
    pipe.processor(double, execution=kind, queue_size=3, chunk=1)
    pipe.consumer(lambda n: n, name="end", execution="thread", queue_size=3, chunk=1)
    with pipe.stream() as stream:
        assert [next(stream) for _ in range(3)] == [0, 2, 4]
    # Two queues, a window per worker, one item in each hand, and the outputs: far from endless.
    assert next(drawn) < 1100


# -------------------------------------------------------------------- failures


@each_kind
def test_the_error_names_pipeline_stage_and_item(kind: str) -> None:
    pipe = fed(range(6), fail_on_three, execution=kind)
    with pytest.raises(PipelineFailed) as failed:
        pipe.run()
    assert failed.value.message == "pipeline 'test' failed in stage 'stage_0' on item 3"
    (error,) = failed.value.exceptions
    assert isinstance(error, ValueError)
    assert error.__notes__ == ["in stage 'stage_0', on item 3, attempt 1"]


@each_kind
def test_a_failure_comes_with_a_report_whose_books_balance(kind: str) -> None:
    with pytest.raises(PipelineFailed) as failed:
        fed(range(6), fail_on_three, double, execution=kind, queue_size=1).run()
    report = failed.value.report
    assert not report.ok
    assert report["stage_0"].failed == 1
    assert [(f.stage, f.item) for f in report.failures] == [("stage_0", 3)]
    assert_books_balance(report)


@each_kind
def test_a_failure_late_in_a_chain_names_its_own_stage_and_item(kind: str) -> None:
    pipe = fed([0, 1], lambda n: n + 2, fail_on_three, double, execution=kind)
    with pytest.raises(PipelineFailed, match="in stage 'stage_1' on item 3"):
        pipe.run()


@each_kind
def test_skipped_items_are_left_out_counted_and_listed(kind: str) -> None:
    stream = fed(range(6), fail_on_three, execution=kind, on_error="skip").stream()
    assert list(stream) == [0, 1, 2, 4, 5]
    report = stream.report
    assert report.ok
    assert (report["stage_0"].skipped, report["stage_0"].failed) == (1, 0)
    assert [(f.stage, f.item, str(f.error)) for f in report.failures] == [("stage_0", 3, "three")]
    assert_books_balance(report)


def test_the_policy_of_a_run_is_over_that_of_every_stage() -> None:
    pipe = fed(range(6), fail_on_three, on_error="fail")
    assert pipe.collect(on_error="skip") == [0, 1, 2, 4, 5]
    pipe = fed(range(6), fail_on_three, on_error="skip")
    with pytest.raises(PipelineFailed):
        pipe.collect(on_error="fail")


def test_the_policy_of_the_pipeline_holds_where_a_stage_says_nothing() -> None:
    pipe = Pipeline(on_error="skip")
    pipe.processor(fail_on_three)
    assert pipe.collect(range(5)) == [0, 1, 2, 4]


@each_kind
def test_a_producer_that_raises_fails_the_run_whatever_the_policy(kind: str) -> None:
    pipe = Pipeline(on_error="skip")

    @pipe.producer
    def broken() -> Iterator[int]:
        yield 1
        raise OSError("disk")

    pipe.processor(double, execution=kind)
    with pytest.raises(PipelineFailed, match="broken") as failed:
        pipe.run()
    assert isinstance(failed.value.exceptions[0], OSError)


def test_a_worker_that_exits_costs_the_item_it_ran() -> None:
    def work(n: int) -> int:
        if n == 3:
            os._exit(7)
        return n

    stream = fed(range(8), work, execution="fork", workers=2, on_error="skip").stream()
    assert sorted(stream) == [0, 1, 2, 4, 5, 6, 7]
    (failure,) = stream.report.failures
    assert failure.item == 3
    assert isinstance(failure.error, WorkerDied)
    assert failure.error.status == 7


@each_kind
def test_sys_exit_in_a_stage_is_a_failure_of_its_item(kind: str) -> None:
    def work(n: int) -> int:
        if n == 1:
            raise SystemExit(4)
        return n

    with pytest.raises(PipelineFailed, match="on item 1") as failed:
        fed([0, 1], work, execution=kind).run()
    (error,) = failed.value.exceptions
    assert isinstance(error, WorkerDied)
    assert error.status == 4


def test_a_result_that_cannot_be_pickled_is_an_error_of_its_item() -> None:
    def work(n: int) -> Any:
        return threading.Lock() if n == 2 else n

    stream = fed(range(4), work, execution="fork", on_error="skip").stream()
    assert sorted(stream) == [0, 1, 3]
    (failure,) = stream.report.failures
    assert (failure.stage, failure.item) == ("stage_0", 2)
    assert isinstance(failure.error, NotPicklable)


def test_a_group_that_was_split_keeps_the_report() -> None:
    with pytest.raises(PipelineFailed) as failed:
        fed([3], fail_on_three).run()
    part = failed.value.subgroup(ValueError)
    assert part is not None
    assert part.report["stage_0"].failed == 1


# ------------------------------------------------------- cancelling and ending


@each_kind
def test_a_cancelled_token_ends_the_run_with_its_reason(kind: str) -> None:
    token = CancelToken()
    pipe = Pipeline()
    pipe.source(itertools.count())
    pipe.processor(double, execution=kind, queue_size=5)

    @pipe.consumer
    def stop(n: int) -> None:
        if n == 20:
            token.cancel("enough")

    with pytest.raises(RunCancelled) as cancelled:
        pipe.run(cancel=token)
    assert cancelled.value.reason == "enough"
    assert not cancelled.value.report.ok
    assert_books_balance(cancelled.value.report)


@each_kind
def test_a_token_cancelled_before_the_run_lets_nothing_happen(kind: str) -> None:
    token = CancelToken()
    token.cancel("too late")
    with pytest.raises(RunCancelled, match="too late"):
        fed([1, 2], double, execution=kind).run(cancel=token)


def test_the_end_of_a_run_does_not_cancel_the_callers_token() -> None:
    token = CancelToken()
    with pytest.raises(PipelineFailed):
        fed([3], fail_on_three).run(cancel=token)
    assert not token.cancelled


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_out_of_time_raises_with_the_report(kind: str) -> None:
    pipe = fed(itertools.count(), double, execution=kind, queue_size=5)
    with pytest.raises(RunTimedOut) as timed_out:
        pipe.run(timeout=0.05)
    assert timed_out.value.seconds == 0.05
    assert not timed_out.value.report.ok
    assert_books_balance(timed_out.value.report)


def test_an_inline_run_looks_at_its_time_between_items() -> None:
    clock = VirtualClock()
    pipe = fed(range(10), lambda n: clock.advance(1.0) or n)
    outputs: list[int] = []
    with pytest.raises(RunTimedOut):
        outputs.extend(pipe.stream(timeout=3.0, clock=clock))
    assert outputs == [0, 1, 2]


def test_a_run_within_its_time_is_not_disturbed() -> None:
    assert fed(range(3), double, execution="thread").collect(timeout=60) == [0, 2, 4]


# ------------------------------------------------------------------- observers


@each_kind
def test_observers_see_the_run_begin_and_end(kind: str) -> None:
    events: list[Event] = []
    fed([1], double, execution=kind).run(observers=[events.append])
    started = [event for event in events if isinstance(event, RunStarted)]
    assert [(event.pipeline, event.stages) for event in started] == [
        ("test", ("source", "stage_0"))
    ]
    assert isinstance(events[-1], RunEnded)
    assert (events[-1].pipeline, events[-1].ok) == ("test", True)


@each_kind
def test_the_beginning_of_a_run_is_told_first(kind: str) -> None:
    events: list[Event] = []
    fed([1], double, execution=kind).run(observers=[events.append])
    assert isinstance(events[0], RunStarted)


@each_kind
def test_observers_see_every_stage_end(kind: str) -> None:
    events: list[Event] = []
    fed([1], double, execution=kind).run(observers=[events.append])
    assert {e.stage for e in events if isinstance(e, StageEnded)} == {"source", "stage_0"}


@each_kind
def test_observers_see_what_failed_and_what_was_made_of_it(kind: str) -> None:
    events: list[Event] = []
    fed(range(5), fail_on_three, execution=kind, on_error="skip").run(observers=[events.append])
    (failed,) = [event for event in events if isinstance(event, ItemFailed)]
    assert (failed.stage, failed.item, str(failed.error), failed.action) == (
        "stage_0", 3, "three", "skip",
    )  # fmt: skip


def test_an_observer_that_raises_is_dropped_with_one_warning() -> None:
    calls: list[Event] = []
    seen: list[Event] = []

    def broken(event: Event) -> None:
        calls.append(event)
        raise ValueError("observer")

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        report = fed([1, 2], double).run(observers=[broken, seen.append])
    assert report.ok
    assert len(calls) == 1
    assert len(seen) >= 2
    assert [w.category for w in told] == [RuntimeWarning]


# ---------------------------------------------------------------------- stream


@each_kind
def test_a_stream_that_is_closed_early_ends_everything(kind: str) -> None:
    closed = threading.Event()
    pipe = Pipeline()

    @pipe.producer
    def numbers() -> Iterator[int]:
        try:
            yield from itertools.count()
        finally:
            closed.set()

    pipe.processor(double, execution=kind)
    with pipe.stream() as stream:
        assert [next(stream), next(stream)] == [0, 2]
    assert closed.is_set()
    assert list(stream) == []
    assert_books_balance(stream.report)  # and no_leaks looks for what was left


@each_kind
def test_a_stream_tells_its_report_while_it_runs_and_at_the_end(kind: str) -> None:
    stream = fed(range(4), double, execution=kind).stream()
    assert next(stream) == 0
    assert 1 <= stream.report.outputs <= 4
    assert list(stream) == [2, 4, 6]
    assert stream.report.outputs == 4
    assert stream.report["stage_0"].completed == 4


@each_kind
def test_the_end_of_a_stream_that_is_closed_early_is_told(kind: str) -> None:
    events: list[Event] = []
    pipe = fed(itertools.count(), double, execution=kind)
    with pipe.stream(observers=[events.append]) as stream:
        next(stream)
    assert [event for event in events if isinstance(event, RunEnded)] == [events[-1]]


def test_a_stream_gives_what_came_before_a_failure() -> None:
    outputs: list[int] = []
    with pytest.raises(PipelineFailed):
        outputs.extend(fed(range(6), fail_on_three).stream())
    assert outputs == [0, 1, 2]


def test_a_stream_is_lazy_when_everything_is_inline() -> None:
    drawn: list[int] = []
    pipe = fed((drawn.append(n) or n for n in itertools.count()), double)
    with pipe.stream() as stream:
        next(stream)
    assert drawn == [0]


def test_the_report_of_a_stream_out_of_time_is_not_ok() -> None:
    stream = fed(itertools.count(), double).stream(timeout=0.05)
    with pytest.raises(RunTimedOut):
        list(stream)
    assert not stream.report.ok


def test_an_exception_of_the_caller_closes_the_stream_and_goes_on() -> None:
    with pytest.raises(ZeroDivisionError), fed(itertools.count(), double).stream() as stream:
        next(stream)
        raise ZeroDivisionError
    assert list(stream) == []


# ----------------------------------------------------------------------- start


@each_kind
def test_a_started_run_is_waited_for(kind: str) -> None:
    run = fed(range(5), double, execution=kind).start()
    report = run.wait(MOMENT)
    assert report["stage_0"].completed == 5
    assert not run.running


@each_kind
def test_drain_stops_producing_and_ends_what_is_in_flight(kind: str) -> None:
    pipe = Pipeline()
    pipe.source(itertools.count())
    pipe.processor(double, execution=kind)
    some, seen = threading.Event(), []

    @pipe.consumer
    def keep(n: int) -> None:
        seen.append(n)
        if len(seen) == 10:
            some.set()

    run = pipe.start()
    assert some.wait(MOMENT)
    assert run.running
    run.drain()
    report = run.wait(MOMENT)
    assert report.ok
    assert report["source"].emitted == report["keep"].completed == len(seen)
    assert seen == [2 * n for n in range(len(seen))]


@each_kind
def test_cancel_cuts_a_started_run(kind: str) -> None:
    some = threading.Event()
    pipe = fed(itertools.count(), double, execution=kind)
    pipe.consumer(lambda n: some.set(), name="end")
    run = pipe.start()
    assert some.wait(MOMENT)
    run.cancel("no more")
    with pytest.raises(RunCancelled, match="no more"):
        run.wait(MOMENT)
    assert not run.running


@each_kind
def test_waiting_in_vain_raises_timeout_error_and_the_run_goes_on(kind: str) -> None:
    gate = threading.Event()
    pipe = fed(range(3), double, execution=kind)
    pipe.consumer(lambda n: gate.wait(MOMENT), name="end")
    run = pipe.start()
    with pytest.raises(TimeoutError):
        run.wait(0.01)
    assert run.running
    gate.set()
    assert run.wait(MOMENT)["end"].completed == 3


def test_statistics_are_the_report_as_it_stands() -> None:
    begun, gate = threading.Event(), threading.Event()

    def work(n: int) -> int:
        if n == 2:
            begun.set()
            assert gate.wait(MOMENT)
        return n

    run = fed(range(4), work, execution="thread", chunk=1).start()
    assert begun.wait(MOMENT)
    assert run.statistics()["stage_0"].completed == 2
    gate.set()
    assert run.wait(MOMENT)["stage_0"].completed == 4


def test_waiting_again_raises_again() -> None:
    run = fed([3], fail_on_three).start()
    for _ in range(2):
        with pytest.raises(PipelineFailed):
            run.wait(MOMENT)


def test_the_end_of_a_run_is_told_once() -> None:
    events: list[Event] = []
    run = fed([1], double).start(observers=[events.append])
    run.wait(MOMENT)
    run.wait(MOMENT)
    assert sum(isinstance(event, RunEnded) for event in events) == 1


# ---------------------------------------------------------------------- report


@each_kind
def test_the_report_counts_every_item_of_every_stage(kind: str) -> None:
    pipe = fed(range(10), lambda n: n if n % 2 else None, fail_on_three, execution=kind)
    pipe.batch(2)
    pipe.consumer(lambda batch: None, name="end")
    report = pipe.run(on_error="skip")
    assert report["source"].emitted == 10
    assert (report["stage_0"].received, report["stage_0"].filtered) == (10, 5)
    assert (report["stage_1"].received, report["stage_1"].skipped) == (5, 1)
    assert (report["batch"].received, report["batch"].emitted) == (4, 2)
    assert (report["end"].received, report["end"].completed) == (2, 2)
    assert_books_balance(report)


def test_a_report_prints_as_a_table() -> None:
    report = fed(range(3), double).run(clock=VirtualClock())
    lines = str(report).splitlines()
    assert lines[0] == "test: ended well after 0.00 s"
    assert lines[1].split() == [
        "stage", "workers", "received", "completed", "filtered", "failed", "skipped", "dead",
        "letters", "retried", "cancelled", "emitted", "busy", "s", "blocked", "s", "starved", "s",
        "peak", "queue",
    ]  # fmt: skip
    assert " ".join(lines[3].split()) == "stage_0 1 3 3 0 0 0 0 0 0 3 0.00 0.00 0.00 0"


def test_a_report_says_which_stage_is_the_bottleneck() -> None:
    clock = VirtualClock()
    pipe = fed(range(3), double)
    pipe.batch(1)
    pipe.consumer(lambda batch: clock.advance(1.0), name="slow")
    report = pipe.run(clock=clock)
    assert report.bottleneck == "slow"
    assert report["slow"].busy == report.duration == 3.0
    latency = report["slow"].latency
    assert latency is not None
    assert (latency.p50, latency.p99) == (pytest.approx(1.0, rel=0.041),) * 2
    assert "the bottleneck is slow" in str(report)


def test_a_report_goes_into_json() -> None:
    report = fed(range(5), fail_on_three, on_error="skip").run()
    told = json.loads(json.dumps(report.to_dict()))
    assert told["stages"]["stage_0"]["skipped"] == 1
    failed = {"stage": "stage_0", "item": "3", "error": "ValueError('three')", "attempts": 1}
    assert (told["failures"], told["failed_items"]) == ([failed], [])


def test_dead_letters_go_into_json_too() -> None:
    report = fed(range(5), fail_on_three, on_error="dead_letter").run()
    told = json.loads(json.dumps(report.to_dict()))
    assert [failed["item"] for failed in told["failed_items"]] == ["3"]


def test_a_report_keeps_the_first_thousand_failures_and_counts_all() -> None:
    def fail(n: int) -> None:
        raise ValueError(n)

    report = fed(range(1500), fail, on_error="skip").run()
    assert len(report.failures) == 1000
    assert report["stage_0"].skipped == 1500


def test_a_plan_is_made_without_starting_anything() -> None:
    called: list[int] = []
    pipe = fed(map(called.append, range(3)), double, execution="fork", workers=2)
    plan = pipe.plan()
    assert called == []
    assert (plan.context_for("stage_0").value, plan.workers_for("stage_0")) == ("fork", 2)
    assert pipe.plan(execution="inline").all_inline


def test_a_drain_that_takes_too_long_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PATIENCE, Phase.DRAINING, 0.0)
    begun, going = threading.Event(), threading.Event()

    def slow(number: int) -> int:
        begun.set()
        going.wait(MOMENT)
        return number

    run = fed([1], slow, execution="thread").start(timeout=1000)
    assert begun.wait(MOMENT)
    run.drain()
    with pytest.raises(TimeoutError):
        run.wait(0.0)  # sees to what is due: the drain has had its time
    going.set()
    with pytest.raises(RunCancelled, match="did not end in time"):
        run.wait(MOMENT)

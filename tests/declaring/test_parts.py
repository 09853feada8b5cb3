"""A pipeline keeps its parts, changes them on request, and hands them on as they were meant."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from typing import Any

import pytest

from minigun_py import Job, Pipeline, Stage, UsageError, processor, producer
from minigun_py.placement import ContextKind
from minigun_py.plan.scope import Nested
from minigun_py.plan.stage import Accumulator, Consumer, OwnStage, Processor, Producer


def double(number: int) -> int:
    return 2 * number


def numbers() -> Iterator[int]:
    yield from range(3)


class Count(Stage):
    def process(self, item: int) -> None: ...


def refusal(call: Any) -> str:
    with pytest.raises(UsageError) as raised:
        call()
    return str(raised.value)


# --------------------------------------------------------------------------- stages


def test_a_decorator_returns_the_function_unchanged() -> None:
    pipe = Pipeline()
    assert pipe.processor(double) is double
    assert pipe.processor(name="again")(double) is double
    assert pipe.producer(numbers) is numbers


def test_a_stage_has_the_role_of_its_decorator() -> None:
    pipe = Pipeline()
    pipe.producer(numbers)
    pipe.processor(double, name="b")
    pipe.accumulator(lambda items: items, name="c")
    pipe.consumer(double, name="d")
    pipe.add(Count(), name="e")
    assert [type(pipe[name]) for name in ("numbers", *"bcde")] == [
        Producer, Processor, Accumulator, Consumer, OwnStage,
    ]  # fmt: skip


def test_a_stage_that_is_not_there_is_a_key_error_with_the_nearest() -> None:
    pipe = Pipeline()
    pipe.processor(double)
    with pytest.raises(KeyError, match="did you mean 'double'"):
        pipe["duoble"]


def test_a_stage_further_in_is_found_by_its_path() -> None:
    pipe = Pipeline()
    with pipe.pipeline("one") as one, one.pipeline("two") as two:
        two.processor(double)
    assert pipe["one.two.double"].user_function is double


def test_in_a_notebook_the_later_one_replaces_the_earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builtins, "__IPYTHON__", True, raising=False)
    pipe = Pipeline()
    pipe.processor(double, workers=2)
    pipe.processor(abs, name="double")
    assert pipe["double"].user_function is abs


@pytest.mark.parametrize("name", ["", 3, ("a",)])
def test_a_name_is_a_text(name: Any) -> None:
    with pytest.raises(UsageError):
        Pipeline().batch(2, name=name)


# --------------------------------------------------------------------------- add


def test_a_stage_of_ones_own_has_the_name_of_its_class() -> None:
    assert Pipeline().add(Count()).name == "count"


def test_a_pipeline_is_added_under_its_own_name_or_another() -> None:
    pipe, inner = Pipeline("outer"), Pipeline("inner")
    inner.processor(double)
    assert pipe.add(inner) is inner
    pipe.add(inner, name="again")
    assert pipe["inner.double"] is pipe["again.double"]


def test_a_job_is_added_as_its_pipeline() -> None:
    class Work(Job):
        @producer
        def items(self) -> Iterator[int]:
            yield 1

        @processor
        def double(self, number: int) -> int:
            return 2 * number

    pipe = Pipeline()
    pipe.add(Work(), name="work")
    assert pipe.collect() == [2]


@pytest.mark.parametrize("part", [double, 3, Pipeline, Count])
def test_nothing_else_can_be_added(part: Any) -> None:
    assert "add takes a Stage, a Pipeline or a Job, not" in refusal(lambda: Pipeline().add(part))


def test_a_pipeline_is_not_added_to_itself_at_any_depth() -> None:
    outer, middle, inner = Pipeline("a"), Pipeline("b"), Pipeline("c")
    outer.add(middle)
    middle.add(inner)
    assert "it would contain itself" in refusal(lambda: inner.add(outer))
    assert "it would contain itself" in refusal(lambda: outer.add(outer))


def test_a_name_is_taken_by_a_stage_or_a_pipeline() -> None:
    pipe = Pipeline()
    pipe.processor(double)
    assert "has the name of stage 'double'" in refusal(lambda: pipe.add(Pipeline("double")))


def test_it_is_known_what_a_pipeline_contains() -> None:
    outer, middle, inner = Pipeline("a"), Pipeline("b"), Pipeline("c")
    outer.add(middle)
    middle.add(inner)
    assert [outer.contains(other) for other in (middle, inner, outer)] == [True, True, False]


# --------------------------------------------------------------------------- scope


def test_the_members_come_in_the_order_of_their_definition() -> None:
    pipe = Pipeline()
    pipe.producer(numbers)
    with pipe.pipeline("inner") as inner:
        inner.processor(double)
    pipe.batch(2)
    members = pipe.scope({}).members
    assert list(members) == ["numbers", "inner", "batch"]
    assert isinstance(members["inner"], Nested)


def test_a_nested_pipeline_says_what_it_was_told_of_its_edges() -> None:
    pipe = Pipeline()
    with pipe.pipeline("inner", to="z", from_=["a"]) as inner:
        inner.processor(double)
    member = pipe.scope({}).members["inner"]
    assert isinstance(member, Nested)
    assert (member.to, member.from_, member.origin) == (("z",), ("a",), inner)


def test_stages_added_later_to_a_nested_pipeline_are_there() -> None:
    pipe, inner = Pipeline(), Pipeline("inner")
    pipe.producer(numbers)
    pipe.add(inner)
    inner.processor(double)
    assert pipe.collect() == [0, 2, 4]


def test_a_nested_pipeline_still_runs_by_itself() -> None:
    pipe, inner = Pipeline(), Pipeline("inner")
    inner.producer(numbers)
    inner.processor(double)
    pipe.add(inner)
    assert inner.collect() == pipe.collect() == [0, 2, 4]


def test_the_strictest_limit_counts() -> None:
    pipe = Pipeline(max_threads=4)
    pipe.add(Pipeline("inner", max_threads=2, max_processes=3))
    assert pipe.limits == {"max_threads": 2, "max_processes": 3}


# --------------------------------------------------------------------------- configure


def test_options_are_changed_by_name_and_by_path() -> None:
    pipe = Pipeline()
    pipe.processor(double, queue_size=3)
    with pipe.pipeline("inner") as inner:
        inner.processor(double)
    pipe.configure("double", queue_size=7)
    pipe.configure("inner.double", queue_size=8)
    scope = pipe.scope({})
    stage, nested = scope.members["double"], scope.members["inner"]
    assert not isinstance(stage, Nested)
    assert isinstance(nested, Nested)
    assert stage.options.queue_size == 7
    assert nested.scope.members["double"].options.queue_size == 8  # type: ignore[union-attr]


def test_what_is_not_changed_stays() -> None:
    pipe = Pipeline()
    pipe.processor(double, queue_size=3, workers=2)
    pipe.configure("double", queue_size=7)
    stage = pipe.scope({}).members["double"]
    assert not isinstance(stage, Nested)
    assert stage.options.workers == 2


def test_the_last_change_counts_and_one_of_a_run_comes_after_it() -> None:
    pipe = Pipeline()
    pipe.processor(double)
    pipe.configure("double", queue_size=7, chunk=1)
    pipe.configure("double", queue_size=8)
    stage = pipe.scope({"double": {"queue_size": 9}}).members["double"]
    assert not isinstance(stage, Nested)
    assert (stage.options.queue_size, stage.options.chunk) == (9, 1)


def test_a_change_of_a_run_is_for_that_run() -> None:
    pipe = Pipeline()
    pipe.source(range(3))
    pipe.batch(3)
    assert pipe.run(stages={"batch": {"size": 1}})["batch"].emitted == 3
    assert pipe.run()["batch"].emitted == 1


def test_a_change_is_checked_at_once() -> None:
    pipe = Pipeline()
    pipe.processor(double)
    assert "queue_size is a whole number" in refusal(lambda: pipe.configure("double", queue_size=0))
    assert "no stage 'duoble'; did you mean" in refusal(lambda: pipe.configure("duoble"))


def test_a_pipeline_has_no_options_to_change() -> None:
    pipe = Pipeline()
    pipe.add(Pipeline("inner"))
    assert "no stage 'inner'" in refusal(lambda: pipe.configure("inner", workers=2))


def test_a_change_may_name_a_context() -> None:
    pipe = Pipeline()
    pipe.context("db", "thread", 4)
    pipe.processor(double)
    pipe.configure("double", execution="db")
    stage = pipe.scope({}).members["double"]
    assert not isinstance(stage, Nested)
    assert stage.options.ground.block == "context 'db'"


def test_the_arguments_of_a_ready_made_stage_are_changed_as_options_are() -> None:
    pipe = Pipeline()
    pipe.source(range(5))
    pipe.batch(2)
    pipe.configure("batch", size=5, queue_size=3)
    assert pipe.collect() == [[0, 1, 2, 3, 4]]
    assert "size is a whole number" in refusal(lambda: pipe.configure("batch", size=0))


def test_the_key_of_a_ready_made_stage_is_also_that_of_its_workers() -> None:
    pipe = Pipeline()
    pipe.source(range(6))
    pipe.batch(3)
    pipe.configure("batch", key=lambda n: n % 2, workers=2)
    assert sorted(pipe.collect()) == [[0, 2, 4], [1, 3, 5]]


# --------------------------------------------------------------------------- where stages run


def test_a_nested_pipeline_runs_where_the_outer_one_does_if_it_says_nothing() -> None:
    pipe = Pipeline(execution="thread")
    pipe.source(range(3))
    with pipe.pipeline("inner") as inner:
        inner.processor(double)
    assert pipe.plan().context_for("inner.double") is ContextKind.THREAD


def test_what_a_nested_pipeline_says_counts_within_it() -> None:
    pipe = Pipeline(execution="thread")
    pipe.source(range(3))
    pipe.processor(double)
    with pipe.pipeline("inner", execution="fork", workers=2) as inner:
        inner.processor(double, workers=2)
    plan = pipe.plan()
    assert plan.context_for("inner.double") is ContextKind.FORK
    assert plan.context_for("double") is ContextKind.THREAD


def test_stages_of_a_block_that_feed_each_other_share_their_workers() -> None:
    pipe = Pipeline()
    pipe.source(range(3))
    with pipe.defaults(execution="thread", workers=2):
        pipe.processor(double, name="a")
        pipe.processor(double, name="b")
    plan = pipe.plan()
    assert (plan.affinity_for("b"), plan.workers_for("b")) == ("a", 2)


def test_a_stage_after_a_block_is_in_the_caller() -> None:
    pipe = Pipeline()
    pipe.source(range(3))
    with pipe.defaults(execution="fork"):
        pipe.processor(double, name="a")
    pipe.consumer(double, name="b")
    assert pipe.plan().context_for("b") is ContextKind.INLINE


# --------------------------------------------------------------------------- reroutes


def test_a_reroute_replaces_the_targets_of_a_stage() -> None:
    pipe = Pipeline()
    pipe.source(range(3))
    pipe.processor(double, name="a")
    pipe.consumer(str, name="b")
    pipe.consumer(double, name="c")
    pipe.reroute("a", "c")
    assert pipe.collect() == [0, 4, 8]


def test_a_reroute_can_be_replaced() -> None:
    pipe = Pipeline()
    pipe.source(range(3))
    pipe.processor(double, name="a")
    pipe.consumer(str, name="b")
    pipe.reroute("a", [])
    pipe.reroute("a", ["b"])
    assert pipe.collect() == ["0", "2", "4"]

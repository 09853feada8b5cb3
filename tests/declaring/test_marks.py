"""A mark in a class body is checked where it stands, and becomes a stage of every instance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from minigun_py import (
    Job,
    Pipeline,
    Stage,
    UsageError,
    accumulator,
    after,
    after_fork,
    after_run,
    batch,
    before,
    before_fork,
    before_run,
    consumer,
    deduplicate,
    on_failure,
    part,
    processor,
    producer,
    rebatch,
    unbatch,
)
from minigun_py.declaring.marks import marks_of
from minigun_py.plan.scope import Nested
from minigun_py.plan.stage import Accumulator, Consumer, OwnStage, Processor, Producer


class Count(Stage):
    def process(self, item: int) -> None: ...


def refusal(body: dict[str, Any], *bases: type) -> str:
    """Why a class with this body is refused."""
    with pytest.raises(UsageError) as raised:
        type("Wrong", bases or (Job,), body)
    return str(raised.value)


def parts(job: Job) -> dict[str, Any]:
    """The members of the pipeline of a job."""
    return dict(job.pipe.scope({}).members)


class All(Job):
    """A stage of every sort."""

    @producer
    def items(self) -> Iterator[int]:
        yield from range(4)

    @processor(queue_size=7)
    def double(self, number: int) -> int:
        return 2 * number

    lists = batch(2, 1.5)
    others = rebatch(3)
    single = unbatch()
    once = deduplicate()
    count = part(Count())

    @accumulator
    def gather(self, items: Iterator[int]) -> Iterator[int]:
        yield from items

    @consumer
    def store(self, number: int) -> None: ...


def test_marks_come_in_the_order_of_their_definition() -> None:
    assert list(marks_of(All)) == [
        "items", "double", "lists", "others", "single", "once", "count", "gather", "store",
    ]  # fmt: skip


def test_each_mark_becomes_a_stage_of_its_role() -> None:
    assert [type(stage) for stage in parts(All()).values()] == [
        Producer, Processor, OwnStage, OwnStage, Processor, OwnStage, OwnStage, Accumulator,
        Consumer,
    ]  # fmt: skip


def test_a_stage_has_the_name_of_its_attribute_unless_it_says_another() -> None:
    class Named(Job):
        rows = batch(2)
        lists = batch(2, name="other")

        @processor(name="twice")
        def double(self, number: int) -> int:
            return 2 * number

    assert list(parts(Named())) == ["rows", "other", "twice"]


def test_options_and_arguments_are_handed_on() -> None:
    members = parts(All())
    assert members["double"].options.queue_size == 7
    assert members["lists"].instance.arguments["size"] == 2
    assert members["lists"].instance.arguments["max_wait"] == 1.5


def test_a_method_stays_a_method() -> None:
    assert All().double(4) == 8


def test_methods_are_bound_to_their_instance() -> None:
    class Scale(Job):
        def __init__(self, factor: int) -> None:
            self.factor = factor

        @processor
        def scale(self, number: int) -> int:
            return self.factor * number

    assert Scale(3).pipe.collect([1, 2]) == [3, 6]
    assert Scale(4).pipe.collect([1, 2]) == [4, 8]


def test_a_static_method_may_be_a_stage() -> None:
    class Plain(Job):
        @processor
        @staticmethod
        def double(number: int) -> int:
            return 2 * number

    assert Plain().pipe.collect([1]) == [2]


def test_options_that_are_methods_are_bound_too() -> None:
    class Stateful(Job):
        def __init__(self) -> None:
            self.closed: list[str] = []

        def open(self) -> str:
            return f"state of {type(self).__name__}"

        def close(self, state: str) -> None:
            self.closed.append(state)

        @processor(setup=open, teardown=close)
        def look(self, number: int, state: str) -> str:
            return state

    job = Stateful()
    assert job.pipe.collect([1]) == ["state of Stateful"]
    assert job.closed == ["state of Stateful"]


def test_an_override_of_such_a_method_counts() -> None:
    class Base(Job):
        def by(self, number: int) -> int:
            return 0

        @producer
        def numbers(self) -> Iterator[int]:
            yield from range(4)

        lists = batch(9, key=by)

    class Derived(Base):
        def by(self, number: int) -> int:
            return number % 2

    assert Base().pipe.collect() == [[0, 1, 2, 3]]
    assert Derived().pipe.collect() == [[0, 2], [1, 3]]


@pytest.mark.parametrize("many", [True, False])
def test_a_function_of_the_class_may_be_a_target(many: bool) -> None:
    class Routed(Job):
        @consumer
        def end(self, number: int) -> str:
            return f"end {number}"

        @consumer
        def other(self, number: int) -> str:
            return f"other {number}"

        @producer(to=[end] if many else end)
        def numbers(self) -> Iterator[int]:
            yield 1

    pipe = Routed().pipe
    pipe.reroute("numbers", ["end"])
    assert pipe.collect() == ["end 1"]


def test_a_target_that_is_overridden_is_still_the_target() -> None:
    class Base(Job):
        @consumer
        def end(self, number: int) -> str:
            return "base"

        @producer(to=end)
        def numbers(self) -> Iterator[int]:
            yield 1

    class Derived(Base):
        @consumer
        def end(self, number: int) -> str:
            return "derived"

    assert Derived().pipe.collect() == ["derived"]


def test_a_pipeline_may_be_a_part() -> None:
    inner = Pipeline("inner")
    inner.processor(abs)

    class Outer(Job):
        clean = part(inner)

    assert isinstance(parts(Outer())["clean"], Nested)
    assert Outer().pipe.collect([-1]) == [1]


def test_a_ready_made_stage_knows_the_line_in_the_class() -> None:
    assert parts(All())["lists"].location.startswith(f"{__file__}:")


# --------------------------------------------------------------------------- hooks


def test_hooks_of_every_kind_are_called_with_their_instance(tmp_path: Any) -> None:
    diary = tmp_path / "diary"

    class Hooked(Job):
        def note(self, text: str) -> None:
            with diary.open("a") as file:
                file.write(f"{text} ")

        @producer
        def numbers(self) -> Iterator[int]:
            yield 1

        @processor(execution="fork", on_error="skip")
        def fail(self, number: int) -> int:
            raise ValueError(number)

        @before_run
        def first(self) -> None:
            self.note("first")

        @before(fail)
        def before_fail(self) -> None:
            self.note("before")

        @before_fork
        def forking(self) -> None:
            self.note("forking")

        @after_fork
        def forked(self) -> None:
            self.note("forked")

        @on_failure
        def failed(self, item: Any) -> None:
            self.note(f"failed:{item.item}")

        @after("fail")
        def after_fail(self) -> None:
            self.note("after")

        @after_run
        def last(self, report: Any) -> None:
            self.note(f"last:{report.ok}")

    Hooked().run()
    notes = diary.read_text().split()
    assert notes.index("forking") < notes.index("forked") < notes.index("failed:1")
    notes.remove("forked")  # in a worker, beside what happens here
    assert notes == ["first", "forking", "before", "failed:1", "after", "last:True"]


def test_one_method_may_be_several_hooks() -> None:
    class Hooked(Job):
        def __init__(self) -> None:
            self.calls = 0

        @before_run
        @before("numbers")
        @after_run
        def count(self) -> None:
            self.calls += 1

        @producer
        def numbers(self) -> Iterator[int]:
            yield 1

    job = Hooked()
    job.run()
    assert job.calls == 3


def test_a_static_method_may_be_a_hook() -> None:
    calls: list[None] = []

    class Hooked(Job):
        @producer
        def numbers(self) -> Iterator[int]:
            yield 1

        @before_run
        @staticmethod
        def first() -> None:
            calls.append(None)

    Hooked().run()
    assert len(calls) == 1


# --------------------------------------------------------------------------- bases


class Base(Job):
    @producer
    def items(self) -> Iterator[int]:
        yield from range(3)

    @processor
    def step(self, number: int) -> int:
        return number + 1

    lists = batch(2)


def test_a_subclass_adds_stages_after_those_of_its_base() -> None:
    class Derived(Base):
        @consumer
        def store(self, numbers: list[int]) -> None: ...

    assert list(parts(Derived())) == ["items", "step", "lists", "store"]


def test_a_stage_that_is_overridden_keeps_its_place() -> None:
    class Derived(Base):
        @processor
        def step(self, number: int) -> int:
            return -number

    assert list(parts(Derived())) == ["items", "step", "lists"]
    assert Derived().pipe.collect() == [[0, -1], [-2]]


def test_a_plain_method_overrides_what_a_stage_does_and_not_what_it_is() -> None:
    class Derived(Base):
        def step(self, number: int) -> int:
            return -number

    assert Derived().pipe.collect() == [[0, -1], [-2]]


def test_a_ready_made_stage_may_be_replaced_by_another() -> None:
    class Derived(Base):
        lists = batch(3)

    assert Derived().pipe.collect() == [[1, 2, 3]]


def test_several_bases_give_their_stages_in_the_order_of_resolution() -> None:
    class One(Job):
        @processor
        def one(self, item: int) -> int:
            return item

    class Two(Job):
        @processor
        def two(self, item: int) -> int:
            return item

    class Both(One, Two):
        pass

    assert list(parts(Both())) == ["two", "one"]


# --------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(("name", "value"), [("step", None), ("step", 3), ("lists", None)])
def test_a_stage_is_not_replaced_by_something_else(name: str, value: Any) -> None:
    refused = refusal({name: value}, Base)
    assert refused.startswith(f"stage {name!r} ({__file__}:")
    assert f"Wrong replaces it by {value!r}, which is no " in refused


def test_a_ready_made_stage_is_not_replaced_by_a_method_that_is_no_stage() -> None:
    assert "which is no stage" in refusal({"lists": lambda self, item: item}, Base)


@pytest.mark.parametrize("outer", [processor, consumer, before_run])
def test_a_method_is_one_stage(outer: Any) -> None:
    def method(self: Any) -> None: ...

    marked = producer(method)
    with pytest.raises(UsageError, match="it is a producer already"):
        outer(marked)


@pytest.mark.parametrize("make", [lambda: batch(0), lambda: rebatch("a"), lambda: deduplicate(3)])
def test_a_wrong_argument_is_refused_at_once(make: Any) -> None:
    with pytest.raises(UsageError, match=__file__):
        make()


def test_a_wrong_option_is_refused_at_once() -> None:
    def method(self: Any, item: int) -> int:
        return item

    with pytest.raises(UsageError, match="did you mean 'queue_size'"):
        processor(method, queue_sise=3)  # type: ignore[call-overload]


def test_a_hook_that_wants_too_much_is_refused_at_once() -> None:
    def method(self: Any, item: int) -> None: ...

    with pytest.raises(UsageError, match="it takes no parameter"):
        before_run(method)


def test_a_builtin_is_no_stage_of_a_class() -> None:
    with pytest.raises(UsageError, match="in a Job a stage is a method; write one that calls"):
        processor(abs)

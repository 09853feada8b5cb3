"""A pipeline as a class: parameters, inheritance, and an own pipeline for each instance."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import pytest

from minigun_py import Job, Pipeline, To, UsageError, batch, consumer, processor, producer
from minigun_py.placement import ContextKind


class Census(Job):
    """Counts from 0 to a top, doubled and in pairs."""

    max_processes = 2

    def __init__(self, top: int = 4) -> None:
        self.top = top

    @producer
    def numbers(self) -> Iterator[int]:
        yield from range(self.top)

    @processor
    def double(self, number: int) -> int:
        return 2 * number

    pairs = batch(2)

    @consumer
    def store(self, pair: list[int]) -> tuple[int, ...]:
        return tuple(pair)


class Dry(Census):
    """The same, shown instead of stored."""

    reroutes = {"double": ["show"]}  # noqa: RUF012 - as its users write it

    @consumer
    def show(self, number: int) -> str:
        return f"shown {number}"


def refusal(call: Any) -> str:
    with pytest.raises(UsageError) as raised:
        call()
    return str(raised.value)


# --------------------------------------------------------------------------- running


def test_a_job_runs_as_a_pipeline_does() -> None:
    report = Census(5).run()
    assert report.ok
    assert (report.pipeline, report["store"].received) == ("Census", 3)


def test_a_job_takes_items_instead_of_what_it_produces() -> None:
    assert Census().pipe.collect([1, 2]) == [(2, 4)]
    assert Census().run([1, 2, 3])["double"].received == 3


def test_a_job_takes_the_options_of_a_run() -> None:
    assert Census().run(execution="inline", stages={"pairs": {"size": 4}})["store"].received == 1


def test_each_instance_has_parameters_and_a_pipeline_of_its_own() -> None:
    one, other = Census(2), Census(4)
    assert one.pipe is one.pipe
    assert one.pipe is not other.pipe
    assert (one.pipe.collect(), other.pipe.collect()) == ([(0, 2)], [(0, 2), (4, 6)])


def test_a_job_can_be_run_again() -> None:
    job = Census(2)
    assert job.pipe.collect() == job.pipe.collect() == [(0, 2)]


def test_parameters_may_change_between_runs() -> None:
    job = Census(2)
    assert job.pipe.collect() == [(0, 2)]
    job.top = 4
    assert job.pipe.collect() == [(0, 2), (4, 6)]


def test_the_stages_of_a_job_run_in_every_kind() -> None:
    class Forked(Census):
        execution = "fork"

    assert sorted(Forked().pipe.collect()) == [(0, 2), (4, 6)]


def test_what_a_stage_assigns_to_itself_elsewhere_is_lost_and_told() -> None:
    class Counting(Census):
        def __init__(self) -> None:
            super().__init__()
            self.count = 0

        @processor(execution="fork")
        def double(self, number: int) -> int:
            self.count += 1
            return number

    job = Counting()
    with pytest.warns(UserWarning, match="assigns to self.count in a copy of its own"):
        job.run()
    assert job.count == 0


# --------------------------------------------------------------------------- class attributes


def test_class_attributes_say_something_for_all_stages() -> None:
    class Threaded(Census):
        execution, workers, queue_size = "thread", 3, 7

    plan = Threaded().pipe.plan()
    assert (plan.context_for("double"), plan.workers_for("double")) == (ContextKind.THREAD, 3)
    assert plan.graph.stages["double"].options.queue_size == 7


def test_an_attribute_of_the_instance_says_it_for_the_instance() -> None:
    job = Census()
    job.queue_size = 9  # type: ignore[attr-defined]
    assert job.pipe.plan().graph.stages["double"].options.queue_size == 9


def test_limits_are_class_attributes_too() -> None:
    assert Census().pipe.limits == {"max_processes": 2}


def test_a_wrong_class_attribute_is_refused_with_the_name_of_the_job() -> None:
    class Wrong(Census):
        workers = 0

    assert refusal(Wrong().run) == "pipeline 'Wrong': workers is a whole number from 1 on, not 0"


# --------------------------------------------------------------------------- reroutes


def test_reroutes_replace_the_targets_and_leave_out_what_they_cut_off() -> None:
    job = Dry(2)
    assert job.pipe.collect() == ["shown 0", "shown 2"]
    assert list(job.pipe.plan().graph.stages) == ["numbers", "double", "show"]


def test_what_was_left_out_is_told_by_the_plan() -> None:
    explained = Dry().pipe.plan().explain()
    assert "stage 'pairs' is left out: a reroute cut it off" in explained


def test_reroutes_leave_the_base_as_it_was() -> None:
    assert Census(2).pipe.collect() == [(0, 2)]


def test_reroutes_of_bases_are_merged_by_key() -> None:
    class Drier(Dry):
        reroutes = {"numbers": ["show"]}  # noqa: RUF012

    assert Drier(2).pipe.collect() == ["shown 0", "shown 1"]
    assert Drier().pipe._reroutes == {"double": ("show",), "numbers": ("show",)}


def test_the_reroute_of_a_subclass_replaces_that_of_its_base() -> None:
    class Wet(Dry):
        reroutes = {"double": ["pairs"]}  # noqa: RUF012

    assert Wet(2).pipe.collect() == [(0, 2)]


def test_a_reroute_may_name_a_function() -> None:
    class Named(Census):
        @consumer
        def show(self, number: int) -> str:
            return f"shown {number}"

        reroutes = {"double": [show]}  # noqa: RUF012

    assert Named(1).pipe.collect() == ["shown 0"]


def test_reroutes_are_a_mapping() -> None:
    assert "reroutes is {stage: [targets]}" in refusal(
        lambda: type("Wrong", (Census,), {"reroutes": ["show"]})
    )


def test_a_reroute_of_an_unknown_stage_is_refused() -> None:
    class Wrong(Census):
        reroutes = {"doble": ["store"]}  # noqa: RUF012

    assert "there is no stage 'doble'; did you mean 'double'" in refusal(Wrong().run)


# --------------------------------------------------------------------------- configure


def test_options_of_one_instance_are_changed() -> None:
    job = Census()
    job.configure("double", queue_size=7)
    assert job.pipe.plan().graph.stages["double"].options.queue_size == 7
    assert Census().pipe.plan().graph.stages["double"].options.queue_size == 1000


def test_options_are_changed_in_init_and_before_and_after_the_pipeline_is_there() -> None:
    class Configured(Census):
        def __init__(self, size: int) -> None:
            super().__init__(4)
            self.configure("pairs", size=size)

    job = Configured(3)
    assert job.pipe.collect() == [(0, 2, 4), (6,)]
    job.configure("pairs", size=4)
    assert job.pipe.collect() == [(0, 2, 4, 6)]


def test_a_change_of_an_unknown_stage_is_refused_with_the_nearest() -> None:
    assert refusal(lambda: Census().configure("doble", workers=2)) == (
        "Census: there is no stage 'doble'; did you mean 'double'?"
    )


def test_a_wrong_change_is_refused_at_once() -> None:
    assert "did you mean 'queue_size'" in refusal(
        lambda: Census().configure("double", queue_sise=1)
    )


# --------------------------------------------------------------------------- what a job is


def test_a_job_crosses_without_its_pipeline() -> None:
    job = Census(3)
    assert job.pipe is not None
    copy = pickle.loads(pickle.dumps(job))
    assert copy.top == 3
    assert copy.pipe is not job.pipe


def test_a_job_is_a_part_of_a_pipeline() -> None:
    pipe = Pipeline("outer")
    pipe.add(Census(2), name="census")
    pipe.consumer(str, name="end")
    assert pipe.collect() == ["(0, 2)"]


def test_a_job_may_route_by_its_own_functions() -> None:
    class Routed(Job):
        @producer(routes=["even", "odd"])
        def numbers(self) -> Iterator[To[int]]:
            for number in range(4):
                yield To(self.even if number % 2 == 0 else "odd", number)

        @consumer
        def even(self, number: int) -> str:
            return f"even {number}"

        @consumer
        def odd(self, number: int) -> str:
            return f"odd {number}"

    assert sorted(Routed().pipe.collect()) == ["even 0", "even 2", "odd 1", "odd 3"]


def test_a_job_without_stages_cannot_run() -> None:
    assert "pipeline 'Job' has no stages" in refusal(Job().run)


def test_methods_without_a_mark_are_no_stages() -> None:
    class Plain(Census):
        def helper(self, number: int) -> int:
            return number

    assert "helper" not in Plain().pipe.plan().graph.stages

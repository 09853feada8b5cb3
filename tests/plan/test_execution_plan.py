"""The plan answers where, how many, with whom and why, before anything is started."""

from __future__ import annotations

import re

import pytest

from minigun_py.errors import UsageError
from minigun_py.placement import ContextKind
from minigun_py.plan.execution_plan import ExecutionPlan, PlanConfig
from minigun_py.plan.stage import DeclaredStage
from plan.drawing import (
    accumulator,
    batch,
    consumer,
    gather,
    machine,
    plan_of,
    processor,
    source,
)


@pytest.fixture
def plan() -> ExecutionPlan:
    return plan_of(
        source("numbers"),
        processor("double"),
        processor("square", execution="fork", workers=2),
        processor("round"),
        batch("tens", size=10),
        consumer("store", execution="thread", workers=4, queue_size=50),
    )


def test_a_plan_can_be_made_of_edges_that_are_known(plan: ExecutionPlan) -> None:
    same = ExecutionPlan(plan.graph.dag, plan.graph.stages).plan()
    assert same.affinities == plan.affinities


def test_a_stage_runs_in_the_kind_of_context_that_it_asks_for(plan: ExecutionPlan) -> None:
    kinds = {name: plan.context_for(name).value for name in plan.graph.stages}
    assert kinds == {
        "numbers": "inline",
        "double": "inline",
        "square": "fork",
        "round": "fork",
        "tens": "inline",
        "store": "thread",
    }


def test_a_stage_has_as_many_workers_as_its_context(plan: ExecutionPlan) -> None:
    assert [plan.workers_for(name) for name in ("double", "square", "round", "store")] == [
        1, 2, 2, 4,
    ]  # fmt: skip


def test_the_affinity_of_a_stage_is_the_one_that_calls_it(plan: ExecutionPlan) -> None:
    assert plan.affinity_for("round") == "square"
    assert plan.affinity_for("double") == "numbers"


def test_an_isolated_stage_has_no_affinity(plan: ExecutionPlan) -> None:
    assert plan.affinity_for("square") is None


def test_colocated_stages_are_told_by_the_one_that_heads_them(plan: ExecutionPlan) -> None:
    assert plan.colocated_stages == {"numbers": ["double"], "square": ["round"]}


def test_independent_stages_are_the_heads(plan: ExecutionPlan) -> None:
    assert plan.independent_stages == ["numbers", "square", "tens", "store"]


def test_a_plan_has_an_answer_only_for_its_stages(plan: ExecutionPlan) -> None:
    with pytest.raises(UsageError, match="the plan has no stage 'squar'; it has numbers, double,"):
        plan.context_for("squar")


def test_a_plan_is_all_inline_when_no_stage_says_else() -> None:
    assert plan_of(source("s"), processor("a"), batch("b"), consumer("c")).all_inline


def test_own_inline_stages_in_an_inline_pipeline_are_as_if_they_said_nothing() -> None:
    plan = plan_of(source("s"), processor("a", execution="inline"), consumer("c"))
    assert plan.colocated_stages == {"s": ["a", "c"]}


def test_one_stage_elsewhere_is_enough_for_threads_and_queues(plan: ExecutionPlan) -> None:
    assert not plan.all_inline


# --------------------------------------------------------------------------- how many


def test_auto_is_the_number_of_usable_processors() -> None:
    stages = (source("s"), processor("a", execution="fork", workers="auto"))
    plan = plan_of(*stages, config=PlanConfig(surroundings=lambda: machine(cpus=7)))
    assert plan.workers_for("a") == 7


def test_auto_as_a_default_is_the_number_of_usable_processors() -> None:
    config = PlanConfig(ContextKind.FORK, "auto", surroundings=lambda: machine(cpus=7))
    assert plan_of(source("s"), processor("a"), config=config).workers_for("a") == 7


def test_auto_inline_is_one() -> None:
    config = PlanConfig(ContextKind.INLINE, "auto", surroundings=lambda: machine(cpus=7))
    assert plan_of(source("s"), processor("a"), config=config).workers_for("a") == 1


def test_processors_bound_no_number_that_was_said() -> None:
    stages = (source("s"), processor("a", workers=64))
    assert (
        plan_of(*stages, config=PlanConfig(surroundings=lambda: machine(cpus=2))).workers_for("a")
        == 64
    )


def test_workers_as_a_default_mean_threads() -> None:
    plan = plan_of(source("s"), processor("a"), config=PlanConfig(workers=4))
    assert (plan.context_for("a").value, plan.workers_for("a")) == ("thread", 4)


def test_one_worker_as_a_default_means_nothing() -> None:
    assert plan_of(source("s"), processor("a"), config=PlanConfig(workers=1)).all_inline


# --------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (source("x", execution="thread"), "producers run in the caller, one at a time"),
        (source("x", workers=2), "producers run in the caller, one at a time"),
        (accumulator("x", workers=2), "several workers each sees a part of the stream"),
        (accumulator("x", execution="async"), "drop execution='async'"),
        (processor("x", gather, stream=True, execution="async"), "drop execution='async'"),
        (processor("x", execution="inline", workers=2), "2 workers need threads"),
    ],
)
def test_a_stage_that_cannot_run_so_is_refused(stage: DeclaredStage, message: str) -> None:
    with pytest.raises(UsageError, match=f"stage 'x': .*{message}"):
        plan_of(source("s", to=[]), stage)


def test_defaults_that_cannot_be_are_refused() -> None:
    config = PlanConfig(ContextKind.INLINE, workers=2)
    with pytest.raises(UsageError, match=r"the pipeline's defaults: .* 2 workers need threads"):
        plan_of(source("s"), processor("a"), config=config)


# --------------------------------------------------------------------------- in words


def test_a_newcomer_reads_where_everything_runs_and_why() -> None:
    plan = plan_of(
        source("numbers"),
        processor("double"),
        processor("square", execution="fork", workers=2),
        batch("tens"),
        consumer("store", execution="thread", workers=4, queue_size=50),
    )
    assert (
        plan.explain()
        == """\
numbers: makes the items
  where  in your program, one item at a time, on a thread of its own
  why    a producer begins in the caller's process
  sends  to double by a function call

double: turns each item into others
  where  together with numbers
  why    numbers is all that feeds it, so a call replaces a queue
  sends  to square through a queue of 1000, each item pickled once

square: turns each item into others
  where  in 2 forked processes of its own, so it uses up to 2 processors
  why    it asks for fork x 2 itself
  sends  to tens through a queue of 1000, each item pickled once

tens: gathers items into lists
  where  in your program, one item at a time, on a thread of its own
  why    it keeps state between its items, so it has a lane of its own
  sends  to store through a queue of 50, in memory

store: uses the items up
  where  in your program, 4 items at once, each in a thread
  why    it asks for thread x 4 itself
  sends  what it returns to you (collect, stream)"""
    )


def test_an_inline_plan_speaks_of_no_threads_and_no_queues() -> None:
    assert (
        plan_of(source("numbers"), consumer("show")).explain()
        == """\
numbers: makes the items
  where  in your program, one item at a time
  why    a producer begins in the caller's process
  sends  to show by a function call

show: uses the items up
  where  together with numbers
  why    numbers is all that feeds it, so a call replaces a queue
  sends  what it returns to you (collect, stream)"""
    )


def test_an_item_between_two_processes_is_pickled_twice() -> None:
    text = plan_of(
        source("s"), processor("a", execution="fork"), processor("b", execution="fork")
    ).explain()
    assert "  sends  to b through a queue of 1000, each item pickled twice" in text


def test_what_is_dealt_goes_in_turn() -> None:
    stages = [source("s", to=["a", "b"], routing="round_robin"), consumer("a"), consumer("b")]
    assert "  sends  to a in turn in memory" in plan_of(*stages).explain()
    stages[1] = consumer("a", execution="thread")
    text = plan_of(*stages).explain()
    assert "  sends  to a in turn through a queue of 1000, in memory" in text


def test_what_is_sent_by_name_or_back_is_told_as_such() -> None:
    text = plan_of(
        source("s"),
        processor("a"),
        processor("b", routes="c", to=[], feedback="a", execution="thread"),
        consumer("c", queue_size=5),
    ).explain()
    assert "  sends  to c by To through a queue of 5, in memory\n" in text
    assert "  sends  to a back, by To, outside of its queue, in memory\n" in text


@pytest.mark.parametrize(
    ("routing", "words"), [(len, "what it chooses"), ("partition", "what its key says")]
)
def test_what_is_chosen_is_told_as_such(routing: object, words: str) -> None:
    stages = [source("s", to=["a", "b"], routing=routing), consumer("a"), consumer("b")]
    assert f"  sends  to a {words} in memory" in plan_of(*stages).explain()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"execution": "fork"}, "in a forked process of its own, so it uses one more processor"),
        ({"execution": "thread"}, "in your program, 1 item at once, each in a thread"),
        ({"workers": 3}, "in your program, 3 items at once, each in a thread"),
    ],
)
def test_a_context_is_told_in_words(options: dict[str, object], words: str) -> None:
    assert f"  where  {words}\n" in plan_of(source("s"), processor("a", **options)).explain()


# --------------------------------------------------------------------------- as a picture


def test_a_picture_has_a_box_around_every_shared_context(plan: ExecutionPlan) -> None:
    assert (
        plan.to_mermaid()
        == """\
flowchart LR
    subgraph g0["inline"]
        s0["numbers"]
        s1["double"]
    end
    subgraph g1["fork x 2"]
        s2["square"]
        s3["round"]
    end
    s4["tens"]
    subgraph g3["thread x 4"]
        s5["store"]
    end
    s0 --> s1
    s1 --> s2
    s2 --> s3
    s3 --> s4
    s4 --> s5"""
    )


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ('say "hi"', "say #34;hi#34;"),
        ("<script>", "#60;script#62;"),
        ("two\nlines", "two#10;lines"),
        ("tab\t", "tab#9;"),
        ("a#quot;b", "a#35;quot;b"),
        ("a&lt;b", "a#38;lt;b"),
        ("`**bold**`", "#96;**bold**#96;"),
        ("end", "end"),
        ("a] --- b[", "a] --- b["),
        ("größe", "größe"),
    ],
)
def test_no_name_breaks_the_picture(name: str, label: str) -> None:
    lines = plan_of(source("s"), processor(name, workers=2)).to_mermaid().splitlines()
    assert f'        s1["{label}"]' in lines
    assert all(re.fullmatch(r'[^"]*("[^"]*"\])?', line) for line in lines)

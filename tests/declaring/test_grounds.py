"""What is said around a stage holds for it, and what is said nearer comes first."""

from __future__ import annotations

from typing import Any

import pytest

from minigun_py import Pipeline, UsageError
from minigun_py.declaring.grounds import Grounds, caller
from minigun_py.placement import ContextKind
from minigun_py.plan.options import Options


def grounds(**defaults: Any) -> Grounds:
    """What a pipeline says."""
    return Grounds("pipeline 'p'", defaults)


def refusal(call: Any) -> str:
    with pytest.raises(UsageError) as raised:
        call()
    return str(raised.value)


def within(ground: Grounds, *blocks: dict[str, Any], **given: Any) -> Options:
    """The options of a stage that is declared within blocks."""
    if not blocks:
        return ground.options(given, "stage 'a'")
    with ground.block("the block", blocks[0]):
        return within(ground, *blocks[1:], **given)


# --------------------------------------------------------------------------- the pipeline


def test_what_a_pipeline_says_about_where_is_no_option_of_a_stage() -> None:
    ground = grounds(execution="thread", workers=4)
    assert (ground.pipeline.execution, ground.pipeline.workers) == (ContextKind.THREAD, 4)
    options = within(ground)
    assert (options.execution, options.workers) == (None, None)


def test_what_a_pipeline_says_about_anything_else_is_the_default_of_its_stages() -> None:
    options = within(grounds(queue_size=7, on_error="skip"))
    assert (options.queue_size, options.on_error) == (7, "skip")


def test_what_a_stage_says_comes_before_its_pipeline() -> None:
    assert within(grounds(queue_size=7), queue_size=3).queue_size == 3


def test_the_limits_of_a_pipeline_are_kept() -> None:
    assert grounds(max_threads=3).limits == {"max_threads": 3}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"queue": 3}, "no option 'queue'; did you mean 'queue_size'"),
        ({"max_threads": 0}, "max_threads is a whole number from 1 on, not 0"),
        ({"execution": "thred"}, "did you mean 'thread'"),
        ({"workers": -1}, "workers is a whole number from 1 on, not -1"),
    ],
)
def test_a_wrong_word_of_a_pipeline_is_refused(said: dict[str, Any], told: str) -> None:
    assert told in refusal(lambda: grounds(**said))


# --------------------------------------------------------------------------- blocks


def test_a_block_says_where_its_stages_run() -> None:
    ground = within(grounds(), {"execution": "thread", "workers": 4}).ground
    assert (ground.execution, ground.workers) == (ContextKind.THREAD, 4)
    assert ground.block == "the block"


def test_after_a_block_nothing_of_it_holds() -> None:
    ground = grounds()
    within(ground, {"execution": "thread", "queue_size": 3})
    after = within(ground)
    assert (after.ground.block, after.queue_size) == (None, 1000)


def test_a_block_that_raises_is_left_all_the_same() -> None:
    ground = grounds()
    with pytest.raises(ZeroDivisionError), ground.block("the block", {"queue_size": 3}):
        _ = 1 // 0
    assert within(ground).queue_size == 1000


def test_an_inner_block_comes_before_an_outer_one() -> None:
    options = within(grounds(), {"queue_size": 3, "chunk": 2}, {"queue_size": 4})
    assert (options.queue_size, options.chunk) == (4, 2)


def test_an_inner_block_that_names_no_kind_keeps_that_of_the_outer_one() -> None:
    ground = within(grounds(), {"execution": "thread", "workers": 4}, {"workers": 2}).ground
    assert (ground.execution, ground.workers) == (ContextKind.THREAD, 2)


def test_an_inner_block_that_names_a_kind_drops_the_workers_of_the_outer_one() -> None:
    ground = within(grounds(), {"execution": "thread", "workers": 4}, {"execution": "fork"}).ground
    assert (ground.execution, ground.workers) == (ContextKind.FORK, None)


def test_an_inner_block_that_says_nothing_of_where_is_the_same_place() -> None:
    outer = within(grounds(), {"execution": "thread"}).ground
    assert within(grounds(), {"execution": "thread"}, {"queue_size": 3}).ground == outer


def test_a_stage_comes_before_its_blocks() -> None:
    assert within(grounds(), {"queue_size": 3}, queue_size=4).queue_size == 4


def test_a_stage_that_names_a_kind_does_not_get_the_kind_of_process_of_its_block() -> None:
    block = {"execution": "process", "start_method": "spawn"}
    assert within(grounds(), block).start_method == "spawn"
    assert within(grounds(), block, execution="thread").start_method is None


def test_a_stage_that_stays_is_in_no_block() -> None:
    ground = grounds()
    with ground.block("the block", {"execution": "thread", "queue_size": 3}):
        options = ground.options({}, "stage 'a'", stays=True)
    assert (options.ground.block, options.queue_size) == (None, 3)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"to": "a"}, "'to' cannot be said for a block"),
        ({"worker": 3}, "'worker' cannot be said for a block; did you mean 'workers'"),
        ({"execution": "thred"}, "did you mean 'thread'"),
        ({"queue_size": 0}, "queue_size is a whole number from 1 on, not 0"),
    ],
)
def test_a_wrong_word_of_a_block_is_refused(said: dict[str, Any], told: str) -> None:
    refused = refusal(lambda: within(grounds(), said))
    assert refused.startswith("the block: ")
    assert told in refused


# --------------------------------------------------------------------------- named contexts


def named(*contexts: str) -> Grounds:
    ground = grounds()
    for name in contexts:
        ground.name_context(name, "thread", 4)
    return ground


def test_a_stage_may_name_a_context() -> None:
    options = within(named("db"), execution="db")
    assert (options.execution, options.ground.execution) == (None, ContextKind.THREAD)
    assert (options.ground.workers, options.ground.shared) == (4, True)


def test_two_stages_of_a_context_have_the_same_ground() -> None:
    ground = named("db")
    assert within(ground, execution="db").ground == within(ground, execution="db").ground


def test_a_block_may_name_a_context() -> None:
    assert within(named("db"), {"execution": "db"}).ground.block == "context 'db'"


def test_a_stage_that_names_a_context_is_in_no_block() -> None:
    options = within(named("db"), {"execution": "fork"}, execution="db")
    assert options.ground.block == "context 'db'"


def test_a_kind_can_still_be_named_where_there_are_contexts() -> None:
    assert within(named("db"), execution="fork").execution is ContextKind.FORK


def test_a_context_has_workers_of_its_own() -> None:
    refused = refusal(lambda: within(named("db"), execution="db", workers=2))
    assert refused == "stage 'a': context 'db' has workers of its own"


def test_an_unknown_context_is_refused_with_those_that_there_are() -> None:
    refused = refusal(lambda: within(named("db", "web"), execution="dbb"))
    assert refused.endswith("this pipeline has the contexts db, web")


@pytest.mark.parametrize("name", ["db", "thread"])
def test_a_name_of_a_context_is_given_once(name: str) -> None:
    ground = named("db")
    assert "there is one of this name already" in refusal(
        lambda: ground.name_context(name, "fork", None)
    )


# --------------------------------------------------------------------------- nested pipelines


def test_an_inner_pipeline_knows_the_contexts_of_the_outer_one() -> None:
    inner = grounds()
    inner.inherit(named("db"), ())
    assert within(inner, execution="db").ground.block == "context 'db'"


def test_an_inner_pipeline_is_in_the_block_in_which_it_is_declared() -> None:
    outer, inner = grounds(), grounds()
    with outer.block("the block", {"execution": "thread", "queue_size": 3}):
        inner.inherit(outer, ())
    options = within(inner)
    assert (options.ground.block, options.queue_size) == ("the block", 3)


def test_what_an_inner_pipeline_says_comes_before_that_block() -> None:
    outer, inner = grounds(), grounds()
    with outer.block("the block", {"execution": "thread", "queue_size": 3, "chunk": 2}):
        inner.inherit(outer, ("execution", "queue_size"))
    options = within(inner)
    assert (options.ground.block, options.queue_size, options.chunk) == (None, 1000, 2)


# --------------------------------------------------------------------------- where it was said


def test_the_caller_is_the_first_line_outside_of_the_package() -> None:
    pipe = Pipeline()
    line = refusal.__code__.co_firstlineno
    made = pipe.batch(2)
    path, _, number = made.location.rpartition(":")
    assert path == __file__
    assert int(number) > line


def test_without_a_package_in_between_the_caller_is_whoever_calls() -> None:
    assert caller().startswith(f"{__file__}:")

"""What a stage says about where it runs is read from its options, or refused as nonsense."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from minigun_py.errors import UsageError
from minigun_py.placement import HEAVY_CPU, LIGHT_IO, ContextKind, ContextSpec
from minigun_py.plan.affinity import INLINE, Placement
from minigun_py.plan.options import Ground
from minigun_py.plan.placing import Wishes, place
from minigun_py.plan.stage import DeclaredStage
from plan.drawing import batch, consumer, machine, processor, source

NOTHING_SAID = Wishes()


async def wait(item: int) -> int:
    return item


def placed(stage: Any, wishes: Wishes = NOTHING_SAID) -> Placement:
    return place(stage, wishes, machine())


def test_a_stage_that_says_nothing_is_where_the_pipeline_is() -> None:
    assert placed(processor("a")) == Placement(None, INLINE)
    there = ContextSpec(ContextKind.FORK, 3)
    wishes = Wishes(ContextKind.FORK, 3)
    assert placed(processor("a"), wishes) == Placement(None, there, explicit=True)


def test_a_coroutine_that_says_nothing_is_on_a_loop() -> None:
    assert placed(processor("a", wait)).default == ContextSpec(ContextKind.ASYNC)


def test_a_setup_makes_a_stage_a_context_of_its_own() -> None:
    placement = placed(processor("a", setup=int))
    assert (placement.own, placement.reason) == (INLINE, "it has a setup of its own")


def test_a_consumer_with_a_setup_stays_with_the_caller() -> None:
    assert placed(consumer("c", setup=int), Wishes(ContextKind.FORK, 2)).own == INLINE


def test_a_kind_that_is_named_counts_more_than_a_hint() -> None:
    placement = placed(processor("a", execution="thread", resources=HEAVY_CPU))
    assert (placement.own, placement.reason) == (ContextSpec(ContextKind.THREAD), None)


def test_a_number_that_is_written_counts_more_than_that_of_a_hint() -> None:
    placement = placed(processor("a", workers=7, resources=LIGHT_IO))
    assert placement.own == ContextSpec(ContextKind.THREAD, 7)
    assert placement.explicit


def test_the_word_of_the_run_counts_most() -> None:
    stage = processor("a", execution="fork", workers=2)
    assert placed(stage, Wishes(override=ContextKind.THREAD)).own == ContextSpec(
        ContextKind.THREAD, 2
    )
    assert placed(stage, Wishes(override=ContextKind.INLINE)) == Placement(None, INLINE)


@pytest.mark.parametrize(
    "option",
    [{"execution": "fork"}, {"workers": 2}, {"resources": HEAVY_CPU}, {"max_items_per_worker": 5}],
)
def test_what_runs_in_the_caller_cannot_run_elsewhere(option: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="run in the caller, one at a time"):
        placed(source("s", **option))


def test_a_batch_is_where_it_says() -> None:
    forked = placed(batch("b", execution="fork", workers=2)).own
    assert forked == ContextSpec(ContextKind.FORK, 2)
    assert placed(batch("b", workers=2)).own == ContextSpec(ContextKind.THREAD, 2)


def test_a_batch_has_a_setup_of_its_own() -> None:
    with pytest.raises(UsageError, match="has the methods setup and teardown; drop the options"):
        batch("b", setup=int)


def within(ground: Ground, stage: DeclaredStage) -> DeclaredStage:
    return replace(stage, options=replace(stage.options, ground=ground))


BLOCK = Ground(ContextKind.FORK, 3, "the block at a.py:1")


def test_a_stage_that_says_nothing_is_where_its_block_says() -> None:
    placement = placed(within(BLOCK, processor("a")))
    assert placement.own == ContextSpec(ContextKind.FORK, 3)
    assert (placement.block, placement.explicit) == ("the block at a.py:1", True)


def test_a_number_without_a_kind_means_the_kind_of_the_block() -> None:
    placement = placed(within(BLOCK, processor("a", workers=2)))
    assert (placement.own, placement.block) == (ContextSpec(ContextKind.FORK, 2), None)


def test_a_kind_without_a_number_has_one_worker_whatever_the_block_says() -> None:
    assert placed(within(BLOCK, processor("a", execution="thread"))).own == ContextSpec(
        ContextKind.THREAD
    )


def test_a_block_that_names_a_number_alone_means_threads() -> None:
    block = Ground(None, 3, "the block at a.py:1")
    assert placed(within(block, processor("a"))).own == ContextSpec(ContextKind.THREAD, 3)


def test_the_word_of_the_run_counts_more_than_a_block() -> None:
    wishes = Wishes(override=ContextKind.THREAD)
    assert placed(within(BLOCK, processor("a")), wishes).own == ContextSpec(ContextKind.THREAD, 3)


def test_what_a_pipeline_within_says_is_its_default() -> None:
    inner = Ground(ContextKind.FORK, 3)
    outer = Wishes(ContextKind.THREAD, 8)
    assert placed(within(inner, processor("a")), outer) == Placement(
        None, ContextSpec(ContextKind.FORK, 3), explicit=True
    )


@pytest.mark.parametrize("execution", [None, "fork"])
def test_a_start_method_is_for_fresh_processes(execution: str | None) -> None:
    with pytest.raises(UsageError, match="start_method is for execution='process'"):
        placed(processor("a", execution=execution, start_method="spawn"))
    spec = placed(processor("a", execution="process", start_method="spawn")).own
    assert spec == ContextSpec(ContextKind.PROCESS, start_method="spawn")

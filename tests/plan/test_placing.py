"""What a stage says about where it runs is read from its options, or refused as nonsense."""

from __future__ import annotations

from typing import Any

import pytest

from minigun_py.errors import UsageError
from minigun_py.placement import HEAVY_CPU, LIGHT_IO, ContextKind, ContextSpec
from minigun_py.plan.affinity import INLINE, Placement
from minigun_py.plan.placing import Wishes, place
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
    for stage in (source("s", **option), batch("b", **option)):
        with pytest.raises(UsageError, match="run in the caller, one at a time"):
            placed(stage)


def test_a_batch_has_nothing_to_set_up() -> None:
    with pytest.raises(UsageError, match="no function that could use a setup"):
        placed(batch("b", setup=int))


@pytest.mark.parametrize("execution", [None, "fork"])
def test_a_start_method_is_for_fresh_processes(execution: str | None) -> None:
    with pytest.raises(UsageError, match="start_method is for execution='process'"):
        placed(processor("a", execution=execution, start_method="spawn"))
    spec = placed(processor("a", execution="process", start_method="spawn")).own
    assert spec == ContextSpec(ContextKind.PROCESS, start_method="spawn")

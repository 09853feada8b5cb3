"""The first rule that matches decides with whom a stage shares a context, and says why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from minigun_py.placement import ContextKind, ContextSpec
from minigun_py.plan.affinity import DEEPEST_NESTING, Affinity
from minigun_py.plan.execution_plan import PlanConfig
from minigun_py.plan.options import Ground
from minigun_py.plan.stage import DeclaredStage
from plan.drawing import accumulator, batch, consumer, gather, plan_of, processor, source

INLINE = ContextSpec(ContextKind.INLINE)
FORKS = ContextSpec(ContextKind.FORK, 2)
THREADS = ContextSpec(ContextKind.THREAD, 3)

BY_DEFAULT_FORKED = PlanConfig(execution=ContextKind.FORK, workers=2)


def affinity(name: str, *stages: DeclaredStage, config: PlanConfig | None = None) -> Affinity:
    return plan_of(*stages, config=config).affinities[name]


RULES = {
    "a producer begins with the caller": (
        (source("x"), consumer("c")),
        Affinity(None, INLINE, "a producer begins in the caller's process"),
    ),
    "a batch has a lane of its own": (
        (source("s"), batch("x"), consumer("c")),
        Affinity(None, INLINE, "it keeps state between its items, so it has a lane of its own"),
    ),
    "a stage with a kind of its own is isolated": (
        (source("s"), processor("x", execution="fork", workers=2)),
        Affinity(None, FORKS, "it asks for fork x 2 itself"),
    ),
    "workers alone mean threads": (
        (source("s"), processor("x", workers=3)),
        Affinity(None, THREADS, "it asks for thread x 3 itself"),
    ),
    "an ordered stage is isolated": (
        (source("s"), processor("a", workers=2), processor("x", ordered=True)),
        Affinity(None, INLINE, "it keeps the order of its items"),
    ),
    "a join is isolated": (
        (source("s"), source("t"), processor("x")),
        Affinity(None, INLINE, "it joins several stages (s, t)"),
    ),
    "what nothing feeds is isolated": (
        (source("s", to=[]), processor("x")),
        Affinity(None, INLINE, "it joins several stages (nobody yet)"),
    ),
    "what follows a batch is isolated": (
        (source("s"), batch("b"), consumer("x")),
        Affinity(None, INLINE, "b before it gathers items"),
    ),
    "what is dealt to is isolated": (
        (source("s", to=["x", "y"], routing="round_robin"), consumer("x"), consumer("y")),
        Affinity(None, INLINE, "s deals its items out to several"),
    ),
    "the one target of a deal is not": (
        (source("s", to=["x"], routing="round_robin"), consumer("x")),
        Affinity("s", INLINE, "s is all that feeds it, so a call replaces a queue"),
    ),
    "a consumer comes back from another process": (
        (source("s"), processor("a", execution="fork", workers=2), consumer("x")),
        Affinity(None, INLINE, "a consumer stays in the caller's process, and a runs in another"),
    ),
    "a processor stays in the process of the one before it": (
        (source("s"), processor("a", execution="fork", workers=2), processor("x")),
        Affinity("a", FORKS, "a is all that feeds it, so a call replaces a queue"),
    ),
    "a consumer has the order that the one before it keeps": (
        (source("s"), processor("a", workers=3, ordered=True), consumer("x")),
        Affinity(None, INLINE, "a consumer takes items in the order that a keeps"),
    ),
    "a consumer has the order that is kept before the one before it": (
        (source("s"), processor("a", workers=3, ordered=True), processor("b"), consumer("x")),
        Affinity(None, INLINE, "a consumer takes items in the order that a keeps"),
    ),
    "a consumer stays with the one worker that keeps order": (
        (source("s"), processor("a", ordered=True), consumer("x")),
        Affinity("a", INLINE, "a is all that feeds it, so a call replaces a queue"),
    ),
    "a consumer stays in the thread of the one before it": (
        (source("s"), processor("a", workers=3), consumer("x")),
        Affinity("a", THREADS, "a is all that feeds it, so a call replaces a queue"),
    ),
    "an accumulator has a lane of its own": (
        (source("s"), processor("a", workers=3), accumulator("x")),
        Affinity(None, INLINE, "it keeps state between its items, so it has a lane of its own"),
    ),
    "a stage that takes an iterator is isolated": (
        (source("s"), processor("x", gather, stream=True)),
        Affinity(None, INLINE, "its function takes an iterator over the items"),
    ),
    "a stage whose items have keys is isolated": (
        (source("s"), processor("x", key=len)),
        Affinity(None, INLINE, "all items of a key go to one of its workers"),
    ),
    "a stage that deals out by key is not": (
        (source("s"), processor("x", key=len, routing="partition")),
        Affinity("s", INLINE, "s is all that feeds it, so a call replaces a queue"),
    ),
    "a stage with a rate is isolated": (
        (source("s"), processor("x", rate="5/s")),
        Affinity(None, INLINE, "it has a rate of its own"),
    ),
    "a stage that a loop leads back to is isolated": (
        (source("s"), processor("x"), processor("a", feedback="x")),
        Affinity(None, INLINE, "a loop leads back to it"),
    ),
    "a stage of a loop that nothing leads back to is not": (
        (source("s"), processor("a"), processor("x", feedback="a")),
        Affinity("a", INLINE, "a is all that feeds it, so a call replaces a queue"),
    ),
    "what is sent some items by name is isolated": (
        (source("s"), processor("a", routes="x"), consumer("x")),
        Affinity(None, INLINE, "a sends it only some of its items"),
    ),
    "what a function chooses is isolated": (
        (source("s", to=["x"], routing=len), consumer("x")),
        Affinity(None, INLINE, "s deals its items out to several"),
    ),
    "what a key chooses is isolated": (
        (source("s", to=["x", "y"], routing="partition"), consumer("x"), consumer("y")),
        Affinity(None, INLINE, "s deals its items out to several"),
    ),
    "a branch of a broadcast shares the context of what feeds it": (
        (source("s", to=["x", "y"]), consumer("x"), consumer("y")),
        Affinity("s", INLINE, "s is all that feeds it, so a call replaces a queue"),
    ),
}


@pytest.mark.parametrize(("stages", "expected"), RULES.values(), ids=RULES.keys())
def test_with_nothing_said_of_the_whole(
    stages: tuple[DeclaredStage, ...], expected: Affinity
) -> None:
    assert affinity("x", *stages) == expected


BY_DEFAULT = {
    "the first processor leaves the producer": (
        (source("s"), processor("x"), consumer("c")),
        Affinity(None, FORKS, "the pipeline runs its processors in fork x 2"),
    ),
    "the second shares its context": (
        (source("s"), processor("a"), processor("x")),
        Affinity("a", FORKS, "a is all that feeds it, so a call replaces a queue"),
    ),
    "a consumer does not travel": (
        (source("s"), processor("a"), consumer("x")),
        Affinity(None, INLINE, "a consumer stays in the caller's process, and a runs in another"),
    ),
    "a consumer of the producer stays with it": (
        (source("s"), consumer("x")),
        Affinity("s", INLINE, "s is all that feeds it, so a call replaces a queue"),
    ),
    "a producer does not travel": (
        (source("x"), processor("a")),
        Affinity(None, INLINE, "a producer begins in the caller's process"),
    ),
    "a batch does not travel": (
        (source("s"), batch("x"), consumer("c")),
        Affinity(None, INLINE, "it keeps state between its items, so it has a lane of its own"),
    ),
    "a join of processors travels": (
        (source("s"), source("t"), processor("x")),
        Affinity(None, FORKS, "it joins several stages (s, t)"),
    ),
    "a join that consumes does not": (
        (source("s"), source("t"), consumer("x")),
        Affinity(None, INLINE, "it joins several stages (s, t)"),
    ),
    "a consumer after a batch does not": (
        (source("s"), batch("b"), consumer("x")),
        Affinity(None, INLINE, "b before it gathers items"),
    ),
    "a consumer that is dealt to does not": (
        (source("s", to=["x", "y"], routing="round_robin"), consumer("x"), consumer("y")),
        Affinity(None, INLINE, "s deals its items out to several"),
    ),
    "a consumer that keeps order does not": (
        (source("s"), processor("a"), consumer("x", ordered=True)),
        Affinity(None, INLINE, "it keeps the order of its items"),
    ),
    "a processor that keeps order does": (
        (source("s"), processor("x", ordered=True)),
        Affinity(None, FORKS, "it keeps the order of its items"),
    ),
    "a consumer with workers has threads": (
        (source("s"), processor("a"), consumer("x", workers=3)),
        Affinity(None, THREADS, "it asks for thread x 3 itself"),
    ),
    "a processor with workers has the default's kind": (
        (source("s"), processor("x", workers=2)),
        Affinity(None, FORKS, "it asks for fork x 2 itself"),
    ),
    "its own kind comes before the default": (
        (source("s"), processor("x", execution="thread", workers=3)),
        Affinity(None, THREADS, "it asks for thread x 3 itself"),
    ),
    "its own inline comes before the default": (
        (source("s"), processor("x", execution="inline")),
        Affinity(None, INLINE, "it asks for inline itself"),
    ),
}


@pytest.mark.parametrize(("stages", "expected"), BY_DEFAULT.values(), ids=BY_DEFAULT.keys())
def test_with_processes_as_the_default(
    stages: tuple[DeclaredStage, ...], expected: Affinity
) -> None:
    assert affinity("x", *stages, config=BY_DEFAULT_FORKED) == expected


# --------------------------------------------------------------------------- blocks

BLOCK = Ground(ContextKind.THREAD, 3, "the block at a.py:1")
OTHER = Ground(ContextKind.THREAD, 3, "the block at a.py:9")


def within(block: Ground, stage: DeclaredStage) -> DeclaredStage:
    return replace(stage, options=replace(stage.options, ground=block))


BLOCKS = {
    "the first stage of a block is isolated": (
        (source("s"), within(BLOCK, processor("x"))),
        Affinity(None, THREADS, "it is in the block at a.py:1"),
    ),
    "the next one shares its context": (
        (source("s"), within(BLOCK, processor("a")), within(BLOCK, processor("x"))),
        Affinity("a", THREADS, "a is in the block at a.py:1 as well"),
    ),
    "a stage of another block does not, though it says the same": (
        (source("s"), within(BLOCK, processor("a")), within(OTHER, processor("x"))),
        Affinity(None, THREADS, "it is in the block at a.py:9"),
    ),
    "a stage after a block shares its context as any other": (
        (source("s"), within(BLOCK, processor("a")), processor("x")),
        Affinity("a", THREADS, "a is all that feeds it, so a call replaces a queue"),
    ),
    "what a stage says itself counts more than its block": (
        (source("s"), within(BLOCK, processor("x", execution="fork", workers=2))),
        Affinity(None, FORKS, "it asks for fork x 2 itself"),
    ),
    "a stage of a block that keeps order is isolated there": (
        (source("s"), within(BLOCK, processor("a")), within(BLOCK, processor("x", ordered=True))),
        Affinity(None, THREADS, "it keeps the order of its items"),
    ),
    "a consumer in a block is where the block is": (
        (source("s"), within(BLOCK, processor("a")), within(BLOCK, consumer("x"))),
        Affinity("a", THREADS, "a is in the block at a.py:1 as well"),
    ),
    "a producer ignores its block": (
        (within(BLOCK, source("x")), consumer("c")),
        Affinity(None, INLINE, "a producer begins in the caller's process"),
    ),
}


@pytest.mark.parametrize(("stages", "expected"), BLOCKS.values(), ids=BLOCKS.keys())
def test_with_blocks(stages: tuple[DeclaredStage, ...], expected: Affinity) -> None:
    assert affinity("x", *stages) == expected


def test_an_inline_run_overrides_blocks() -> None:
    config = PlanConfig(override=ContextKind.INLINE)
    assert plan_of(source("s"), within(BLOCK, processor("x")), config=config).all_inline


# --------------------------------------------------------------------------- the word of the run


def test_an_inline_run_overrides_all_and_shares_one_context() -> None:
    plan = plan_of(
        source("s"),
        processor("a", execution="fork", workers=4),
        consumer("c", workers=2),
        config=PlanConfig(execution=ContextKind.THREAD, workers=8, override=ContextKind.INLINE),
    )
    assert plan.all_inline
    assert plan.colocated_stages == {"s": ["a", "c"]}


def test_the_kind_of_a_run_replaces_that_of_a_stage_and_keeps_its_workers() -> None:
    config = PlanConfig(override=ContextKind.THREAD)
    expected = Affinity(None, THREADS, "it asks for thread x 3 itself")
    assert (
        affinity("x", source("s"), processor("x", execution="fork", workers=3), config=config)
        == expected
    )


def test_the_kind_of_a_run_replaces_the_default() -> None:
    config = PlanConfig(execution=ContextKind.FORK, workers=3, override=ContextKind.THREAD)
    assert affinity("x", source("s"), processor("x"), config=config).spec == THREADS


# --------------------------------------------------------------------------- how deep it nests


def twice(item: object) -> Iterator[object]:
    yield item
    yield item


def generators(count: int) -> list[DeclaredStage]:
    return [processor(f"g{n}", twice, to=f"g{n + 1}") for n in range(count)]


def test_generators_nest_in_one_context_only_so_deep() -> None:
    stages = [source("s", to="g0"), *generators(DEEPEST_NESTING + 5), consumer("g45")]
    plan = plan_of(*stages)
    cut = [name for name in plan.independent_stages if name != "s"]
    assert cut == [f"g{DEEPEST_NESTING}"]
    assert plan.affinities[cut[0]].reason == (
        f"{DEEPEST_NESTING} fan-outs and generators already nest in its context"
    )


def test_stages_of_one_value_nest_nothing_however_many() -> None:
    stages = [processor(f"p{n}") for n in range(500)]
    assert plan_of(source("s"), *stages).independent_stages == ["s"]


def test_fan_outs_nest_as_generators_do() -> None:
    stages: list[DeclaredStage] = [source("s", to=["f0"])]
    for n in range(DEEPEST_NESTING):
        stages += [processor(f"f{n}", to=[f"e{n}", f"f{n + 1}"]), consumer(f"e{n}")]
    last = f"f{DEEPEST_NESTING}"
    assert plan_of(*stages, consumer(last)).independent_stages == ["s", f"e{n}", last]

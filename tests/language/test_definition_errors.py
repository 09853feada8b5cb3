"""What cannot be is refused before the first item: which stage, in which file and line, and why."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from minigun_py import Job, Pipeline, Stage, UsageError, batch, processor, producer


def numbers() -> Iterator[int]:
    yield from range(3)


def read(item: int) -> int:
    return item


def parse(item: int) -> int:
    return item


def store(item: int) -> None:
    pass


def at(function: Callable[..., Any]) -> str:
    """Where a function stands."""
    return f"{__file__}:{function.__code__.co_firstlineno}"


def stage(function: Callable[..., Any]) -> str:
    """A stage of this function in a message."""
    return f"stage {function.__name__!r} ({at(function)})"


def here() -> str:
    """The line that calls this."""
    return f"{__file__}:{sys._getframe(1).f_lineno}"


def _next(line: str) -> str:
    """The line after it."""
    path, _, number = line.rpartition(":")
    return f"{path}:{int(number) + 1}"


def fed() -> Pipeline:
    """A pipeline with a producer."""
    pipe = Pipeline("wrong")
    pipe.producer(numbers)
    return pipe


def refusal(call: Callable[[], object]) -> str:
    """Why a call is refused."""
    with pytest.raises(UsageError) as raised:
        call()
    return str(raised.value)


# --------------------------------------------------------------------------- edges


def test_a_cycle_is_told_in_full_and_in_order() -> None:
    pipe = fed()
    pipe.processor(read, to="parse")
    pipe.processor(parse, to="store")
    pipe.processor(store, to="read")
    assert refusal(pipe.plan) == (
        f"the stages form a cycle: read ({at(read)}) -> parse ({at(parse)}) -> "
        f"store ({at(store)}) -> read; remove one of these edges, or name the one that leads "
        "back in feedback"
    )


def test_routes_count_for_cycles() -> None:
    pipe = fed()
    pipe.processor(read)
    pipe.processor(parse, routes="read")
    assert f"read ({at(read)}) -> parse ({at(parse)}) -> read;" in refusal(pipe.plan)


def test_a_stage_that_feeds_itself_is_a_cycle() -> None:
    pipe = fed()
    pipe.processor(read, to="read")
    assert f"form a cycle: read ({at(read)}) -> read;" in refusal(pipe.plan)


def test_a_name_that_is_there_twice_is_refused_with_both_places() -> None:
    pipe = fed()
    pipe.processor(read)
    assert refusal(lambda: pipe.processor(parse, name="read")) == (
        f"stage 'read' ({at(parse)}) has the name of {stage(read)}; give it name="
    )


def test_an_unknown_target_is_refused_with_the_nearest_names() -> None:
    pipe = fed()
    pipe.processor(read, to="prase")
    pipe.processor(parse)
    assert refusal(pipe.plan) == (
        f"{stage(read)}: there is no stage 'prase'; did you mean 'parse'?"
    )


@pytest.mark.parametrize("option", ["to", "from_", "routes", "feedback"])
def test_whatever_names_an_unknown_stage_is_refused(option: str) -> None:
    pipe = fed()
    pipe.processor(read, **{option: "nobody"})
    assert f"{stage(read)}: there is no stage 'nobody'; there are" in refusal(pipe.plan)


def test_a_function_that_is_no_stage_is_refused_by_its_name() -> None:
    pipe = fed()
    pipe.processor(read, to=parse)
    assert f"{stage(read)}: there is no stage 'parse'; there are" in refusal(pipe.plan)


def test_an_ambiguous_name_is_refused_with_both_paths() -> None:
    pipe = fed()
    pipe.processor(read, to="strip")
    for name in ("clean", "wash"):
        with pipe.pipeline(name) as inner:
            inner.processor(parse, name="strip")
    assert refusal(pipe.plan) == (
        f"{stage(read)}: 'strip' is ambiguous: it may be 'clean.strip' or 'wash.strip'; "
        "give the path"
    )


def test_a_function_of_two_stages_is_ambiguous() -> None:
    pipe = fed()
    pipe.processor(read, to=parse)
    pipe.processor(parse, name="one")
    pipe.processor(parse, name="two")
    assert "'parse' is ambiguous: it may be 'one' or 'two'" in refusal(pipe.plan)


def test_a_stage_that_nothing_leads_to_is_refused() -> None:
    pipe = fed()
    pipe.consumer(read)
    pipe.consumer(store)
    assert refusal(pipe.run) == (
        f"{stage(store)} can never receive an item; name it in a stage's to="
    )


def test_a_producer_can_be_no_target() -> None:
    pipe = fed()
    pipe.processor(read, to="numbers")
    assert refusal(pipe.plan) == (
        f"{stage(read)}: a producer receives nothing, so 'numbers' has no input"
    )


def test_feedback_to_what_comes_after_is_refused() -> None:
    pipe = fed()
    pipe.processor(read, feedback="store")
    pipe.consumer(store)
    assert refusal(pipe.plan) == (
        f"{stage(read)}: feedback leads back, and 'store' does not lead to it; name 'store' in "
        "routes"
    )


def test_a_stage_that_takes_an_iterator_cannot_be_in_a_loop() -> None:
    def gather(items: Iterator[int]) -> Iterator[int]:
        yield sum(items)

    pipe = fed()
    pipe.processor(read)
    pipe.accumulator(gather)
    pipe.processor(parse, feedback="read")
    assert refusal(pipe.plan) == (
        f"{stage(gather)}: it is in a loop with 'read', and takes an iterator that would end only "
        "after it; write a Stage with flush instead"
    )


def test_without_a_producer_it_is_said_how_to_get_one() -> None:
    pipe = Pipeline("wrong")
    pipe.processor(read)
    assert "add one with @pipe.producer or pipe.source(...)" in refusal(pipe.run)


# --------------------------------------------------------------------------- options


def test_an_unknown_option_is_refused_with_the_nearest_one() -> None:
    assert refusal(lambda: fed().processor(read, worker=2)) == (
        f"{stage(read)}: there is no option 'worker'; did you mean 'workers' or 'ordered'?"
    )


def test_a_wrong_value_is_refused_with_what_it_should_be() -> None:
    assert refusal(lambda: fed().processor(read, workers=0)) == (
        f"{stage(read)}: workers is a whole number from 1 on, not 0"
    )


def test_a_wrong_routing_is_refused_with_the_nearest_one() -> None:
    refused = refusal(lambda: fed().processor(read, routing="round_robbin"))
    assert refused == f"{stage(read)}: no routing 'round_robbin'; did you mean 'round_robin'?"


@pytest.mark.parametrize("option", ["key", "routing"])
def test_a_generator_is_refused_where_a_value_is_needed(option: str) -> None:
    def several(item: int) -> Iterator[int]:
        yield item

    assert refusal(lambda: fed().processor(read, **{option: several})) == (
        f"{stage(read)}: {option} is a plain function that returns, and not a generator"
    )


def test_a_change_of_options_is_checked_as_they_are() -> None:
    pipe = fed()
    pipe.processor(read)
    assert refusal(lambda: pipe.configure("read", worker=2)) == (
        f"{stage(read)}: there is no option 'worker'; did you mean 'workers' or 'ordered'?"
    )


# ------------------------------------------------------------- what has no function of its own


def declared(declare: Callable[[Pipeline], object]) -> Callable[[], object]:
    """A declaration in a pipeline."""
    return lambda: declare(fed())


@pytest.mark.parametrize(
    "declare",
    [
        declared(lambda pipe: pipe.source([1], queue_sise=1)),
        declared(lambda pipe: pipe.batch(2, queue_sise=1)),
        declared(lambda pipe: pipe.rebatch(2, queue_sise=1)),
        declared(lambda pipe: pipe.unbatch(queue_sise=1)),
        declared(lambda pipe: pipe.deduplicate(queue_sise=1)),
        declared(lambda pipe: pipe.add(Stage(), queue_sise=1)),
        declared(lambda pipe: pipe.processor(abs, queue_sise=1)),
    ],
)
def test_what_has_no_function_is_told_by_the_line_that_declares_it(
    declare: Callable[[], object],
) -> None:
    assert f"({__file__}:" in refusal(declare)
    assert "no option 'queue_sise'; did you mean 'queue_size'" in refusal(declare)


def test_the_line_is_the_one_of_the_call() -> None:
    line = here()
    refused = refusal(lambda: fed().batch(0))
    assert refused == f"stage 'batch' ({_next(line)}): size is a whole number from 1 on, not 0"


def test_an_added_stage_that_is_not_reached_is_told_by_its_line() -> None:
    pipe = fed()
    pipe.consumer(store)
    line = here()
    pipe.add(Stage(), name="late")
    assert refusal(pipe.run).startswith(f"stage 'late' ({_next(line)}) can never receive")


# --------------------------------------------------------------------------- functions


def test_a_parameter_that_nobody_fills_is_refused() -> None:
    def scale(item: int, factor: int) -> int:
        return item * factor

    assert refusal(lambda: fed().processor(scale)) == (
        f"{stage(scale)}: parameter 'factor' has no default; a stage like this takes the item, "
        "then output and state"
    )


def test_a_stage_without_a_parameter_is_refused() -> None:
    assert refusal(lambda: fed().processor(numbers)) == (
        f"{stage(numbers)}: its function has no parameter for the item"
    )


def test_a_producer_with_a_parameter_is_refused() -> None:
    assert refusal(lambda: fed().producer(read)) == (
        f"{stage(read)}: parameter 'item' has no default; a stage like this takes nothing but "
        "output and state"
    )


def test_a_function_without_a_name_is_refused_with_its_line() -> None:
    nameless = lambda item: item  # noqa: E731 - it has to have none
    refused = refusal(lambda: fed().processor(nameless))
    assert refused.startswith(f"a stage ({at(nameless)})")
    assert refused.endswith("give the stage one with name=")


def test_what_cannot_be_called_is_no_stage() -> None:
    assert "a stage is a function or another callable, not 3" in refusal(
        lambda: fed().processor(3, name="three")
    )


def test_a_stream_that_emits_by_output_is_refused() -> None:
    def stream(items: Iterator[int], output: Any) -> None:
        pass

    assert refusal(lambda: fed().processor(stream, stream=True)) == (
        f"{stage(stream)}: a function that takes an iterator yields; drop output"
    )


def test_an_asynchronous_stream_that_returns_is_refused() -> None:
    async def stream(items: AsyncIterator[int]) -> int:
        return 0

    assert f"{stage(stream)}: its function takes an iterator, so it has to yield" == refusal(
        lambda: fed().accumulator(stream)
    )


def test_state_that_nobody_makes_is_refused() -> None:
    def look(item: int, state: Any) -> int:
        return item

    assert refusal(lambda: fed().processor(look)) == (
        f"{stage(look)}: it takes state, which setup= has to make"
    )


# --------------------------------------------------------------------------- where they run


def test_a_producer_with_workers_is_refused() -> None:
    pipe = Pipeline("wrong")
    pipe.producer(numbers, workers=2)
    assert refusal(pipe.plan).startswith(f"{stage(numbers)}: producers run in the caller")


def test_an_accumulator_with_workers_and_no_key_is_refused() -> None:
    def gather(items: Iterator[int]) -> Iterator[int]:
        yield sum(items)

    pipe = fed()
    pipe.accumulator(gather, workers=2)
    assert refusal(pipe.plan) == (
        f"{stage(gather)}: with several workers each sees a part of the stream; say by key= which"
    )


def test_a_plain_function_in_coroutines_is_refused() -> None:
    pipe = fed()
    pipe.processor(read, execution="async")
    assert refusal(pipe.plan).startswith(f"{stage(read)}: it is a plain function")


# --------------------------------------------------------------------------- nested, and classes


def test_a_pipeline_cannot_contain_itself() -> None:
    outer, inner = Pipeline("outer"), Pipeline("inner")
    outer.add(inner)
    assert "it would contain itself" in refusal(lambda: inner.add(outer))
    assert f"({__file__}:" in refusal(lambda: inner.add(outer))


def test_a_nested_pipeline_is_told_by_the_line_that_adds_it() -> None:
    pipe, inner = fed(), Pipeline("clean")
    inner.processor(read)
    line = here()
    pipe.add(inner, to="nowhere")
    refused = refusal(pipe.plan)
    assert refused.startswith(f"pipeline 'clean' ({_next(line)}): there is no stage 'nowhere'")


def test_a_pipeline_takes_no_options_of_a_stage() -> None:
    refused = refusal(lambda: fed().add(Pipeline("inner"), workers=2))
    assert "a pipeline is added with name, to and from_, not 'workers'" in refused


def test_a_wrong_option_in_a_class_is_refused_when_the_class_is_made() -> None:
    def make() -> object:
        class Wrong(Job):
            @processor(worker=2)
            def read(self, item: int) -> int:
                return item

        return Wrong

    refused = refusal(make)
    assert f"stage 'read' ({__file__}:" in refused
    assert "did you mean 'workers'" in refused


def test_a_wrong_argument_in_a_class_is_refused_when_the_class_is_made() -> None:
    def make() -> object:
        class Wrong(Job):
            rows = batch(0)

        return Wrong

    refused = refusal(make)
    assert f"({__file__}:" in refused
    assert "size is a whole number from 1 on, not 0" in refused


@pytest.mark.parametrize("name", ["run", "pipe", "configure"])
def test_a_stage_of_a_class_cannot_hide_what_every_job_has(name: str) -> None:
    def method(self: Any, item: int) -> int:
        return item

    refused = refusal(lambda: type("Wrong", (Job,), {name: processor(method)}))
    assert refused == (
        f"stage {name!r} ({at(method)}): every Job has {name!r} itself; give the stage another name"
    )


def test_a_cycle_in_a_class_is_told_with_its_lines() -> None:
    class Round(Job):
        @producer
        def items(self) -> Iterator[int]:
            yield 1

        @processor(to="back")
        def there(self, item: int) -> int:
            return item

        @processor(to="there")
        def back(self, item: int) -> int:
            return item

    assert refusal(Round().run).startswith(
        f"the stages form a cycle: there ({at(Round.there)}) -> back ({at(Round.back)}) -> there;"
    )

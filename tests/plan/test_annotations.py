"""An edge along which nothing can fit is told of, with both of its stages and their lines."""

from __future__ import annotations

import functools
import sys
import typing
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Sized
from types import SimpleNamespace
from typing import Any, Literal, NoReturn

import pytest

from minigun_py import Job, Output, Pipeline, PlanWarning, Stage, To, UsageError
from minigun_py.declaring import marks
from minigun_py.plan.annotations import misfits
from minigun_py.plan.graph import StageGraph
from minigun_py.plan.signature import location
from minigun_py.plan.stage import DeclaredStage, OwnStage
from plan.drawing import accumulator, processor, source
from support.effort import instructions


def number(_: Any) -> int:
    return 1


def maybe_number(_: Any) -> int | None: ...


def nothing(_: Any) -> None: ...


def never(_: Any) -> NoReturn:
    raise ValueError


def numbers(_: Any) -> Iterator[int]:
    yield 1


def generated_numbers(_: Any) -> Generator[int, None, None]:
    yield 1


def nones(_: Any) -> Iterator[None]:
    yield None


def iterator_of_numbers(_: Any) -> Iterator[int]:
    return iter([1])


async def awaited_number(_: Any) -> int:
    return 1


async def awaited_numbers(_: Any) -> AsyncIterator[int]:
    yield 1


def pushed_numbers(_: Any, output: Output[int]) -> None:
    output(1)


def pushed_and_returned(_: Any, output: Output[int]) -> bytes:
    output(1)
    return b""


def pushed_unknown(_: Any, output: Callable[[int], None]) -> None:
    output(1)


def pushed_without_saying(_: Any, output) -> None:  # type: ignore[no-untyped-def]
    output(1)


def unsaid(item):  # type: ignore[no-untyped-def]
    return item


def any_number(_: Any) -> Any:
    return 1


def made_in_no_module(_: Any) -> Missing:  # type: ignore[name-defined]  # noqa: F821
    ...


def text(item: str) -> str:
    return item


def text_of_missing(item: str) -> Missing:  # type: ignore[name-defined]  # noqa: F821
    ...


def texts(items: Iterator[str]) -> Iterator[str]:
    yield from items


def text_list(items: list[str]) -> None: ...


def texts_in_a_list(items: list[str]) -> Iterator[str]:
    yield from items


def keyword_text(*items: str) -> None: ...


def text_or_number(item: str | int) -> None: ...


def iterator(item: Iterator[int]) -> None: ...


def odd(item: 1 / 0) -> 1 / 0:  # type: ignore[valid-type]
    return item


def routed(_: Any) -> int | To[bytes] | None: ...


def only_routed(_: Any) -> Iterator[To[bytes]]:
    yield To("b", b"")


def routed_to_somebody(_: Any) -> To:  # type: ignore[type-arg]
    ...


def routed_without_saying(item):  # type: ignore[no-untyped-def]
    return To("b", item)


def source_of_numbers() -> Iterator[int]:
    yield 1


def told(*stages: DeclaredStage) -> list[str]:
    """What is said of the edges, without the stages' names."""
    return [
        sentence.replace("stage 'a' ", "").replace("stage 'b' ", "")
        for sentence in misfits(StageGraph(stages))
    ]


def between(emits: Callable[..., Any], takes: Callable[..., Any], **options: Any) -> list[str]:
    """What is said of the edge between the stages of two functions."""
    return told(processor("a", emits, **options), processor("b", takes))


class Numbers(Stage):
    def process(self, item: str) -> int:
        return len(item)


class Total(Stage):
    def process(self, item: str) -> None: ...

    def flush(self) -> Iterator[int]:
        yield 1


class Texts(Stage):
    def process(self, item: str) -> str:
        return item

    def flush(self) -> int:
        return 1


class Reader:
    def __call__(self, item: str) -> int:
        return len(item)

    def read(self, item: str) -> int:
        return len(item)


class Page:
    def __init__(self, address: str) -> None:
        self.address = address


class Made(type):
    def __call__(cls, *_: Any) -> Any:
        return 1


class Metaphor(metaclass=Made): ...


class Replaced:
    def __new__(cls, _: Any) -> Any:
        return 1


MISFIT = ["emits int, and takes str"]


# --------------------------------------------------------------------------- what is emitted


@pytest.mark.parametrize(
    "emits",
    [
        number,
        maybe_number,
        numbers,
        generated_numbers,
        awaited_number,
        awaited_numbers,
        pushed_numbers,
        functools.partial(number),
    ],
)
def test_what_a_function_emits_is_what_it_returns_or_yields(emits: Callable[..., Any]) -> None:
    assert between(emits, text) == MISFIT


def test_what_is_pushed_comes_beside_what_is_returned() -> None:
    assert between(pushed_and_returned, text) == ["emits bytes | int, and takes str"]


def test_an_iterator_that_a_plain_function_returns_is_an_item() -> None:
    assert between(iterator_of_numbers, text) == ["emits Iterator[int], and takes str"]
    assert between(iterator_of_numbers, iterator) == []


def test_a_none_that_is_yielded_is_an_item() -> None:
    assert between(nones, text) == ["emits None, and takes str"]


@pytest.mark.parametrize("emits", [nothing, never])
def test_a_function_that_emits_nothing_fits_everything(emits: Callable[..., Any]) -> None:
    assert between(emits, text) == []


@pytest.mark.parametrize(
    "emits",
    [
        unsaid,
        any_number,
        made_in_no_module,
        pushed_unknown,
        pushed_without_saying,
        odd,
        functools.cache(number),
        len,
        Metaphor,
        Replaced,
    ],
)
def test_nothing_is_said_of_what_is_not_known(emits: Callable[..., Any]) -> None:
    assert between(emits, text) == []


def test_one_type_that_fits_is_enough() -> None:
    assert between(pushed_and_returned, text_or_number) == []


def test_a_class_that_is_called_emits_its_instances() -> None:
    assert between(Page, text) == ["emits Page, and takes str"]


def test_a_producer_emits_what_it_yields() -> None:
    assert told(source("a", source_of_numbers), processor("b", text)) == MISFIT


def test_nothing_is_said_of_the_elements_of_an_iterable() -> None:
    assert told(source("a", [1, 2]), processor("b", text)) == []


def test_an_accumulator_emits_what_its_iterator_gives() -> None:
    assert told(accumulator("a", texts), processor("b", number), processor("c", number)) == []
    assert told(accumulator("a", texts), processor("b", Page)) == []


# --------------------------------------------------------------------------- what is taken


@pytest.mark.parametrize(
    "takes",
    [text, keyword_text, text_of_missing, Reader(), Reader().read, Page, functools.partial(text)],
)
def test_what_a_function_takes_is_its_first_parameter(takes: Callable[..., Any]) -> None:
    assert between(number, takes) == MISFIT


def test_a_bound_first_argument_is_not_the_item() -> None:
    def joined(start: bytes, item: str) -> None: ...

    joined.__annotations__ = {"start": bytes, "item": str}
    assert between(number, functools.partial(joined, b"")) == MISFIT


def test_an_accumulator_takes_the_elements_of_its_iterator() -> None:
    assert told(processor("a", number), accumulator("b", texts)) == MISFIT


def test_a_stage_that_streams_takes_the_elements_of_its_iterator() -> None:
    assert told(processor("a", number), processor("b", texts, stream=True)) == MISFIT


def test_the_same_function_can_take_an_iterator_and_an_item() -> None:
    stages = (processor("a", number), processor("b", texts, stream=True), processor("c", texts))
    assert misfits(StageGraph(stages)) == (
        "stage 'a' emits int, and stage 'b' takes str",
        "stage 'b' emits str, and stage 'c' takes Iterator[str]",
    )


# --------------------------------------------------------------------------- own stages


def own(name: str, instance: Stage) -> OwnStage:
    return OwnStage(name, processor("x").options, "", instance)


def test_an_own_stage_emits_what_its_process_returns() -> None:
    assert told(own("a", Numbers()), processor("b", text)) == MISFIT


def test_an_own_stage_emits_what_its_flush_gives() -> None:
    assert told(own("a", Total()), processor("b", text)) == MISFIT


def test_what_flush_gives_comes_beside_what_process_returns() -> None:
    assert told(own("a", Texts()), processor("b", text)) == []


def test_an_own_stage_takes_what_its_process_takes() -> None:
    assert told(processor("a", number), own("b", Numbers())) == MISFIT


# --------------------------------------------------------------------------- routes


def test_what_is_sent_with_to_does_not_come_along_the_usual_edge() -> None:
    assert told(
        processor("a", routed, to="b", routes="c"), processor("b", text), processor("c", unsaid)
    ) == ["emits int, and takes str"]


def test_what_is_emitted_does_not_come_along_a_route() -> None:
    assert told(processor("a", routed, routes="b"), processor("b", text)) == [
        "sends bytes with To, and takes str"
    ]


def test_a_stage_that_only_sends_emits_nothing_else() -> None:
    assert (
        told(
            processor("a", only_routed, to="b", routes="c"),
            processor("b", text),
            processor("c", unsaid),
        )
        == []
    )


def test_what_is_pushed_may_be_sent_too() -> None:
    assert told(processor("a", pushed_numbers, routes="b"), processor("b", text)) == [
        "sends int with To, and takes str"
    ]


def test_what_leads_back_is_looked_at_too() -> None:
    assert told(processor("b", text), processor("a", only_routed, feedback="b")) == [
        "sends bytes with To, and takes str"
    ]


@pytest.mark.parametrize("sends", [routed_to_somebody, routed_without_saying, number, unsaid])
def test_nothing_is_said_of_a_route_whose_values_are_not_known(sends: Callable[..., Any]) -> None:
    assert told(processor("a", sends, routes="b"), processor("b", text)) == []


# --------------------------------------------------------------------------- what passes types on


def batched(pipe: Pipeline, name: str) -> None:
    pipe.batch(2, name=name)


def rebatched(pipe: Pipeline, name: str) -> None:
    pipe.rebatch(2, name=name)


def unbatched(pipe: Pipeline, name: str) -> None:
    pipe.unbatch(name=name)


def deduplicated(pipe: Pipeline, name: str) -> None:
    pipe.deduplicate(name=name)


def passed(emits: Any, *through: Callable[[Pipeline, str], None]) -> str:
    """What is emitted, as it is told, by the last of ready-made stages behind a function."""
    pipe = Pipeline()
    pipe.processor(emits, name="before")
    for number, declare in enumerate(through):
        declare(pipe, f"{number}")
    pipe.processor(empty, name="after")
    sentences = misfits(StageGraph(pipe.scope({})))
    return ", ".join(s.partition(" emits ")[2].partition(", and stage")[0] for s in sentences)


def empty(item: tuple[()]) -> None: ...


def list_of_numbers(_: Any) -> list[int] | None: ...


def listed(emits: Any) -> Callable[[Any], Any]:
    """A function that returns such things."""

    def function(_: Any) -> None: ...

    function.__annotations__ = {"return": emits}
    return function


def test_a_batch_emits_lists_of_what_it_takes() -> None:
    assert passed(number, batched) == "list[int]"
    assert passed(listed(int | str), batched) == "list[int | str]"


def test_a_batch_emits_lists_also_of_what_is_not_known() -> None:
    assert passed(unsaid, batched) == "list"


def test_batches_of_batches_are_lists_of_lists() -> None:
    assert passed(number, batched, batched) == "list[list[int]]"


@pytest.mark.parametrize(
    ("emits", "elements"),
    [
        (list[int], "int"),
        (set[int] | frozenset[str], "int | str"),
        (int, "int"),
        (str, "str"),
        (bytes, "bytes"),
        (dict[str, int], "dict[str, int]"),
        (list[bytes] | int, "bytes | int"),
        (Page, "Page"),
    ],
)
def test_taken_apart_a_list_is_its_elements_and_others_are_themselves(
    emits: Any, elements: str
) -> None:
    assert passed(listed(emits), unbatched) == elements


@pytest.mark.parametrize("emits", [list, Any, object, Sized, Iterable[Any], Literal["ab"]])
def test_nothing_is_said_of_elements_that_are_not_known(emits: Any) -> None:
    assert passed(listed(emits), unbatched) == ""


def test_rebatched_are_the_elements_of_lists() -> None:
    assert passed(list_of_numbers, rebatched) == "list[int]"
    assert passed(number, rebatched) == "list[int]"


def test_what_is_deduplicated_is_what_it_was() -> None:
    assert passed(number, deduplicated) == "int"


def test_types_go_through_several_stages() -> None:
    assert passed(number, batched, deduplicated, unbatched) == "int"


def test_what_is_sent_with_to_goes_through_too() -> None:
    pipe = Pipeline()
    pipe.processor(only_routed, name="a", routes="batch")
    pipe.batch(2)
    pipe.processor(text, name="b")
    assert "emits list[bytes], and" in misfits(StageGraph(pipe.scope({})))[0]


def test_nothing_is_said_of_what_a_loop_brings() -> None:
    pipe = Pipeline()
    pipe.processor(number, name="a")
    pipe.deduplicate()
    pipe.processor(routed_without_saying, name="b", feedback="deduplicate", to="c")
    pipe.processor(text, name="c", from_="deduplicate")
    assert misfits(StageGraph(pipe.scope({}))) == ()


# --------------------------------------------------------------------------- how it is told


def misfitting() -> Pipeline:
    pipe = Pipeline("numbers")
    pipe.source([1, 2])
    pipe.processor(number)
    pipe.consumer(text)
    return pipe


SENTENCE = (
    f"stage 'number' ({location(number)}) emits int, and stage 'text' ({location(text)}) takes str"
)


def test_a_plan_warns_with_both_lines() -> None:
    with pytest.warns(PlanWarning) as warned:
        misfitting().plan()
    assert [str(warning.message) for warning in warned] == [SENTENCE]


def test_the_warning_points_to_who_asked_for_the_plan() -> None:
    with pytest.warns(PlanWarning) as warned:
        misfitting().plan()
    assert warned[0].filename == __file__


def test_explain_tells_of_it() -> None:
    with pytest.warns(PlanWarning):
        assert f"note: {SENTENCE}" in misfitting().plan().explain()


def test_a_strict_plan_refuses() -> None:
    with pytest.raises(UsageError) as raised:
        misfitting().plan(strict=True)
    assert str(raised.value) == SENTENCE


def test_a_strict_plan_of_stages_that_fit_is_a_plan() -> None:
    pipe = Pipeline()
    pipe.source(["a"])
    pipe.processor(text)
    assert pipe.plan(strict=True).misfits == ()


def test_a_run_warns_and_runs() -> None:
    with pytest.warns(PlanWarning, match="takes str"):
        assert misfitting().collect() == [1, 1]


def test_every_edge_is_told_of_once() -> None:
    stages = (processor("a", number, to=["b", "c"]), processor("b", text), processor("c", text))
    assert len(misfits(StageGraph(stages))) == 2


def test_classes_of_one_name_are_told_apart() -> None:
    other = type("Page", (), {"__module__": "elsewhere"})
    assert between(listed(other), takes_a_page) == [
        f"emits elsewhere.Page, and takes {__name__}.Page"
    ]


def takes_a_page(item: Page) -> None: ...


def test_a_wrapped_function_is_not_judged_by_what_it_wraps() -> None:
    @functools.wraps(numbers)
    def all_numbers(item: Any) -> str:
        return str(list(numbers(item)))

    assert between(all_numbers, text) == []


def test_annotations_that_are_no_types_are_left_alone() -> None:
    @typing.no_type_check
    def function(item: Any) -> None: ...

    function.__annotations__ = {"item": str}
    assert between(number, function) == []


def test_a_ready_made_stage_of_a_job_is_told_of_with_its_line_in_the_class() -> None:
    (sentence,) = misfits(StageGraph(Rows().pipe.scope({})))
    assert sentence.startswith(f"stage 'rows' ({__file__}:{LINE_OF_ROWS}) emits list[bytes], and")


class Rows(Job):
    @marks.processor
    def encoded(self, item: str) -> bytes:
        return item.encode()

    rows = marks.batch(2)

    @marks.consumer
    def stored(self, item: str) -> None: ...


LINE_OF_ROWS = int(location(Rows.stored).rpartition(":")[2]) - 2


class Hostile:
    """Something that raises whenever it is looked at."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise RuntimeError


class Refusing(type):
    def __subclasscheck__(cls, subclass: type) -> bool:
        raise RuntimeError


class Refused(metaclass=Refusing): ...


ODD = {
    "one that raises": Hostile(),
    "a list": [1],
    "a mapping": {"a": 1},
    "a number": 5,
    "half an expression": "1 +",
    "a missing name": "x.y",
    "a name that raises": "Hostile().name",
    "an ellipsis": ...,
    "a class that refuses": Refused,
    "an object": SimpleNamespace(),
    "a list of a missing name": "list['Missing']",
}


@pytest.mark.parametrize("annotation", ODD.values(), ids=ODD)
def test_annotations_may_be_anything(annotation: Any) -> None:
    def function(item: Any) -> Any: ...

    function.__annotations__ = {"item": annotation, "return": annotation}
    assert between(number, function) == []
    assert between(function, text) == []


def unnoted(count: int) -> StageGraph:
    """Stages in a row, each with a function of its own."""
    pipe = Pipeline()
    for position in range(count):
        pipe.processor(functools.partial(text), name=f"s{position}")
    return StageGraph(pipe.scope({}))


def test_annotations_of_ten_times_the_stages_are_ten_times_the_work() -> None:
    few, many = unnoted(100), unnoted(1_000)
    assert misfits(few) == ()
    assert instructions(lambda: misfits(many)) < 15 * instructions(lambda: misfits(few))


LATER = "module.Later" if sys.version_info >= (3, 14) else "'module.Later'"
"""What is evaluated when it is asked for, or is text until then."""


@pytest.mark.parametrize("missing", [LATER, LATER.replace("module.", "")])
def test_an_annotation_that_cannot_be_evaluated_hides_no_other(missing: str) -> None:
    names: dict[str, Any] = {"module": SimpleNamespace()}
    exec(f"def bad(item: int, output: {missing}) -> None: output(item)", names)
    pipe = Pipeline()
    pipe.source([1])
    pipe.processor(lambda item: "text", name="silent")
    pipe.processor(text)
    pipe.processor(names["bad"], name="bad")
    with pytest.warns(PlanWarning, match="emits str, and stage 'bad' .* takes int"):
        pipe.plan()

"""However a stage emits, the engine sees one of two shapes; what it cannot call is refused."""

from __future__ import annotations

import asyncio
import functools
import operator
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from minigun_py.emission import To
from minigun_py.errors import UsageError
from minigun_py.plan.signature import (
    Output,
    location,
    shape_of_source,
    shape_of_stage,
)
from minigun_py.plan.stage import DeclaredStage
from plan.drawing import consumer, processor, source


def emitted(function: Callable[..., Any], item: Any = 5) -> Any:
    """What a stage makes of an item: a list if it has many outputs, else a value."""
    return shape_of_stage(function, "x").call(item)


def pushed(function: Callable[..., Any]) -> list[Any]:
    values: list[Any] = []
    shape_of_source(function, "x").call(values.append)
    return values


class Doubler:
    def __call__(self, item: int) -> int:
        return 2 * item


class Repeater:
    def __call__(self, item: int) -> Iterator[int]:
        yield item
        yield item


class Named:
    """A class that is a stage: it makes an instance of each item."""

    def __init__(self, item: int) -> None:
        self.item = item

    def __call__(self) -> Iterator[int]:
        yield self.item


# --------------------------------------------------------------------------- stages


def test_a_function_that_returns_gives_one_value() -> None:
    def double(n: int) -> int:
        return 2 * n

    shape = shape_of_stage(double, "x")
    assert (shape.call, shape.many) == (double, False)


def test_a_generator_gives_all_that_it_yields() -> None:
    def twice(n: int) -> Iterator[int | None]:
        yield n
        yield None

    assert emitted(twice) == [5, None]


def test_a_generator_that_yields_nothing_gives_an_empty_list() -> None:
    def nothing(n: int) -> Iterator[int]:
        yield from ()

    assert emitted(nothing) == []


def test_output_emits_from_anywhere_in_the_stage() -> None:
    def twice(n: int, output: Output) -> None:
        output(n)
        [output(value) for value in (None, [n])]

    assert emitted(twice) == [5, None, [5]]


def test_a_stage_with_output_emits_what_it_returns_as_well() -> None:
    def both(n: int, *, output: Output) -> int:
        output(1)
        return 2

    assert emitted(both) == [1, 2]


def test_a_generator_with_output_emits_in_the_order_of_both() -> None:
    def both(n: int, output: Output) -> Iterator[int]:
        output(1)
        yield 2
        output(3)
        yield 4

    assert emitted(both) == [1, 2, 3, 4]


def test_each_item_has_an_output_of_its_own() -> None:
    def once(n: int, output: Output) -> None:
        output(n)

    call = shape_of_stage(once, "x").call
    assert (call(1), call(2)) == ([1], [2])


def test_output_to_a_target_is_a_value_on_its_way_there() -> None:
    emitted: list[To[int]] = []
    Output(emitted.append)(1, to="a")
    assert [(sent.targets, sent.value) for sent in emitted] == [(("a",), 1)]


def test_the_item_may_have_any_name() -> None:
    def echo(output: int) -> int:
        return output

    assert emitted(echo) == 5


def test_a_partial_is_called_with_the_item_that_is_left() -> None:
    assert emitted(functools.partial(operator.add, 1)) == 6


def test_a_partial_of_a_generator_is_a_generator() -> None:
    def times(count: int, n: int) -> Iterator[int]:
        yield from [n] * count

    assert emitted(functools.partial(times, 3)) == [5, 5, 5]


def test_a_callable_object_is_a_stage() -> None:
    assert emitted(Doubler()) == 10


def test_a_callable_object_may_be_a_generator() -> None:
    assert emitted(Repeater()) == [5, 5]


def test_a_partial_of_a_callable_object_is_what_the_object_is() -> None:
    assert emitted(functools.partial(Repeater())) == [5, 5]


def test_a_bound_method_is_a_stage() -> None:
    assert emitted([1, 5, 5].count) == 2


def test_a_class_makes_an_instance_of_each_item() -> None:
    assert isinstance(emitted(Named), Named)


@pytest.mark.parametrize("function", [str, int, float, abs, dict.fromkeys, max])
def test_a_builtin_is_a_stage_whatever_its_signature_tells(function: Callable[..., Any]) -> None:
    assert shape_of_stage(function, "x").many is False


def test_parameters_with_defaults_are_left_alone() -> None:
    def add(n: int, more: int = 1, *, again: int = 1) -> int:
        return n + more + again

    assert emitted(add) == 7


@pytest.mark.parametrize("function", [lambda *items: len(items), lambda *a, **k: len(a)])
def test_an_open_parameter_takes_the_item(function: Callable[..., Any]) -> None:
    assert emitted(function) == 1


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: 1, "x: its function has no parameter for the item"),
        (lambda *, item: 1, "x: its function has no parameter for the item"),
        (lambda **options: 1, "x: its function has no parameter for the item"),
        (
            lambda item, other: 1,
            "x: parameter 'other' has no default; a stage like this takes the item, then output "
            "and state",
        ),
        (
            lambda item, *, other: 1,
            "x: parameter 'other' has no default; a stage like this takes the item, then output "
            "and state",
        ),
        (7, "x: a stage is a function or another callable, not 7"),
        (None, "x: a stage is a function or another callable, not None"),
    ],
)
def test_what_cannot_be_called_with_an_item_is_refused(function: Any, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        shape_of_stage(function, "x")
    assert str(raised.value) == message


# --------------------------------------------------------------------------- sources


def test_a_source_that_yields_gives_what_it_yields() -> None:
    def numbers() -> Iterator[int | None]:
        yield 1
        yield None

    assert list(shape_of_source(numbers, "x").call()) == [1, None]


def test_a_source_that_returns_gives_one_item() -> None:
    assert list(shape_of_source(lambda: [1, 2], "x").call()) == [[1, 2]]


def test_a_source_that_returns_none_gives_nothing() -> None:
    assert list(shape_of_source(lambda: None, "x").call()) == []


def test_a_source_is_not_begun_before_it_is_drawn_from() -> None:
    begun: list[int] = []
    drawn = shape_of_source(lambda: begun.append(1), "x").call()
    assert begun == []
    list(drawn)
    assert begun == [1]


def test_a_source_with_output_pushes() -> None:
    def numbers(output: Output) -> int:
        output(1)
        output(None)
        return 3

    assert shape_of_source(numbers, "x").pushes
    assert pushed(numbers) == [1, None, 3]


def test_a_generator_with_output_pushes_in_the_order_of_both() -> None:
    def numbers(output: Output) -> Iterator[int]:
        output(1)
        yield 2
        output(3)

    assert pushed(numbers) == [1, 2, 3]


def test_a_source_takes_no_item() -> None:
    with pytest.raises(
        UsageError, match=r"parameter 'item' has no default; .* nothing but output and state$"
    ):
        shape_of_source(lambda item: item, "x")


# --------------------------------------------------------------------------- state


def returns_it(n: int, state: Any) -> Any:
    return n, state


def yields_it(n: int, *, state: Any) -> Iterator[Any]:
    yield n, state


def puts_it_out(n: int, output: Output, state: Any) -> None:
    output((n, state))


def puts_it_out_and_yields(n: int, state: Any, output: Output) -> Iterator[Any]:
    output((n, state))
    yield from ()


@pytest.mark.parametrize("function", [returns_it, yields_it, puts_it_out, puts_it_out_and_yields])
def test_a_stage_that_asks_for_its_state_is_called_with_it(function: Callable[..., Any]) -> None:
    shape = shape_of_stage(function, "x")
    assert shape.takes_state
    made = shape.call(5, state="ready")
    assert (made if shape.many else [made]) == [(5, "ready")]


async def returns_it_later(n: int, state: Any) -> Any:
    return n, state


async def yields_it_later(n: int, state: Any) -> AsyncIterator[Any]:
    yield n, state


async def puts_it_out_later(n: int, output: Output, state: Any) -> None:
    output((n, state))


@pytest.mark.parametrize("function", [returns_it_later, yields_it_later, puts_it_out_later])
def test_a_coroutine_that_asks_for_its_state_is_called_with_it(
    function: Callable[..., Any],
) -> None:
    shape = shape_of_stage(function, "x")
    assert shape.takes_state
    made = asyncio.run(shape.call(5, state="ready"))
    assert (made if shape.many else [made]) == [(5, "ready")]


def test_a_source_that_asks_for_its_state_is_called_with_it() -> None:
    def yields(state: int) -> Iterator[int]:
        yield state

    def pushes(output: Output, state: int) -> None:
        output(state)

    assert list(shape_of_source(yields, "x").call(state=5)) == [5]
    assert list(shape_of_source(lambda state: state, "x").call(state=5)) == [5]
    values: list[int] = []
    shape_of_source(pushes, "x").call(values.append, state=5)
    assert values == [5]


def test_a_stage_that_asks_for_no_state_gets_none() -> None:
    assert not shape_of_stage(lambda item: item, "x").takes_state
    assert not shape_of_stage(lambda state: state, "x").takes_state  # that is the item


def test_a_state_may_have_a_default_and_is_given_all_the_same() -> None:
    def count(n: int, state: int = 0) -> int:
        return n + state

    assert shape_of_stage(count, "x").takes_state


@pytest.mark.parametrize(
    ("make", "function"),
    [(processor, returns_it), (consumer, returns_it_later), (source, lambda state: state)],
)
def test_a_state_that_nobody_makes_is_refused(
    make: Callable[..., DeclaredStage], function: Callable[..., Any]
) -> None:
    with pytest.raises(UsageError) as refused:
        make("a", function)
    assert str(refused.value) == "stage 'a': it takes state, which setup= has to make"
    assert make("a", function, setup=int).shape.takes_state  # type: ignore[attr-defined]


def test_a_teardown_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError) as refused:
        processor("a", abs, teardown=print)
    assert str(refused.value) == (
        "stage 'a': teardown= takes what setup= has made, and there is no setup="
    )
    assert processor("a", abs, setup=int, teardown=print).functions == (abs, int, print)


# --------------------------------------------------------------------------- location


def test_a_function_is_told_with_file_and_line() -> None:
    def here(item: int) -> int:
        return item

    line = here.__code__.co_firstlineno
    assert location(here) == f"{__file__}:{line}"
    assert location(functools.partial(here)) == f"{__file__}:{line}"


def test_a_wrapped_function_is_told_where_it_was_written() -> None:
    def inner(item: int) -> int:
        return item

    @functools.wraps(inner)
    def outer(item: int) -> int:
        return inner(item)

    assert location(outer).endswith(f":{inner.__code__.co_firstlineno}")


def test_nobody_knows_where_a_builtin_was_written() -> None:
    assert location(len) == ""

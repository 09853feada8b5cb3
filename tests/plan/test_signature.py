"""However a stage emits, the engine sees one of two shapes; what it cannot call is refused."""

from __future__ import annotations

import functools
import operator
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from minigun_py.errors import UsageError
from minigun_py.plan.signature import Output, location, shape_of_source, shape_of_stage


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


class AsyncCallable:
    async def __call__(self, item: int) -> int:
        return item


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


def test_output_to_a_target_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"output\(to=...\) is not available"):
        Output([].append)(1, to="a")


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


async def coroutine(item: int) -> int:
    return item


async def async_generator(item: int) -> AsyncIterator[int]:
    yield item


@pytest.mark.parametrize(
    "function",
    [
        coroutine,
        async_generator,
        functools.partial(coroutine),
        functools.partial(async_generator),
        functools.partial(functools.partial(coroutine)),
        AsyncCallable(),
        functools.partial(AsyncCallable()),
        AsyncCallable().__call__,
    ],
    ids=lambda function: type(function).__name__,
)
def test_a_coroutine_is_refused(function: Callable[..., Any]) -> None:
    with pytest.raises(UsageError, match=r"^x: coroutine stages are not available in this version"):
        shape_of_stage(function, "x")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: 1, "x: its function has no parameter for the item"),
        (lambda *, item: 1, "x: its function has no parameter for the item"),
        (lambda **options: 1, "x: its function has no parameter for the item"),
        (
            lambda item, other: 1,
            "x: parameter 'other' has no default; a stage like this takes the item, then output",
        ),
        (
            lambda item, *, other: 1,
            "x: parameter 'other' has no default; a stage like this takes the item, then output",
        ),
        (
            lambda item, state: 1,
            "x: worker state (setup=, state) is not available in this version",
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
    with pytest.raises(UsageError, match=r"parameter 'item' has no default; .* nothing but output"):
        shape_of_source(lambda item: item, "x")


def test_a_coroutine_is_no_source() -> None:
    async def numbers() -> AsyncIterator[int]:
        yield 1

    with pytest.raises(UsageError, match="coroutine"):
        shape_of_source(numbers, "x")


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

"""A coroutine is a stage or a source like any other function, in each of the ways to emit."""

from __future__ import annotations

import asyncio
import functools
import operator
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from minigun_py.plan.signature import (
    Output,
    is_coroutine,
    is_generator,
    shape_of_source,
    shape_of_stage,
)
from plan.drawing import batch, processor, source


class AsyncCallable:
    async def __call__(self, item: int) -> int:
        return 2 * item


class Plain:
    def __call__(self, item: int) -> Iterator[int]:
        yield item


class AsyncRepeater:
    async def __call__(self, item: int) -> AsyncIterator[int]:
        yield item
        yield -item


async def coroutine(item: int) -> int:
    await asyncio.sleep(0)
    return 2 * item


async def async_generator(item: int) -> AsyncIterator[int]:
    await asyncio.sleep(0)
    yield item
    yield -item


def awaited(function: Callable[..., Any], item: Any = 5) -> Any:
    """What a coroutine makes of an item."""
    shape = shape_of_stage(function, "x")
    assert shape.coroutine
    return asyncio.run(shape.call(item))


@pytest.mark.parametrize(
    "function",
    [
        coroutine,
        functools.partial(coroutine),
        functools.partial(functools.partial(coroutine)),
        AsyncCallable(),
        functools.partial(AsyncCallable()),
        AsyncCallable().__call__,
    ],
    ids=lambda function: type(function).__name__,
)
def test_a_coroutine_is_a_stage_of_one_value(function: Callable[..., Any]) -> None:
    assert is_coroutine(function)
    assert not is_generator(function)
    assert not shape_of_stage(function, "x").many
    assert awaited(function) == 10


@pytest.mark.parametrize(
    "function",
    [
        async_generator,
        functools.partial(async_generator),
        AsyncRepeater(),
        functools.partial(AsyncRepeater()),
    ],
    ids=lambda function: type(function).__name__,
)
def test_an_asynchronous_generator_gives_all_that_it_yields(function: Callable[..., Any]) -> None:
    assert is_coroutine(function)
    assert is_generator(function)
    assert shape_of_stage(function, "x").many
    assert awaited(function) == [5, -5]


@pytest.mark.parametrize("function", [len, Plain(), str, functools.partial(operator.add, 1)])
def test_what_is_not_written_as_a_coroutine_is_none(function: Callable[..., Any]) -> None:
    assert not is_coroutine(function)
    assert not shape_of_stage(function, "x").coroutine


def test_a_coroutine_with_output_emits_what_it_returns_as_well() -> None:
    async def both(n: int, output: Output) -> int | None:
        output(1)
        await asyncio.sleep(0)
        output(2)
        return n or None

    assert awaited(both, 3) == [1, 2, 3]
    assert awaited(both, 0) == [1, 2]


def test_an_asynchronous_generator_with_output_emits_in_the_order_of_both() -> None:
    async def both(n: int, output: Output) -> AsyncIterator[int]:
        output(1)
        yield 2
        await asyncio.sleep(0)
        output(3)
        yield 4

    assert awaited(both) == [1, 2, 3, 4]


def elements(function: Callable[..., Any]) -> list[Any]:
    """What an asynchronous source gives."""

    async def draw() -> list[Any]:
        return [element async for element in shape_of_source(function, "x").call()]

    assert shape_of_source(function, "x").coroutine
    return asyncio.run(draw())


def test_an_asynchronous_generator_is_a_source() -> None:
    async def numbers() -> AsyncIterator[int | None]:
        yield 1
        await asyncio.sleep(0)
        yield None

    assert elements(numbers) == [1, None]


def test_a_coroutine_is_a_source_of_one_item_or_none() -> None:
    async def one() -> list[int]:
        return [1, 2]

    async def none() -> None:
        return None

    assert elements(one) == [[1, 2]]
    assert elements(none) == []


def test_an_asynchronous_source_is_not_begun_before_it_is_drawn_from() -> None:
    begun: list[int] = []

    async def one() -> None:
        begun.append(1)

    drawn = shape_of_source(one, "x").call()
    assert begun == []
    asyncio.run(drawn.aclose())
    assert begun == []


def pushed_later(function: Callable[..., Any]) -> list[Any]:
    values: list[Any] = []
    shape = shape_of_source(function, "x")
    assert (shape.pushes, shape.coroutine) == (True, True)
    asyncio.run(shape.call(values.append))
    return values


def test_an_asynchronous_source_with_output_pushes() -> None:
    async def numbers(output: Output) -> int:
        output(1)
        await asyncio.sleep(0)
        output(None)
        return 3

    assert pushed_later(numbers) == [1, None, 3]


def test_an_asynchronous_generator_with_output_pushes_in_the_order_of_both() -> None:
    async def numbers(output: Output) -> AsyncIterator[int]:
        output(1)
        yield 2
        await asyncio.sleep(0)
        output(3)

    assert pushed_later(numbers) == [1, 2, 3]


def test_a_stage_tells_whether_it_is_a_coroutine() -> None:
    assert processor("a", coroutine).is_coroutine
    assert source("a", async_generator_of_nothing).is_coroutine
    assert not processor("a", abs).is_coroutine
    assert not source("a", [1]).is_coroutine
    assert not batch("a").is_coroutine


async def async_generator_of_nothing() -> AsyncIterator[int]:
    for value in ():
        yield value

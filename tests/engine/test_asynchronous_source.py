"""An asynchronous source is drawn from like any other: item by item, and closed when it is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from engine.working import drawable
from minigun_py.contexts.answer import Harvest
from minigun_py.plan.signature import Output


def test_an_asynchronous_source_is_drawn_no_further_than_asked() -> None:
    drawn: list[int] = []

    async def numbers() -> AsyncIterator[int]:
        for n in range(10):
            await asyncio.sleep(0)
            drawn.append(n)
            yield n

    with drawable(numbers) as source:
        assert source.draw(3).outputs == [[0, 1, 2]]
        assert drawn == [0, 1, 2]
        assert source.draw(2).outputs == [[3, 4]]
        assert not source.ended
        assert source.draw(9).outputs == [[5, 6, 7, 8, 9]]
        assert source.ended


def test_an_item_of_an_asynchronous_source_is_through_before_the_next_one_is_drawn() -> None:
    seen: list[str] = []

    async def numbers() -> AsyncIterator[int]:
        for n in range(2):
            seen.append(f"draw {n}")
            yield n

    async def show(n: int) -> None:
        await asyncio.sleep(0)
        seen.append(f"show {n}")

    with drawable(numbers, show=show) as source:
        source.draw(9)
    assert seen == ["draw 0", "show 0", "draw 1", "show 1"]


def test_an_asynchronous_source_that_is_left_is_closed() -> None:
    ended: list[str] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            ended.append("by then")

    with drawable(numbers) as source:
        source.draw(1)
        assert ended == []
    assert ended == ["by then"]


def test_an_asynchronous_source_that_fails_is_to_blame_itself() -> None:
    async def numbers() -> AsyncIterator[int]:
        yield 1
        raise ValueError("no more")

    with drawable(numbers) as source:
        harvest = source.draw(9)
    assert harvest.outputs == [[1]]
    assert [(f.stage, str(f.error)) for f in harvest.failures] == [("items", "no more")]


def test_a_coroutine_that_returns_is_a_source_of_one_item() -> None:
    async def number() -> int:
        await asyncio.sleep(0)
        return 5

    with drawable(number) as source:
        assert source.draw(9).outputs == [[5]]


def test_an_asynchronous_source_may_push() -> None:
    async def numbers(output: Output) -> int:
        output(1)
        await asyncio.sleep(0)
        output(2)
        return 3

    with drawable(numbers, double=lambda n: 2 * n) as source:
        assert source.draw(1).outputs == [[2, 4, 6]]
        assert source.ended


@pytest.mark.parametrize("beside_a_loop", [False, True])
def test_what_an_asynchronous_source_pushes_may_go_to_a_coroutine(beside_a_loop: bool) -> None:
    async def numbers(output: Output) -> None:
        output(1)
        await asyncio.sleep(0)
        output(2)

    async def double(n: int) -> int:
        await asyncio.sleep(0)
        return 2 * n

    def draw() -> Harvest:
        with drawable(numbers, double=double) as source:
            return source.draw(1)

    async def draw_in_a_loop() -> Harvest:
        return draw()

    harvest = asyncio.run(draw_in_a_loop()) if beside_a_loop else draw()
    assert harvest.failures == []
    assert harvest.outputs == [[2, 4]]

"""What the stages of every case do. It lives in a module, so that any worker can import it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

__all__ = [
    "NAP",
    "all_three",
    "burn",
    "burn_skewed",
    "calibrated",
    "in_batches",
    "nap",
    "nap_async",
    "plus",
    "put_plus",
    "put_times",
    "put_xor",
    "stream_plus",
    "stream_times",
    "stream_xor",
    "sum_by_consumer",
    "sum_of_all",
    "times",
    "xor",
    "yield_plus",
    "yield_times",
    "yield_xor",
]

NAP = 0.005
EVERY = 25  # of the skewed items, one in so many is long
LONGER = 100  # times as long as the others


def plus(x: int) -> int:
    """The first of three tiny stages."""
    return x + 1


def times(x: int) -> int:
    """The second."""
    return x * 2


def xor(x: int) -> int:
    """The third."""
    return x ^ 3


def all_three(x: int) -> int:
    """The three as one, for what has no stages."""
    return xor(times(plus(x)))


def sum_of_all(count: int) -> int:
    """What the loop by hand comes to."""
    total = 0
    for x in range(count):
        total += xor(times(plus(x)))
    return total


def sum_by_consumer(count: int) -> int:
    """The same loop with a consumer, which is a function that adds up, as that of a run is."""
    total = 0

    def add(y: int) -> None:
        nonlocal total
        total += y

    for x in range(count):
        add(xor(times(plus(x))))
    return total


def yield_plus(x: int) -> Iterator[int]:
    """The first, as a generator for each item."""
    yield x + 1


def yield_times(x: int) -> Iterator[int]:
    """The second."""
    yield x * 2


def yield_xor(x: int) -> Iterator[int]:
    """The third."""
    yield x ^ 3


def put_plus(x: int, output: Callable[..., Any]) -> None:
    """The first, as a function that emits."""
    output(x + 1)


def put_times(x: int, output: Callable[..., Any]) -> None:
    """The second."""
    output(x * 2)


def put_xor(x: int, output: Callable[..., Any]) -> None:
    """The third."""
    output(x ^ 3)


def stream_plus(items: Iterable[int]) -> Iterator[int]:
    """The first, as one generator over all items."""
    for x in items:
        yield x + 1


def stream_times(items: Iterable[int]) -> Iterator[int]:
    """The second."""
    for x in items:
        yield x * 2


def stream_xor(items: Iterable[int]) -> Iterator[int]:
    """The third."""
    for x in items:
        yield x ^ 3


def in_batches(items: Iterable[int], size: int) -> Iterator[list[int]]:
    """Lists of so many items, and what is left."""
    iterator = iter(items)
    while batch := [*islice(iterator, size)]:
        yield batch


def burn(turns: int, item: int) -> int:
    """Keep a processor busy in plain Python, and give the item back."""
    x = item
    for _ in range(turns):
        x = (x * 1_103_515_245 + 12_345) & 0x7FFF_FFFF
    return item


def burn_skewed(turns: int, item: int) -> int:
    """As `burn`, but every so many items take much longer."""
    return burn(turns * LONGER if item % EVERY == 0 else turns, item)


def calibrated() -> int:
    """How many turns of `burn` take a millisecond, when nothing else has the processor."""
    turns = 20_000
    best = float("inf")
    for _ in range(30):
        began = time.perf_counter()
        burn(turns, 1)
        best = min(best, time.perf_counter() - began)
    return max(1, round(turns / best / 1000))


def nap(item: int) -> int:
    """Wait, as for a network."""
    time.sleep(NAP)
    return item


async def nap_async(item: int) -> int:
    """The same as a coroutine."""
    import asyncio  # late, for the programs that measure how soon there is a result

    await asyncio.sleep(NAP)
    return item

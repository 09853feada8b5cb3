"""Calls with a time limit, for workers that nobody can end by force.

A coroutine is cancelled. A plain function cannot be: it is looked at when it has returned, and then
what it took too long over fails, late.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from minigun_py.clock import Clock
from minigun_py.errors import ItemTimedOut

__all__ = ["within"]


def within(
    seconds: float, call: Callable[..., Any], coroutine: bool, clock: Clock
) -> Callable[..., Any]:
    """The same call, which raises `ItemTimedOut` when it takes longer than so many seconds."""
    return partial(_awaited if coroutine else _called, seconds, call, clock)


def _called(seconds: float, call: Callable[..., Any], clock: Clock, item: Any) -> Any:
    began = clock.now()
    made = call(item)
    if clock.now() - began > seconds:
        raise ItemTimedOut(seconds)
    return made


async def _awaited(seconds: float, call: Callable[..., Any], clock: Clock, item: Any) -> Any:
    import asyncio  # here it is there already; elsewhere nobody should wait for it

    began = clock.now()
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            made = await call(item)
    except TimeoutError:
        if limit.expired():
            raise ItemTimedOut(seconds) from None
        raise
    if clock.now() - began > seconds:  # it held up the loop, or took no notice of the cancel
        raise ItemTimedOut(seconds)
    return made

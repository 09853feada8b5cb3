"""What generated loops call for a stage whose outputs a router deals out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigun_py.engine.router import Router

__all__ = ["await_and_deal", "call_and_deal", "dealt", "nothing"]


def nothing(*_: Any) -> None:
    """What heads a loop is not called in it."""


def dealt(router: Router, value: Any) -> tuple[int, list[Any]]:
    """Deal out an item of a source."""
    return router.deal((value,))


Deal = Callable[[Any], tuple[int, Any]]
"""Deals out what came of an item: how many values, and those that flow on as usual."""


def call_and_deal(deal: Deal, call: Callable[..., Any], many: bool, item: Any) -> tuple[int, Any]:
    """Call a stage that gives a value, or `many`, and deal these out."""
    made = call(item)
    return deal(made if many else () if made is None else (made,))


async def await_and_deal(
    deal: Deal, call: Callable[..., Any], many: bool, item: Any
) -> tuple[int, Any]:
    """As `call_and_deal`, for a coroutine."""
    made = await call(item)
    return deal(made if many else () if made is None else (made,))

"""The kinds of context that this machine has, and stages that are written as each wants them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from minigun_py import Pipeline
from minigun_py.contexts.context import Traits
from minigun_py.contexts.registry import obstacle_to, traits_of
from minigun_py.placement import ContextKind

if TYPE_CHECKING:
    import pytest

__all__ = [
    "KINDS",
    "AnyPipeline",
    "few",
    "has_several_workers",
    "kinds_that",
    "kinds_with",
    "traits_for",
]

KINDS: Final = tuple(kind.value for kind in ContextKind if obstacle_to(kind) is None)

_ITEMS_PER_FORK: Final = 2500
"""Of so many items for others, a kind that starts a process for each gets one."""


def traits_for(kind: str) -> Traits:
    """What contexts of this kind can do."""
    return traits_of(ContextKind(kind))


def has_several_workers(kind: str) -> bool:
    """Whether it can work on several items at once."""
    return traits_for(kind).worker != "caller"


def kinds_with(*abilities: str) -> list[str]:
    """The kinds with these traits; "not " before one stands for its opposite."""
    return [kind for kind in KINDS if all(_has(kind, ability) for ability in abilities)]


def kinds_that(*abilities: str) -> pytest.MarkDecorator:
    """Try only the kinds with these traits, as in `kinds_with`."""
    import pytest  # here: programs need it not

    return pytest.mark.parametrize("kind", kinds_with(*abilities))


def few(kind: str, many: int) -> int:
    """So many items, or as few as a process for each allows."""
    return many // _ITEMS_PER_FORK if traits_for(kind).one_lease_each else many


class AnyPipeline(Pipeline):
    """A pipeline of one kind, whose processors are coroutines where the kind wants them to be."""

    def __init__(self, name: str, kind: str, **defaults: Any) -> None:
        super().__init__(name, execution=kind, **defaults)
        self.kind = kind
        self.awaits = traits_for(kind).runs_coroutines

    def processor(self, function: Any = None, /, **options: Any) -> Any:
        """As `Pipeline.processor`, for a plain function."""
        if function is None:
            return lambda function: self.processor(function, **options)
        name = {} if hasattr(function, "__name__") else {"name": type(function).__name__}
        super().processor(self._fitting(function), **name | options)
        return function

    def _fitting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if not self.awaits:
            return function
        if hasattr(function, "awaiting"):
            return function.awaiting
        return function if inspect.iscoroutinefunction(function) else _awaited(function)


def _has(kind: str, ability: str) -> bool:
    wanted, ability = not ability.startswith("not "), ability.removeprefix("not ")
    if ability == "several_workers":
        return has_several_workers(kind) == wanted
    return bool(getattr(traits_for(kind), ability)) == wanted


def _awaited(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call

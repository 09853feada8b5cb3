"""A pipeline of one stage, as a function: map over items in parallel, lazily and in order."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import Any, Concatenate, Literal, TypeVar, Unpack, overload

from minigun_py.contexts.surroundings import look_around
from minigun_py.pipeline import Pipeline
from minigun_py.plan.hints import parallel_kind
from minigun_py.plan.signature import is_coroutine
from minigun_py.plan.stage_options import MappedOptions

__all__ = ["pmap"]

T = TypeVar("T")
R = TypeVar("R")


class _AllOptions(MappedOptions, total=False):
    workers: int | Literal["auto"]
    execution: str | None
    ordered: bool


@overload
def pmap(
    function: Callable[[T], Coroutine[Any, Any, R]],
    items: Iterable[T],
    **options: Unpack[_AllOptions],
) -> Iterator[R]: ...
@overload
def pmap(
    function: Callable[[T], R], items: Iterable[T], **options: Unpack[_AllOptions]
) -> Iterator[R]: ...
@overload
def pmap(  # with the parameters that a setup gives
    function: Callable[Concatenate[T, ...], Coroutine[Any, Any, R]],
    items: Iterable[T],
    **options: Unpack[_AllOptions],
) -> Iterator[R]: ...
@overload
def pmap(
    function: Callable[Concatenate[T, ...], R], items: Iterable[T], **options: Unpack[_AllOptions]
) -> Iterator[R]: ...
def pmap(
    function: Callable[..., Any],
    items: Iterable[Any],
    *,
    workers: int | Literal["auto"] = "auto",
    execution: str | None = None,
    ordered: bool = True,
    **options: Unpack[MappedOptions],
) -> Iterator[Any]:
    """Give ``function(item)`` for every item, computed by several workers.

    Lazy and bounded: only a window of the items is drawn ahead of what has been taken. None is a
    result like any other. Leaving the loop early ends the workers.

    Args:
        function: Called once for each item.
        items: Any iterable, also an endless one.
        workers: How many items to work on at once; "auto" is the number of usable processors.
        execution: The kind of context; for a coroutine function coroutines, else processes where
            Python has a global lock, and threads where it has none.
        ordered: Whether results come in the order of the items.
        **options: Any option of a stage.

    Raises:
        UsageError: At once, for a wrong option.
        PipelineFailed: From the iterator, when `function` raised; its error is inside.
    """
    pipe = Pipeline(getattr(function, "__name__", "pmap"))
    pipe.source(items, name="items")
    waits = is_coroutine(function)
    pipe.processor(
        _BoxedCoroutine(function) if waits else _Boxed(function),
        name="pmap",
        execution=execution or (None if waits else parallel_kind(look_around())),
        workers=workers,
        ordered=ordered,
        **options,
    )
    return _results(pipe)


def _results(pipe: Pipeline) -> Iterator[Any]:
    for box in pipe.stream():
        yield box[0]


class _Boxed:
    """Puts each result in a tuple, so that None is emitted too."""

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)  # so that its parameters are seen
        self._function = function

    def __call__(self, item: Any, **given: Any) -> tuple[Any]:
        return (self._function(item, **given),)


class _BoxedCoroutine(_Boxed):
    """The same for a coroutine function."""

    async def __call__(self, item: Any, **given: Any) -> tuple[Any]:  # type: ignore[override]
        return (await self._function(item, **given),)

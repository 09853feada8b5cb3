"""A pipeline of one stage, as a function: map over items in parallel, lazily and in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, TypeVar

from minigun_py.contexts.surroundings import look_around
from minigun_py.pipeline import Pipeline
from minigun_py.plan.hints import parallel_kind

__all__ = ["pmap"]

T = TypeVar("T")
R = TypeVar("R")


def pmap(
    function: Callable[[T], R],
    items: Iterable[T],
    *,
    workers: int | Literal["auto"] = "auto",
    execution: str | None = None,
    ordered: bool = True,
    **options: Any,
) -> Iterator[R]:
    """Give ``function(item)`` for every item, computed by several workers.

    Lazy and bounded: only a window of the items is drawn ahead of what has been taken. None is a
    result like any other. Leaving the loop early ends the workers.

    Args:
        function: Called once for each item.
        items: Any iterable, also an endless one.
        workers: How many items to work on at once; "auto" is the number of usable processors.
        execution: The kind of context; processes where Python has a global lock, else threads.
        ordered: Whether results come in the order of the items.
        **options: Any option of a stage.

    Raises:
        UsageError: At once, for a wrong option.
        PipelineFailed: From the iterator, when `function` raised; its error is inside.
    """
    pipe = Pipeline(getattr(function, "__name__", "pmap"))
    pipe.source(items, name="items")
    pipe.processor(
        _Boxed(function),
        name="pmap",
        execution=execution or parallel_kind(look_around()),
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

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def __call__(self, item: Any) -> tuple[Any]:
        return (self._function(item),)

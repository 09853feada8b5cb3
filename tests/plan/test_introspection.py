"""What a function looks like is told as `inspect` does, and mostly without it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from minigun_py.plan.introspection import (
    Parameters,
    Written,
    is_awaitable,
    is_routine,
    parameters_of,
    unwrapped,
    written,
)
from support.untraced import printed_by


def none() -> None: ...
def plain(a: int, /, b: int, c: int = 3, *, d: int, e: int = 5) -> None: ...
def open_ended(a: int, *more: int, d: int = 1, **others: int) -> None: ...
def generator(a: int) -> Iterator[int]:
    yield a


async def coroutine(a: int) -> int:
    return a


async def asynchronous(a: int) -> AsyncIterator[int]:
    yield a


@functools.wraps(plain)
def wrapper(*args: Any, **options: Any) -> None: ...
def signed(*args: Any) -> None: ...


signed.__signature__ = inspect.signature(plain)  # type: ignore[attr-defined]


class Job:
    def method(self, a: int, b: int = 2) -> Iterator[int]:
        yield a

    def open_ended(*args: Any) -> None: ...

    @classmethod
    def of_class(cls, a: int) -> None: ...

    @staticmethod
    def static(a: int) -> None: ...

    def __call__(self, a: int, b: int) -> None: ...


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "nothing": none,
    "of every kind": plain,
    "open-ended": open_ended,
    "generator": generator,
    "coroutine": coroutine,
    "asynchronous generator": asynchronous,
    "wrapper": wrapper,
    "with a signature of its own": signed,
    "lambda": lambda a, b=1: a,
    "method": Job().method,
    "method of nobody": Job.method,
    "open-ended method": Job().open_ended,
    "class method": Job.of_class,
    "static method": Job.static,
    "callable object": Job(),
    "partial": functools.partial(plain, 1),
    "partial of a generator": functools.partial(generator, 1),
    "method of a built-in": str.upper,
    "built-in": len,
    "class": Job,
}


def as_inspect_tells(function: Callable[..., Any]) -> Parameters:
    parameters = [*inspect.signature(function).parameters.values()]
    kinds = inspect._ParameterKind
    placed = [p for p in parameters if p.kind < kinds.VAR_POSITIONAL]
    named = [p for p in parameters if p.kind is kinds.KEYWORD_ONLY]
    return Parameters(
        [(p.name, p.default is not p.empty) for p in placed],
        [(p.name, p.default is not p.empty) for p in named],
        next((p.name for p in parameters if p.kind is kinds.VAR_POSITIONAL), None),
    )


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_it_is_as_inspect_tells(function: Any) -> None:
    assert parameters_of(function) == as_inspect_tells(function)
    assert is_routine(function) == inspect.isroutine(function)
    assert unwrapped(function) is inspect.unwrap(function)
    asynchronously = inspect.isasyncgenfunction(function)
    assert written(function) == Written(
        asynchronously or inspect.isgeneratorfunction(function),
        asynchronously or inspect.iscoroutinefunction(function),
    )


def test_a_method_without_a_place_for_its_object_is_refused() -> None:
    with pytest.raises(ValueError, match=r"invalid method signature"):
        parameters_of(_without_self().method)


def _without_self() -> Any:
    class Wrong:
        def method() -> None: ...  # type: ignore[misc]

    return Wrong()


def test_what_can_be_awaited_is_known() -> None:
    waiting = coroutine(1)
    assert is_awaitable(waiting)
    waiting.close()
    assert not is_awaitable(None)
    assert not is_awaitable(generator(1))


def test_a_run_of_plain_functions_does_without_inspect() -> None:
    printed = printed_by("""
        import sys
        from minigun_py import Pipeline

        pipe = Pipeline()
        pipe.source(range(3))
        pipe.processor(lambda x: 2 * x, name="double", execution="thread")
        with pipe.stream() as results:
            print(sum(results), "inspect" in sys.modules)
    """)
    assert printed == ["6 False"]

"""How the engine is to call a stage's function, read from its signature once, at definition.

A stage emits by returning, by yielding, or through an injected ``output``. The engine knows two
shapes only: a function that gives one value (None emits nothing) and one that gives a list of
values. Everything else is brought to one of these here.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from minigun_py.errors import UsageError

__all__ = ["Output", "Shape", "is_generator", "location", "shape_of_source", "shape_of_stage"]

_LATER_PARAMETERS = {"state": "worker state (setup=, state) is not available in this version"}


class Output:
    """Emits from inside a stage: ``output(value)``, also from callbacks and helpers."""

    __slots__ = ("_emit",)

    def __init__(self, emit: Callable[[Any], object]) -> None:
        self._emit = emit

    def __call__(self, value: Any, *, to: object = None) -> None:
        """Emit `value` along the stage's edges."""
        if to is not None:
            raise UsageError("output(to=...) is not available in this version of minigun_py")
        self._emit(value)


@dataclass(frozen=True, slots=True)
class Shape:
    """How to call the function. With `many`, `call(item)` gives a list; else a value or None."""

    call: Callable[..., Any]
    many: bool
    pushes: bool = False


def shape_of_stage(function: Callable[..., Any], where: str) -> Shape:
    """The shape of a function from an item. Raises `UsageError` if it cannot be one."""
    _refuse_coroutine(function, where)
    wants_output = _injected(function, where, positional=1)
    if wants_output:
        return Shape(functools.partial(_collect, function, is_generator(function)), many=True)
    if is_generator(function):
        return Shape(functools.partial(_listed, function), many=True)
    return Shape(function, many=False)


def shape_of_source(function: Callable[..., Any], where: str) -> Shape:
    """The shape of a producer: `call()` gives an iterator, or with `pushes`, `call(output)`."""
    _refuse_coroutine(function, where)
    wants_output = _injected(function, where, positional=0)
    if wants_output:
        return Shape(functools.partial(_pushed, function), many=True, pushes=True)
    if is_generator(function):
        return Shape(function, many=True)
    return Shape(functools.partial(_once, function), many=True)


def is_generator(function: Callable[..., Any]) -> bool:
    """Whether calling it gives a generator; also for partials and callable objects."""
    return inspect.isgeneratorfunction(_called(function))


def location(function: object) -> str:
    """Where the function was written, as ``file.py:12``; empty when nobody knows."""
    inner = inspect.unwrap(function) if callable(function) else function
    while isinstance(inner, functools.partial):
        inner = inner.func
    code = getattr(inner, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else ""


def _refuse_coroutine(function: Callable[..., Any], where: str) -> None:
    if not callable(function):
        raise UsageError(f"{where}: a stage is a function or another callable, not {function!r}")
    target = _called(function)
    if inspect.iscoroutinefunction(target) or inspect.isasyncgenfunction(target):
        raise UsageError(f"{where}: coroutine stages are not available in this version; use def")


def _called(function: Callable[..., Any]) -> Callable[..., Any]:
    """What runs when it is called: the method of a callable object, the function of a partial."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.isroutine(function) or isinstance(function, type):
        return function
    method: Callable[..., Any] = getattr(function, "__call__", function)  # noqa: B004
    return method


def _injected(function: Callable[..., Any], where: str, positional: int) -> bool:
    """Whether ``output`` is asked for, after checking every other parameter."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # a built-in that does not tell its signature
        return False
    placed = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    open_ended = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    if len(placed) < positional and not open_ended:
        raise UsageError(f"{where}: its function has no parameter for the item")
    rest = placed[positional:] + [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    for parameter in rest:
        _check_extra(parameter, where, positional)
    return any(p.name == "output" for p in rest)


def _check_extra(parameter: inspect.Parameter, where: str, positional: int) -> None:
    if parameter.name == "output" or parameter.default is not parameter.empty:
        return
    if parameter.name in _LATER_PARAMETERS:
        raise UsageError(f"{where}: {_LATER_PARAMETERS[parameter.name]}")
    takes = "the item, then output" if positional else "nothing but output"
    raise UsageError(
        f"{where}: parameter {parameter.name!r} has no default; a stage like this takes {takes}"
    )


def _listed(function: Callable[[Any], Iterator[Any]], item: Any) -> list[Any]:
    return list(function(item))


def _collect(function: Callable[..., Any], generates: bool, item: Any) -> list[Any]:
    emitted: list[Any] = []
    result = function(item, output=Output(emitted.append))
    if generates:
        emitted.extend(result)
    elif result is not None:
        emitted.append(result)
    return emitted


def _once(function: Callable[[], Any]) -> Iterator[Any]:
    value = function()
    if value is not None:
        yield value


def _pushed(function: Callable[..., Any], emit: Callable[[Any], object]) -> None:
    result = function(output=Output(emit))
    if is_generator(function):
        for value in result:
            emit(value)
    elif result is not None:
        emit(result)

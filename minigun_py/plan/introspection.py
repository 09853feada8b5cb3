"""What can be seen of a function before it is called: as `inspect` tells, and mostly without it.

To import `inspect` takes a tenth of the time until a program has its first result. Of a function
as most are, without attributes that would make it look like another one, its code object tells all;
whatever else there is, `inspect` is asked about.
"""

from __future__ import annotations

from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, Final

from minigun_py.record import record

__all__ = [
    "Parameters",
    "Written",
    "is_awaitable",
    "is_routine",
    "parameters_of",
    "unwrapped",
    "written",
]

# The flags of a code object, which `inspect` documents.
VARARGS: Final = 0x04
GENERATOR: Final = 0x20
COROUTINE: Final = 0x80
ASYNC_GENERATOR: Final = 0x200

_ROUTINES: Final = (FunctionType, MethodType, BuiltinFunctionType)


@record
class Written:
    """How a function is written: with ``yield``, and with ``async def``."""

    generates: bool = False
    waits: bool = False


@record
class Parameters:
    """By name, whether each has a default: those given by place, and by name alone."""

    placed: list[tuple[str, bool]]
    named: list[tuple[str, bool]]
    rest: str | None
    """What takes any number more by place."""


def written(function: Callable[..., Any]) -> Written:
    """How a function or method is written. Other callables are neither."""
    plain = _plain(function)
    if plain is None:
        import inspect

        waits = inspect.isasyncgenfunction(function)
        generates = waits or inspect.isgeneratorfunction(function)
        return Written(generates, waits or inspect.iscoroutinefunction(function))
    flags = plain.__code__.co_flags
    return Written(
        bool(flags & (GENERATOR | ASYNC_GENERATOR)), bool(flags & (COROUTINE | ASYNC_GENERATOR))
    )


def parameters_of(function: Callable[..., Any]) -> Parameters:
    """The parameters. Raises `TypeError` or `ValueError` of built-ins that do not tell."""
    plain = _plain(function)
    if plain is None:
        return _as_inspect_tells(function)
    code = plain.__code__
    names = code.co_varnames
    defaults, by_name = plain.__defaults__ or (), plain.__kwdefaults__ or {}
    first = code.co_argcount - len(defaults)
    placed = [(name, at >= first) for at, name in enumerate(names[: code.co_argcount])]
    if isinstance(function, MethodType):
        if not (placed or code.co_flags & VARARGS):
            return _as_inspect_tells(function)  # it has no place for its object
        del placed[:1]
    given = code.co_argcount + code.co_kwonlyargcount
    named = [(name, name in by_name) for name in names[code.co_argcount : given]]
    return Parameters(placed, named, names[given] if code.co_flags & VARARGS else None)


def is_routine(function: object) -> bool:
    """Whether it is a function or method itself, and no object that can be called."""
    if isinstance(function, _ROUTINES):
        return True
    import inspect

    return inspect.isroutine(function)


def unwrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """What a decorator has wrapped, and was told to say so."""
    if not hasattr(function, "__wrapped__"):
        return function
    import inspect

    inner: Callable[..., Any] = inspect.unwrap(function)
    return inner


def is_awaitable(value: object) -> bool:
    """Whether it can be awaited."""
    if value is None:
        return False
    import inspect

    return inspect.isawaitable(value)


def _plain(function: object) -> FunctionType | None:
    """The function, or that of a method, if nothing but its code says what it is."""
    inner = function.__func__ if isinstance(function, MethodType) else function
    return inner if isinstance(inner, FunctionType) and not vars(inner) else None


def _as_inspect_tells(function: Callable[..., Any]) -> Parameters:
    import inspect

    parameters = inspect.signature(function).parameters.values()
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    told = [(p.kind, (p.name, p.default is not p.empty)) for p in parameters]
    return Parameters(
        [one for kind, one in told if kind in by_place],
        [one for kind, one in told if kind is inspect.Parameter.KEYWORD_ONLY],
        next((one[0] for kind, one in told if kind is inspect.Parameter.VAR_POSITIONAL), None),
    )

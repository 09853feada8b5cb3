"""How the engine is to call a stage's function, read from its signature once, at definition.

A stage emits by returning, by yielding, or through an injected ``output``. The engine knows two
shapes only: a function that gives one value (None emits nothing) and one that gives a list of
values. Everything else is brought to one of these here.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Generic, TypeVar

from minigun_py.emission import Target, To
from minigun_py.errors import UsageError
from minigun_py.plan.introspection import is_routine, parameters_of, unwrapped, written
from minigun_py.primitives.spool import FEW, Gathering, Values, gathered
from minigun_py.record import record, replace

__all__ = [
    "GatheringOutput",
    "Output",
    "Shape",
    "called",
    "is_coroutine",
    "is_generator",
    "location",
    "shape_of_flush",
    "shape_of_process",
    "shape_of_source",
    "shape_of_stage",
    "shape_of_stream",
]

T_contra = TypeVar("T_contra", contravariant=True)

_INJECTED = ("output", "state")
"""Parameters that are given by name; `state` is what the stage's setup has made."""


class Output(Generic[T_contra]):
    """Emits from inside a stage: ``output(value)``, also from callbacks and helpers."""

    def __init__(self, emit: Callable[[Any], object]) -> None:
        self._emit = emit

    def __call__(self, value: T_contra, *, to: Target | None = None) -> None:
        """Emit `value` along the stage's edges, or to the stages named, as with `To`."""
        self._emit(value if to is None else To(to, value))


class GatheringOutput(Gathering, Output[Any]):
    """Keeps what is emitted. It is called for every output, so it takes no way round."""

    def __call__(self, value: Any, *, to: Target | None = None) -> None:
        """Emit `value`, as any `Output` does."""
        values = self.list
        values.append(value if to is None else To(to, value))
        if not len(values) % FEW:
            self.weigh(value)


@record
class Shape:
    """How to call the function. With `many`, `call(item)` gives `Values`; else a value or None.

    Of a `coroutine`, the call gives an awaitable of that. With `takes_state` the call takes the
    keyword `state` too.

    Of a function that `yields`, and of one that takes an `output`, `function` is itself: loops that
    are generated gather what it emits without a call between.
    """

    call: Callable[..., Any]
    many: bool
    pushes: bool = False
    coroutine: bool = False
    takes_state: bool = False
    function: Callable[..., Any] | None = None
    yields: bool = False


def shape_of_stage(function: Callable[..., Any], where: str) -> Shape:
    """The shape of a function from an item. Raises `UsageError` if it cannot be one."""
    _check_callable(function, where)
    injected = _injected(function, where, positional=1)
    waits, generates = is_coroutine(function), is_generator(function)
    call, many, raw = function, True, None
    if "output" in injected:
        raw = None if waits or generates else function
        call = functools.partial(_collect_async if waits else _collect, function, generates)
    elif generates:
        call = functools.partial(_listed_async if waits else _listed, function)
        raw = None if waits else function
    else:
        many = False
    return Shape(
        call,
        many,
        coroutine=waits,
        takes_state="state" in injected,
        function=raw,
        yields=generates,
    )


def shape_of_emitter(function: Callable[..., Any], where: str) -> Shape:
    """As `shape_of_stage`, but `call(item, emit=...)` hands each value to a function at once.

    A `coroutine` also takes `wait_for_room`, which it awaits where it can.
    """
    shape = shape_of_stage(function, where)
    waits, by_output = shape.coroutine, "output" in _injected(function, where, positional=1)
    call = functools.partial(_emit_async if waits else _emit, function, by_output)
    return replace(shape, call=call, many=True, function=None)


def shape_of_process(function: Callable[..., Any], where: str) -> Shape:
    """As `shape_of_stage`, but of a shape that gives a list in any case."""
    shape = shape_of_stage(function, where)
    if shape.many:
        return shape
    call = functools.partial(_as_list_async if shape.coroutine else _as_list, function)
    return replace(shape, call=call, many=True)


def shape_of_stream(function: Callable[..., Any], where: str) -> Shape:
    """The shape of a function from an iterator: `call(items)` gives an iterable of outputs.

    Of a `coroutine`, both are asynchronous.
    """
    _check_callable(function, where)
    injected = _injected(function, where, positional=1)
    if "output" in injected:
        raise UsageError(f"{where}: a function that takes an iterator yields; drop output")
    waits = is_coroutine(function)
    if waits and not is_generator(function):
        raise UsageError(f"{where}: its function takes an iterator, so it has to yield")
    return Shape(function, True, coroutine=waits, takes_state="state" in injected)


def shape_of_source(function: Callable[..., Any], where: str) -> Shape:
    """The shape of a producer: `call()` gives an iterator, or with `pushes`, `call(output)`.

    Of a `coroutine`, the iterator is an asynchronous one.
    """
    _check_callable(function, where)
    injected = _injected(function, where, positional=0)
    waits = is_coroutine(function)
    pushes = "output" in injected
    call = function
    if pushes:
        call = functools.partial(_pushed_async if waits else _pushed, function)
    elif not is_generator(function):
        call = functools.partial(_once_async if waits else _once, function)
    return Shape(call, True, pushes, coroutine=waits, takes_state="state" in injected)


def shape_of_flush(function: Callable[..., Any], where: str) -> Shape:
    """The shape of what gives what is held: `call()` gives an iterator, as of a producer."""
    shape = shape_of_source(function, where)
    if shape.pushes or shape.takes_state:
        raise UsageError(f"{where}: it returns or yields, and takes nothing")
    return shape


def is_generator(function: Callable[..., Any]) -> bool:
    """Whether calling it gives a generator, of either kind; partials and objects included."""
    return written(called(function)).generates


def is_coroutine(function: Callable[..., Any]) -> bool:
    """Whether it is written with ``async def``; partials and callable objects included."""
    return written(called(function)).waits


def called(function: Callable[..., Any]) -> Callable[..., Any]:
    """What runs when it is called: the method of a callable object, the function of a partial."""
    while isinstance(function, functools.partial):
        function = function.func
    if isinstance(function, type) or is_routine(function):
        return function
    method: Callable[..., Any] = getattr(function, "__call__", function)  # noqa: B004
    return method


def location(function: object) -> str:
    """Where the function was written, as ``file.py:12``; empty when nobody knows."""
    inner = unwrapped(function) if callable(function) else function
    while isinstance(inner, functools.partial):
        inner = inner.func
    code = getattr(inner, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else ""


def _check_callable(function: Callable[..., Any], where: str) -> None:
    if not callable(function):
        raise UsageError(f"{where}: a stage is a function or another callable, not {function!r}")


def _injected(function: Callable[..., Any], where: str, positional: int) -> frozenset[str]:
    """Which of ``output`` and ``state`` are asked for, after checking every other parameter."""
    try:
        its = parameters_of(function)
    except (TypeError, ValueError):  # a built-in that does not tell its signature
        return frozenset()
    if len(its.placed) < positional and its.rest is None:
        raise UsageError(f"{where}: its function has no parameter for the item")
    rest = its.placed[positional:] + its.named
    for name, has_default in rest:
        if not (has_default or name in _INJECTED):
            raise _extra(name, where, positional)
    return frozenset(name for name, _ in rest) & frozenset(_INJECTED)


def _extra(name: str, where: str, positional: int) -> UsageError:
    takes = "the item, then output and state" if positional else "nothing but output and state"
    return UsageError(
        f"{where}: parameter {name!r} has no default; a stage like this takes {takes}"
    )


def _as_list(function: Callable[..., Any], item: Any, **state: Any) -> list[Any]:
    value = function(item, **state)
    return [] if value is None else [value]


async def _as_list_async(function: Callable[..., Any], item: Any, **state: Any) -> list[Any]:
    value = await function(item, **state)
    return [] if value is None else [value]


def _listed(function: Callable[..., Iterator[Any]], item: Any, **state: Any) -> Values:
    return gathered(function(item, **state))


async def _listed_async(
    function: Callable[..., AsyncIterator[Any]], item: Any, **state: Any
) -> Values:
    emitted = Gathering()
    async for value in function(item, **state):
        emitted.add(value)
    return emitted.values()


def _collect(function: Callable[..., Any], generates: bool, item: Any, **state: Any) -> Values:
    emitted = GatheringOutput()
    result = function(item, output=emitted, **state)
    if generates:
        for value in result:
            emitted.add(value)
    elif result is not None:
        emitted.add(result)
    return emitted.values()


async def _collect_async(
    function: Callable[..., Any], generates: bool, item: Any, **state: Any
) -> Values:
    emitted = GatheringOutput()
    result = function(item, output=emitted, **state)
    if generates:
        async for value in result:
            emitted.add(value)
    elif (value := await result) is not None:
        emitted.add(value)
    return emitted.values()


def _emit(
    function: Callable[..., Any],
    by_output: bool,
    item: Any,
    emit: Callable[[Any], object],
    **state: Any,
) -> None:
    output: dict[str, Any] = {"output": Output(emit)} if by_output else {}
    result = function(item, **output, **state)
    if is_generator(function):
        for value in result:
            emit(value)
    elif result is not None:
        emit(result)


async def _emit_async(
    function: Callable[..., Any],
    by_output: bool,
    item: Any,
    emit: Callable[[Any], object],
    wait_for_room: Callable[[], Awaitable[object]],
    **state: Any,
) -> None:
    output: dict[str, Any] = {"output": Output(emit)} if by_output else {}
    result = function(item, **output, **state)
    if is_generator(function):
        async for value in result:
            emit(value)
            await wait_for_room()
    elif (value := await result) is not None:
        emit(value)
    await wait_for_room()


def _once(function: Callable[..., Any], **state: Any) -> Iterator[Any]:
    value = function(**state)
    if value is not None:
        yield value


async def _once_async(function: Callable[..., Any], **state: Any) -> AsyncIterator[Any]:
    value = await function(**state)
    if value is not None:
        yield value


def _pushed(function: Callable[..., Any], emit: Callable[[Any], object], **state: Any) -> None:
    result = function(output=Output(emit), **state)
    if is_generator(function):
        for value in result:
            emit(value)
    elif result is not None:
        emit(result)


async def _pushed_async(
    function: Callable[..., Any], emit: Callable[[Any], object], **state: Any
) -> None:
    result = function(output=Output(emit), **state)
    if is_generator(function):
        async for value in result:
            emit(value)
    elif (value := await result) is not None:
        emit(value)

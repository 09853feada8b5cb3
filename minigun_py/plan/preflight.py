"""What a stage's function holds that cannot go where the plan sends it, found before the run.

A fresh process or interpreter gets the function as a pickle, and a pickling error names neither
the variable nor the line. A forked worker gets a copy, in which a lock that somebody holds is
never let go. So the function is taken apart here: `what_cannot_cross` and `held_locks` name what
they find.
"""

from __future__ import annotations

import dis
import functools
from collections import deque
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any, Final

from minigun_py.record import record

__all__ = ["Culprit", "held_locks", "what_cannot_cross"]

_KNOWN_AS: Final = {
    "_thread.lock": "threading.Lock",
    "_thread.RLock": "threading.RLock",
    "_thread._local": "threading.local",
}
"""Types under the names by which their users make them."""


@record
class Culprit:
    """A value that a function holds, and how it comes to hold it.

    `verb` is such as "uses the global". Where the function itself is to blame, `variable` is
    empty and `type_name` has the words of the error. `location` is empty when nobody knows.
    """

    function: str
    verb: str
    variable: str
    type_name: str
    location: str

    def __str__(self) -> str:
        return self._told(f"stage function `{self.function}`", f"`{self.variable}`")

    def told_of(self, stage: str) -> str:
        """The same, under the name of the stage."""
        return self._told(f"stage {stage!r}", repr(self.variable))

    def _told(self, who: str, variable: str) -> str:
        what = f"{self.verb} {variable}" if self.variable else self.verb
        return f"{who} {what} ({self.type_name})" + (f", {self.location}" if self.location else "")


@record
class _Held:
    """A value that a function holds. With no variable it is a part of it, such as a method."""

    holder: Any
    verb: str
    variable: str
    value: Any

    def blamed(self, variable: str, value: object) -> Culprit:
        return Culprit(
            _name(self.holder), self.verb, variable, _type_name(value), _location(self.holder)
        )


def what_cannot_cross(function: Callable[..., Any]) -> tuple[Culprit, ...]:
    """What keeps the function from being pickled; nothing if it can be.

    Costs a pickling of all that it holds, of which nothing is kept.
    """
    error = _refusal(function)
    if error is None:
        return ()
    found = dict.fromkeys(
        held.blamed(held.variable, held.value)
        for held in _walk(function, lambda value: _refusal(value) is not None)
        if _refusal(held.value) is not None
    )
    if found:
        return tuple(found)
    said = f"{type(error).__name__}: {error}"
    return (Culprit(_name(function), "cannot be pickled", "", said, _location(function)),)


def held_locks(function: Callable[..., Any]) -> tuple[Culprit, ...]:
    """Locks that it uses and that are locked at this moment; a forked worker would hang on them.

    Finds what the function holds itself, and what an object that it holds has as an attribute,
    such as the lock of a queue. Looks into functions of the same module and into nested ones.
    """
    module = _module(function)
    found = (
        held.blamed(variable, value)
        for held in _walk(function, lambda value: _is_beside(value, module))
        for variable, value in _with_attributes(held)
        if _is_locked(value)
    )
    return tuple(dict.fromkeys(found))


def _walk(function: Any, enters: Callable[[Any], bool]) -> Iterator[_Held]:
    """The values that are held, the nearest first, also by what it leads to if that is entered."""
    pending: deque[Any] = deque([function])
    seen: dict[int, Any] = {}  # the objects too: an id is theirs only as long as they live
    while pending:
        holder = pending.popleft()
        if id(holder) in seen:
            continue
        seen[id(holder)] = holder
        for held in _holdings(holder):
            is_code = isinstance(held.value, FunctionType | MethodType | functools.partial | type)
            if held.variable and not is_code:
                yield held
                is_code = "__wrapped__" in _attributes(held.value)
            if (is_code or not held.variable) and enters(held.value):
                pending.append(held.value)


@functools.singledispatch
def _holdings(holder: Any) -> Iterator[_Held]:
    """What a callable object holds; below, what the other callables hold."""
    return _of_object(holder, holder)


@_holdings.register(FunctionType)
def _of_function(function: FunctionType) -> Iterator[_Held]:
    code = function.__code__
    for variable, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield _Held(function, "closes over", variable, cell.cell_contents)
        except ValueError:  # not assigned yet
            continue
    for variable in _global_names(code):
        if variable in function.__globals__:
            yield _Held(function, "uses the global", variable, function.__globals__[variable])
    defaults = function.__defaults__ or ()
    last = code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount]
    given = dict(zip(last, defaults, strict=True)) | (function.__kwdefaults__ or {})
    for variable, value in given.items():
        yield _Held(function, "has the default", variable, value)
    for variable, value in vars(function).items():
        yield _Held(function, "holds", f"{function.__name__}.{variable}", value)


@_holdings.register(functools.partial)
def _of_partial(partial: functools.partial[Any]) -> Iterator[_Held]:
    import inspect  # here: for few

    yield _Held(partial, "", "", partial.func)
    try:
        parameters = list(inspect.signature(partial.func).parameters.values())
    except (TypeError, ValueError):  # a built-in that does not tell its signature
        parameters = []
    names = [p.name for p in parameters if p.kind <= p.POSITIONAL_OR_KEYWORD]
    names += [f"argument {number + 1}" for number in range(len(names), len(partial.args))]
    given = dict(zip(names, partial.args, strict=False)) | partial.keywords
    for variable, value in given.items():
        yield _Held(partial, "holds", variable, value)


@_holdings.register(type)
def _of_class(kind: type) -> Iterator[_Held]:
    """Its methods, and what its author has put beside them."""
    for base in kind.__bases__:
        yield _Held(kind, "", "", base)
    for variable, value in vars(kind).items():
        inner = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if isinstance(inner, FunctionType):
            if not variable.startswith("__annotate"):  # never called by the class's users
                yield _Held(kind, "", "", inner)
        elif type(value) not in (kind, MemberDescriptorType) and not _is_machinery(variable):
            yield _Held(kind, "holds", f"{kind.__name__}.{variable}", value)


@_holdings.register(MethodType)
def _of_method(method: MethodType) -> Iterator[_Held]:
    yield _Held(method, "", "", method.__func__)
    if isinstance(method.__self__, type):
        yield _Held(method, "", "", method.__self__)
    else:
        yield from _of_object(method, method.__self__)


def _of_object(holder: Any, thing: Any) -> Iterator[_Held]:
    yield _Held(holder, "", "", type(thing))
    for variable, value in _attributes(thing).items():
        yield _Held(holder, "holds", f"self.{variable}", value)


def _is_machinery(name: str) -> bool:
    """Whether Python puts it into a class, and makes it anew."""
    return name == "_abc_impl" or (name.startswith("_") and name.endswith("_") and name != "_")


def _attributes(thing: object) -> dict[str, Any]:
    """What an object has in its slots and in its dictionary."""
    kinds = type(thing).__mro__
    slots = (n for k in kinds for n, v in vars(k).items() if isinstance(v, MemberDescriptorType))
    try:
        held = {name: getattr(thing, name) for name in slots if hasattr(thing, name)}
        return held | getattr(thing, "__dict__", {})
    except Exception:  # it stands for another thing, such as a request, which is not there now
        return {}


def _with_attributes(held: _Held) -> Iterator[tuple[str, Any]]:
    yield held.variable, held.value
    if not isinstance(held.value, ModuleType):  # the locks of a whole library
        for name, value in _attributes(held.value).items():
            yield f"{held.variable}.{name}", value


def _global_names(code: CodeType) -> dict[str, None]:
    names = {i.argval: None for i in dis.get_instructions(code) if i.opname.endswith("_GLOBAL")}
    for nested in code.co_consts:
        if isinstance(nested, CodeType):
            names |= _global_names(nested)
    return names


class _Nowhere:
    """A file for pickles that nobody wants: gigabytes need no place of their own."""

    def write(self, written: bytes) -> int:
        return len(written)


def _refusal(value: object) -> Exception | None:
    import cloudpickle  # here: few plans need it

    try:
        cloudpickle.dump(value, _Nowhere())
    except Exception as error:  # an object may raise anything while it is taken apart
        return error
    return None


def _is_locked(value: object) -> bool:
    if _type_name(value) not in {"threading.Lock", "threading.RLock"}:
        return False
    return repr(value).startswith("<locked")  # before Python 3.14 an RLock tells nowhere else


def _is_beside(value: Any, module: str | None) -> bool:
    """Whether it was written with the function or inside another, and not for all the world."""
    nested = "<locals>" in getattr(value, "__qualname__", "")
    return nested or _module(value) in {module, "__main__"}


def _module(function: Any) -> str | None:
    return getattr(_innermost(function), "__module__", None)


def _innermost(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _name(holder: Any) -> str:
    inner = _innermost(holder)
    return str(getattr(inner, "__name__", type(inner).__name__))


def _location(holder: Any) -> str:
    inner = _innermost(holder)
    kind = inner if isinstance(inner, type) else type(inner)
    for candidate in (inner, getattr(kind, "__call__", None), getattr(kind, "__init__", None)):  # noqa: B004
        code = getattr(candidate, "__code__", None)
        if isinstance(code, CodeType):
            name = code.co_filename.replace("\\", "/").rpartition("/")[2]
            return f"{name}:{code.co_firstlineno}"
    return ""


def _type_name(value: object) -> str:
    kind = type(value)
    if kind.__module__ == "builtins":
        return kind.__qualname__
    if kind.__module__ == "_io":
        return f"an open file, io.{kind.__qualname__}"
    name = f"{kind.__module__}.{kind.__qualname__}"
    return _KNOWN_AS.get(name, name)

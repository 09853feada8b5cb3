"""Whether a value of one annotated type can be one of another. Pure.

It speaks up only where it is sure. Type checkers know more; what they cannot see is that a value
goes from one function to another because a pipeline says so, and that is all that is looked at
here. Types that are compared by what they can do (protocols), that stand for others (type
variables) or that nobody can resolve fit everything, and so does whatever is unheard of.
"""

from __future__ import annotations

import collections
import typing
from collections import abc
from collections.abc import Iterable
from types import NoneType, UnionType
from typing import Any, Final

__all__ = ["Types", "can_fit", "class_of", "element_of", "joined", "members_of", "shown"]

Types = tuple[Any, ...] | None
"""The members of a union, of which there may be one, or none; None where nothing is known."""

_DEEPEST: Final = 12
"""Aliases may be recursive; what lies deeper is taken as unknown."""

_ONE_ELEMENT: Final = frozenset((
    list, set, frozenset, tuple, collections.deque,
    abc.Collection, abc.Container, abc.Iterable, abc.Iterator, abc.Generator, abc.MutableSequence,
    abc.MutableSet, abc.Reversible, abc.Sequence, abc.Set, abc.ValuesView, abc.KeysView,
    abc.AsyncGenerator, abc.AsyncIterable, abc.AsyncIterator,
))  # fmt: skip
"""Generic types of which the first argument is what they give when iterated over."""

_KEY_AND_VALUE: Final = frozenset(
    (dict, collections.defaultdict, collections.OrderedDict, abc.Mapping, abc.MutableMapping)
)
_PROMOTED: Final = ((int, float, complex), (bytes, bytearray, memoryview))
"""Types that annotations take for each other although none is a base of another."""


def members_of(annotation: Any, depth: int = 0) -> Types:
    """The members of a union, or the one type that the annotation is."""
    if type(annotation) is type:  # what is by far the most frequent first
        return (annotation,) if _is_nominal(annotation) else None
    annotation = _meant(annotation)
    origin = typing.get_origin(annotation)
    if origin is typing.Union or origin is UnionType:
        members = (members_of(a, depth + 1) for a in typing.get_args(annotation))
        return joined(members) if depth < _DEEPEST else None
    if annotation is typing.NoReturn or annotation is typing.Never:
        return ()
    cls = origin or annotation
    told_by_class = isinstance(cls, type) and _is_nominal(cls)
    return (annotation,) if told_by_class or origin is typing.Literal else None


def can_fit(emitted: Types, taken: Types, depth: int = 0) -> bool:
    """Whether any of the types of a value may be any of those that are taken."""
    if emitted is None or taken is None or depth > _DEEPEST:
        return True
    return any(_may_be(value, wanted, depth) for value in emitted for wanted in taken)


def element_of(annotation: Any) -> Types:
    """The types of what an annotated iterable gives."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin not in _ONE_ELEMENT or not arguments or any(map(_is_unpacked, arguments)):
        return None
    if origin is tuple:
        length_is_open = len(arguments) == 2 and arguments[1] is ...
        return joined([members_of(a) for a in arguments[: 1 if length_is_open else None]])
    return members_of(arguments[0])


def joined(found: Iterable[Types]) -> Types:
    """All of them; None if one is unknown."""
    members: list[Any] = []
    for types in found:
        if types is None:
            return None
        members += types
    return tuple(members)


def class_of(annotation: Any) -> type:
    """The class of the values of a type that is no union."""
    found: type = typing.get_origin(annotation) or annotation
    return dict if typing.is_typeddict(found) else found


def shown(types: Types, *, with_modules: bool = False) -> str:
    """The types as an annotation would have them."""
    return " | ".join(dict.fromkeys(_name(a, with_modules) for a in types or ()))


def _meant(annotation: Any) -> Any:
    """The type itself, where the annotation is another name for it."""
    for _ in range(_DEEPEST):
        if annotation is None:
            return NoneType
        if isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":  # of Python 3.12, or of a package
            annotation = annotation.__value__
        elif typing.get_origin(annotation) is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        else:
            return annotation
    return Any


def _is_nominal(cls: type) -> bool:
    """Whether values of a class are told by their class."""
    by_what_it_can_do = getattr(cls, "_is_protocol", False) or Any in cls.__mro__
    return not by_what_it_can_do and cls.__module__ not in ("typing", "typing_extensions")


def _may_be(value: Any, wanted: Any, depth: int) -> bool:
    if value is wanted:
        return True
    values, wishes = _literals(value), _literals(wanted)
    if values and wishes:
        return any(type(v) is type(w) and v == w for v in values for w in wishes)
    classes = [*map(type, values)] or [class_of(value)]
    wished = [*map(type, wishes)] or [class_of(wanted)]
    if not any(_related(cls, wish) for cls in classes for wish in wished):
        return False
    return bool(values or wishes) or _arguments_fit(value, wanted, depth + 1)


def _literals(annotation: Any) -> tuple[Any, ...]:
    is_literal = typing.get_origin(annotation) is typing.Literal
    return typing.get_args(annotation) if is_literal else ()


def _related(value: type, wanted: type) -> bool:
    for alike in _PROMOTED:
        if issubclass(value, alike) and issubclass(wanted, alike):
            return True
    return issubclass(value, wanted) or issubclass(wanted, value)


def _arguments_fit(value: Any, wanted: Any, depth: int) -> bool:
    of_value, of_wanted = typing.get_args(value), typing.get_args(wanted)
    if not of_value or not of_wanted or any(map(_is_unpacked, (*of_value, *of_wanted))):
        return True
    kinds = {typing.get_origin(value), typing.get_origin(wanted)}
    if kinds <= _ONE_ELEMENT and (kinds != {tuple} or ... in (*of_value, *of_wanted)):
        return can_fit(element_of(value), element_of(wanted), depth)
    if len(of_value) != len(of_wanted):
        return kinds != {tuple}
    comparable = len(kinds) == 1 or kinds <= _KEY_AND_VALUE
    return not comparable or all(
        can_fit(members_of(v, depth), members_of(w, depth), depth)
        for v, w in zip(of_value, of_wanted, strict=True)
    )


def _is_unpacked(annotation: Any) -> bool:
    unpacked = getattr(annotation, "__unpacked__", False)
    return bool(unpacked) or typing.get_origin(annotation) is typing.Unpack


def _name(annotation: Any, with_module: bool) -> str:
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    if arguments and origin is not typing.Literal:
        names = [_name(argument, with_module) for argument in arguments]
        if origin is typing.Union or origin is UnionType:
            return " | ".join(names)
        return f"{_name(origin, with_module)}[{', '.join(names)}]"
    if isinstance(annotation, list):  # the parameters of a callable
        return f"[{', '.join(_name(a, with_module) for a in annotation)}]"
    if annotation is NoneType or annotation is ...:
        return "None" if annotation is NoneType else "..."
    if isinstance(annotation, type):
        name = annotation.__qualname__.rpartition("<locals>.")[2]
        module = annotation.__module__ if with_module else "builtins"
        return name if module == "builtins" else f"{module}.{name}"
    return repr(annotation).replace("typing.", "").lstrip("~+-")  # of type variables

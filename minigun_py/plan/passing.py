"""What stages make of items of any type, where an annotation cannot tell.

A batch emits lists of whatever it is sent. So what follows it can be compared with what comes
before it, although the batch itself says nothing.
"""

from __future__ import annotations

import typing
from abc import ABCMeta
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, Final, TypeVar

from minigun_py.plan.fitting import Types, class_of, element_of, joined

__all__ = ["Passing", "passing", "passing_of"]

P = TypeVar("P", bound=Callable[..., Any])

_SAID: Final = "__minigun_passing__"
_WHOLE: Final = (str, bytes, bytearray, Mapping)
"""What can be iterated over and is not taken apart all the same."""


class Passing(Enum):
    """How the type of what is emitted follows from the type of what is received."""

    SAME = "same"
    IN_LISTS = "in lists"
    AS_ELEMENTS = "as elements"
    REGROUPED = "regrouped"

    def emitted(self, received: Types) -> Types:
        """The types of what it emits."""
        if self is Passing.IN_LISTS:
            return _lists_of(received)
        if self is Passing.AS_ELEMENTS:
            return _elements_of(received)
        return received if self is Passing.SAME else _lists_of(_elements_of(received))


def passing(how: Passing) -> Callable[[P], P]:
    """Say of a class of stages, or of the function of a stage, what it makes of its items."""

    def say(passes: P) -> P:
        setattr(passes, _SAID, how)
        return passes

    return say


def passing_of(passes: object) -> Passing | None:
    """What was said of it; of most nothing."""
    how = getattr(passes, _SAID, None)
    return how if isinstance(how, Passing) else None


def _lists_of(types: Types) -> Types:
    if not types:
        return (list,)
    element: Any = typing.Union[types]  # noqa: UP007 - as many as there are
    return (list[element],)


def _elements_of(types: Types) -> Types:
    return None if types is None else joined(_taken_apart(annotation) for annotation in types)


def _taken_apart(annotation: Any) -> Types:
    """What `unbatch` makes of it."""
    cls: Any = class_of(annotation)
    if not isinstance(cls, type) or cls is object:
        return None
    if issubclass(cls, _WHOLE):
        return (annotation,)
    if issubclass(cls, Iterable):
        return element_of(annotation)
    return None if isinstance(cls, ABCMeta) else (annotation,)  # others may have become iterable

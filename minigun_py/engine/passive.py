"""Iterators that only look things up. Pure.

Drawing from one of them calls nothing that anybody has written and waits for nothing, so nobody
can tell whether items were drawn one by one or many at once.
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterable, Iterator
from typing import Any, Final

__all__ = ["is_passive", "is_there_already"]

_OF: Final[tuple[Any, ...]] = (
    range(0), range(1 << 70), [], (), {}, set(), "", "\u00e9", b"", bytearray(), {}.values(),
    {}.items(), reversed([]), reversed(()), reversed(range(0)), collections.deque(),
    memoryview(b""),
)  # fmt: skip
_CONTAINERS: Final = frozenset(map(type, _OF))
_TYPES: Final = frozenset(type(iter(what)) for what in _OF) | {itertools.count, itertools.repeat}


def is_passive(items: Iterator[Any]) -> bool:
    """Whether it gives what is there already."""
    return type(items) in _TYPES


def is_there_already(items: Iterable[Any]) -> bool:
    """Whether to iterate over it gives what is there already."""
    return type(items) in _CONTAINERS or type(items) in _TYPES

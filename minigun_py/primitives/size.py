"""About how many bytes a value holds: enough to bound memory, and soon found out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any, Final

__all__ = ["LOOKED_AT", "estimated_bytes"]

LOOKED_AT: Final = 32
"""The most values that are looked at of what holds many."""

_PLAIN: Final = frozenset((int, float, complex, bool, type(None)))


def estimated_bytes(item: Any) -> int:
    """About how much an item holds: its buffer or text, else what Python says of it alone.

    Of what holds many values some are looked at, the others taken to be like them.
    """
    if type(item) in _PLAIN:
        return sys.getsizeof(item)
    if isinstance(item, str | bytes | bytearray):
        return len(item)
    if isinstance(item, memoryview) or isinstance(getattr(item, "nbytes", None), int):
        return int(item.nbytes)
    some: Iterator[Any]
    if isinstance(item, list | tuple):
        count, some = len(item), iter(item[:: 1 + len(item) // LOOKED_AT])
    elif isinstance(item, set | frozenset):
        count, some = len(item), islice(item, LOOKED_AT)
    elif isinstance(item, dict):
        count, some = 2 * len(item), chain.from_iterable(islice(item.items(), LOOKED_AT))
    else:
        return sys.getsizeof(item)
    sizes = [*map(sys.getsizeof, some)]
    return sys.getsizeof(item) + sum(sizes) * count // max(1, len(sizes))

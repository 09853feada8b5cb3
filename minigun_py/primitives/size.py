"""About how many bytes a value holds: enough to bound memory, and soon found out."""

from __future__ import annotations

import sys
from typing import Any, Final

__all__ = ["estimated_bytes"]

_PLAIN: Final = frozenset((int, float, complex, bool, type(None)))


def estimated_bytes(item: Any) -> int:
    """About how much an item holds: its buffer or text, else what Python says of it alone."""
    if type(item) in _PLAIN:
        return sys.getsizeof(item)
    if isinstance(item, str | bytes | bytearray):
        return len(item)
    if isinstance(item, memoryview) or isinstance(getattr(item, "nbytes", None), int):
        return int(item.nbytes)
    if isinstance(item, list | tuple | set | frozenset):
        return sys.getsizeof(item) + sum(map(sys.getsizeof, item))
    if isinstance(item, dict):
        return sys.getsizeof(item) + sum(
            sys.getsizeof(k) + sys.getsizeof(v) for k, v in item.items()
        )
    return sys.getsizeof(item)

"""A number from a key that is the same in every run, in every process and on every machine.

``hash()`` is not: for text it differs from run to run. Keys that are equal get the same number,
also where their types differ (``1``, ``1.0`` and ``True``). Pure.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import fractions
import pathlib
import uuid
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from minigun_py.errors import UsageError

__all__ = ["placed_by", "share_of"]

_NUMBERS = int | float | complex | decimal.Decimal | fractions.Fraction
_NAMED_BY_TEXT = datetime.date | datetime.time | datetime.timedelta | uuid.UUID | pathlib.PurePath


def share_of(key: Any, shares: int) -> int:
    """Which of so many shares a key belongs to.

    Args:
        key: Text, bytes, a number, None, an enum member, a date or time, a UUID, a path, or a
            tuple, frozenset or frozen dataclass of these.
        shares: How many there are.

    Raises:
        UsageError: The key is of another type, whose values look different in every process.
    """
    return zlib.crc32(b"".join(_bytes_of(key))) % shares


def placed_by(key: Callable[[Any], Any], shares: int) -> Callable[[Any], int]:
    """Tells the share of an item by its key."""
    return lambda item: share_of(key(item), shares)


def _bytes_of(key: Any) -> Iterator[bytes]:
    """The key as bytes, each part after a letter for its type and its length."""
    if key is None:
        yield b"n"
    elif isinstance(key, str):
        yield from _part(b"s", key.encode("utf-8", "surrogatepass"))
    elif isinstance(key, bytes):
        yield from _part(b"b", key)
    elif isinstance(key, _NUMBERS):
        yield from _part(b"i", _number(key).encode())
    elif isinstance(key, enum.Enum):  # those that are texts or numbers as well are done with
        yield from _part(b"e", f"{type(key).__qualname__}.{key.name}".encode())
    elif isinstance(key, tuple):
        yield b"t" + str(len(key)).encode()
        for element in key:
            yield from _bytes_of(element)
    elif isinstance(key, frozenset):
        yield b"f"
        yield from sorted(b"".join(_bytes_of(element)) for element in key)
    elif isinstance(key, _NAMED_BY_TEXT):
        yield from _part(b"o", _text_of(key).encode("utf-8", "surrogateescape"))
    elif hasattr(type(key), "__dataclass_fields__"):
        import dataclasses  # here: one who has such a key has imported it

        yield from _part(b"c", type(key).__qualname__.encode())
        for field in filter(lambda field: field.compare, dataclasses.fields(key)):
            yield from _bytes_of(getattr(key, field.name))
    else:
        raise UsageError(
            f"a key is text, bytes, a number, a date, a UUID, a path, None, or a tuple of these, "
            f"and not a {type(key).__name__}: {key!r:.100}"
        )


def _number(key: Any) -> str:
    """The hash of a number, which is laid down by the language; but for NaN."""
    return str(hash(key)) if key == key else "nan"  # noqa: PLR0124 - that is how to tell


def _text_of(key: Any) -> str:
    """The text of a value, the same for values that are equal."""
    if isinstance(key, datetime.datetime) and key.utcoffset() is not None:
        key = key.astimezone(datetime.UTC)
    return str(key).lower() if isinstance(key, pathlib.PureWindowsPath) else str(key)


def _part(kind: bytes, content: bytes) -> tuple[bytes, ...]:
    return kind, str(len(content)).encode(), content

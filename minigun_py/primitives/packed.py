"""Values that stay pickled on their way from one worker to another.

What lies between two workers in other processes need not unpickle what it hands on. `packed` does
this for plain data alone: a pickle without a class or a function in it can be rebuilt by anybody,
so nothing that could fail is put off until nobody knows any more whose value it was.

They are pickled in parts, so that several workers can share them. To everybody else a `Packed` is
a sequence, which unpickles itself when somebody looks into it.

*Threads*: it belongs to one at a time.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, takewhile
from typing import TYPE_CHECKING, Any, Final, overload

__all__ = ["Packed", "joined", "packed"]

_BESIDE: Final = 256 * 1024
"""A larger pickle travels beside the one that it is within, and is not copied into it."""

Pickle = bytes | bytearray | memoryview

if TYPE_CHECKING:
    _Values = Sequence[Any]
else:  # every chunk is asked whether it is one, which takes ten times as long of an abstract class
    _Values = object


class Packed(_Values):
    """Values in parts, each with its number of values and the pickle of a list of them."""

    __slots__ = ("_count", "_parts", "_values")

    def __init__(self, *parts: tuple[int, Pickle]) -> None:
        self._parts = parts
        self._count = sum(count for count, _ in parts)
        self._values: list[Any] | None = None

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Any]:
        return iter(self.unpacked())

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        """A value, or some of them: those of whole parts stay packed."""
        if isinstance(index, slice):
            places = [0, *accumulate(count for count, _ in self._parts)]
            start, stop, step = index.indices(self._count)
            if step == 1 and start in places and stop in places:
                return Packed(*self._parts[places.index(start) : places.index(stop)])
        return self.unpacked()[index]

    def unpacked(self) -> list[Any]:
        """The values."""
        values = self._values
        if values is None:
            loaded: list[list[Any]] = [pickle.loads(part) for _, part in self._parts]
            values = loaded[0] if len(loaded) == 1 else [*chain.from_iterable(loaded)]
            self._values = values
        return values

    def chunks(self) -> Iterator[list[Any]]:
        """All of them at once."""
        yield self.unpacked()

    def parts(self) -> Iterator[Packed]:
        """Each part by itself."""
        return map(Packed, self._parts)

    def within(self, most: int) -> int:
        """How many values there are in the first parts that have no more than `most` together."""
        ends = accumulate(count for count, _ in self._parts)
        return max(takewhile(lambda end: end <= most, ends), default=0)

    @property
    def each_bytes(self) -> int:
        """About how large a value is."""
        return sum(len(part) for _, part in self._parts) // max(1, self._count)

    def __reduce__(self) -> tuple[Any, ...]:
        return Packed, tuple((count, _beside(part)) for count, part in self._parts)


def packed(values: list[Any], parts: int = 1) -> Packed | list[Any]:
    """The values packed, in about so many parts, if all are plain data; else as they are."""
    size = max(1, -(-len(values) // parts))
    cut = [values[start : start + size] for start in range(0, len(values), size)]
    try:
        return Packed(*((len(part), _pickled(part)) for part in cut))
    except Exception:  # one is not plain, or cannot be pickled: whoever sends them will say
        return values


def joined(packs: Iterable[Packed]) -> Packed:
    """The values of all, in order."""
    return Packed(*chain.from_iterable(pack._parts for pack in packs))  # noqa: SLF001 - of a kind


def _pickled(values: list[Any]) -> bytes:
    file = io.BytesIO()
    _Pickler(file, protocol=5).dump(values)
    return file.getvalue()


def _beside(part: Pickle) -> Pickle | pickle.PickleBuffer:
    return pickle.PickleBuffer(part) if len(part) >= _BESIDE else part


class _NotPlain(Exception):
    """Ends the pickling of what is not plain data."""


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        """Called for all but numbers, texts, bytes and what Python has to hold others."""
        raise _NotPlain

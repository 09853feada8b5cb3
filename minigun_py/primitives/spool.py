"""Values in order, in memory as long as they are small, and in a file beyond that.

What a stage makes of one item is delivered together, when the item has ended well; until then it
may be more than fits into memory. A `Spool` is written once, and can be read as often as wanted, a
chunk at a time. The file has no name, and is gone with the spool. What cannot be pickled stays in
memory.

*Threads*: a spool belongs to one at a time.
"""

from __future__ import annotations

import os
import pickle
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

from minigun_py.primitives.packed import Packed
from minigun_py.primitives.size import estimated_bytes

__all__ = [
    "FEW",
    "MEMORY_BYTES",
    "Gathering",
    "Spool",
    "Values",
    "chunks_of",
    "gathered",
    "gathered_after",
    "is_large",
]

MEMORY_BYTES: Final = 16 * 1024 * 1024
"""So many bytes of what comes of an item stay in memory."""

FEW: Final = 16
"""Of so many values nobody asks how large they are."""
MOST: Final = 4096
"""So many are read or written together at most."""
CHUNK_BYTES: Final = 1024 * 1024


class Spool:
    """Values beyond what memory should hold.

    Args:
        memory_bytes: How many bytes stay in memory.
    """

    def __init__(self, memory_bytes: int = MEMORY_BYTES) -> None:
        self._first: list[Any] = []
        self._room = memory_bytes
        self._file: int | None = None
        self._blocks: list[tuple[int, int]] = []  # offset and length of each pickled chunk
        self._unpicklable: dict[int, list[Any]] = {}  # instead of the block of that number
        self._count = self._end = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Any]:
        for chunk in self.chunks():
            yield from chunk

    def put(self, values: Sequence[Any]) -> None:
        """Add values at the end."""
        self._count += len(values)
        for chunk, size in _cut(values):
            if self._blocks or size > self._room:
                self._write(chunk)
            else:
                self._first += chunk
                self._room -= size

    def close(self) -> None:
        """Give the file back before the spool is forgotten: nobody will read it."""
        if self._file is not None:
            self._closing()

    def chunks(self) -> Iterator[list[Any]]:
        """The values, some at a time."""
        for chunk, _ in _cut(self._first):
            yield chunk
        for number, (offset, length) in enumerate(self._blocks):
            if number in self._unpicklable:
                yield list(self._unpicklable[number])
            else:
                assert self._file is not None
                yield pickle.loads(os.pread(self._file, length, offset))

    def _write(self, chunk: list[Any]) -> None:
        try:
            pickled = pickle.dumps(chunk, protocol=5)
        except Exception:
            self._unpicklable[len(self._blocks)] = chunk
            pickled = b""
        if self._file is None:
            self._file = _nameless_file()
            self._closing = weakref.finalize(self, os.close, self._file)
            self._closing.atexit = False
        written = 0
        while written < len(pickled):
            written += os.pwrite(self._file, pickled[written:], self._end + written)
        self._blocks.append((self._end, len(pickled)))
        self._end += len(pickled)


Values = list[Any] | Packed | Spool
"""What a stage has made of items: in memory, pickled or not, or in a file if it is large."""


def chunks_of(values: Values) -> Iterator[list[Any]]:
    """The values: a list as it is, a spool some at a time."""
    return iter((values,)) if isinstance(values, list) else values.chunks()


def gathered(values: Iterator[Any]) -> Values:
    """All that an iterator gives: a list, or a spool if that would be large."""
    first = list(islice(values, FEW))
    return first if len(first) < FEW else gathered_after(first, values)


def gathered_after(first: list[Any], rest: Iterator[Any]) -> Values:
    """The first `FEW` values, and all that follow."""
    size, most = sum(map(estimated_bytes, first)), FEW
    while some := list(islice(rest, most)):
        largest = max(estimated_bytes(some[0]), estimated_bytes(some[-1]), 1)
        size += largest * len(some)
        most = max(FEW, min(MOST, CHUNK_BYTES // largest))
        if size > MEMORY_BYTES:
            return _spooled(first + some, rest, most)
        first += some
    return first


class Gathering:
    """Values that come one by one, and move to a spool when they would be large.

    *Threads*: `add` is for any: the list stays the same, so what is added while others move its
    beginning is not lost.
    *Lock order*: the lock is held while values are pickled, and so while their own code runs. It
    guards this one alone: nothing waits for it but who emits for the same item.

    There is one for every item, so it is made of a list alone until there are many values.
    """

    spool: Spool | None = None
    """What came before that which is in the list."""
    _bytes = 0

    def __init__(self) -> None:
        self.list: list[Any] = []

    @property
    def _lock(self) -> threading.Lock:
        """Guards how much there is, and the spool."""
        lock: threading.Lock = vars(self).setdefault("lock", threading.Lock())  # for all the same
        return lock

    def add(self, value: Any) -> None:
        """Take one in."""
        values = self.list
        values.append(value)
        if not len(values) % FEW:
            self.weigh(value)

    def values(self) -> Values:
        """All of them."""
        if self.spool is None:
            return self.list
        with self._lock:
            self._move(self.spool)
        return self.spool

    def weigh(self, value: Any) -> None:
        """Look how large they are, after as many as the last value stands for."""
        with self._lock:
            self._bytes += estimated_bytes(value) * FEW
            if self._bytes > MEMORY_BYTES:
                if self.spool is None:
                    self.spool = Spool()
                self._move(self.spool)

    def _move(self, spool: Spool) -> None:
        some = self.list[:]
        spool.put(some)
        del self.list[: len(some)]
        self._bytes = MEMORY_BYTES - CHUNK_BYTES


def is_large(values: Sequence[Any]) -> bool:
    """Whether a list is more than should stay in memory, as far as a few of its values tell."""
    sample = values[:: max(1, len(values) // FEW)]
    return (
        bool(sample)
        and sum(map(estimated_bytes, sample)) / len(sample) * len(values) > MEMORY_BYTES
    )


def _spooled(values: list[Any], rest: Iterator[Any], most: int) -> Spool:
    spool = Spool()
    try:
        while values:
            spool.put(values)
            values = list(islice(rest, most))
    except BaseException:
        spool.close()  # the error remembers it
        raise
    return spool


def _nameless_file() -> int:
    import tempfile  # here: hardly any run needs it

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _cut(values: Iterable[Any]) -> Iterator[tuple[list[Any], int]]:
    """The values in chunks of about a megabyte, each with its size; none without a value."""
    chunk: list[Any] = []
    size = 0
    for value in values:
        chunk.append(value)
        size += estimated_bytes(value)
        if size >= CHUNK_BYTES or len(chunk) >= MOST:
            yield chunk, size
            chunk, size = [], 0
    if chunk:
        yield chunk, size

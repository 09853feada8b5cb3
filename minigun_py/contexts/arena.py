"""Memory for large buffers, which a parent and each of its workers map and use again and again.

A large buffer that is copied through a socket is copied twice, in pieces, into memory that the
system has just cleared. Here it is copied once, into memory that is warm, and what arrives is a
view of that; a worker that gives back what it was given copies nothing at all.

::

    of one worker:  │ flags, who is there │ units for what goes down │ units for what comes up │
                                            the parent puts in          the worker puts in

A buffer takes a *stretch* of units. Whoever puts it in sets the flags of its units, and whoever
holds it then clears them once the last view of it has gone. So each flag has one writer at a time,
and there is no lock between processes. A worker that dies leaves its flags behind; the parent
clears those of all stretches that it does not hold itself.

Each side says there that it has mapped the memory, and nothing is put in for one that has not: it
may be allowed too little memory for that.

*Invariants*: a stretch whose flags are set is not written to. What does not fit goes through the
socket, so nobody ever waits for a stretch, and no more memory is used than the arena has.

*Threads*: an end is used by the one thread that moves frames, but views die in any.
*Lock order*: the lock guards what is in view, and the flags of that; it is a leaf, and one that its
thread may take again, since a view may die at any step.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from minigun_py.contexts.shared_file import shared_file
from minigun_py.record import record

__all__ = ["LARGE", "Arena", "ArenaEnd", "Stretch"]

UNIT: Final = 256 * 1024
UNITS: Final = 256
"""In each direction: 64 MiB."""

LARGE: Final = UNIT
"""Smaller buffers are not worth a stretch."""

_THERE: Final = 2 * UNITS
"""Behind the flags, two more: whether the parent is there, and the worker."""
_REGION: Final = UNIT * (1 + 2 * UNITS)
_UNTRACKED: Final[Any] = {"trackfd": False} if sys.version_info >= (3, 13) else {}
"""Before, a mapping keeps a descriptor of its own, for as long as anybody has a view of it."""


@record
class Stretch:
    """Where a buffer lies: its first unit, how many it takes, and its place in them in bytes."""

    unit: int
    units: int
    offset: int
    length: int


class Arena:
    """The memory of all workers of a context."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def shared(cls, workers: int) -> Arena:
        """Memory for so many workers; what is not used takes none."""
        return cls(shared_file("minigun-arena", workers * _REGION))

    def fileno(self) -> int:
        """The descriptor to hand to other processes."""
        return self._descriptor

    def of_parent(self, slot: int) -> ArenaEnd:
        """The parent's end of a worker's memory."""
        return ArenaEnd(self._descriptor, slot * _REGION, range(UNITS))

    def of_worker(self, slot: int) -> ArenaEnd:
        """The worker's own end."""
        return ArenaEnd(self._descriptor, slot * _REGION, range(UNITS, 2 * UNITS))

    def close(self) -> None:
        """Let the descriptor go. What is mapped stays until the last view has gone."""
        os.close(self._descriptor)


class ArenaEnd:
    """One side of the memory of one worker.

    Args:
        descriptor: What is to be mapped.
        start: Where the worker's memory begins.
        mine: The units that this side puts buffers into.
    """

    def __init__(self, descriptor: int, start: int, mine: range) -> None:
        self._mine = mine
        self._memory: mmap.mmap | None = None
        self._lock = threading.RLock()
        with contextlib.suppress(OSError):  # then all goes through the socket
            self._memory = mmap.mmap(descriptor, _REGION, offset=start, **_UNTRACKED)
            self._memory[_THERE + bool(mine.start)] = 1
        self._views: dict[weakref.ref[Any], Stretch] = {}
        self._parting: dict[int, Stretch] = {}
        self._process = os.getpid()

    def put(self, buffer: memoryview) -> Stretch | None:
        """Copy a buffer in. None if there is no room for it."""
        memory, units = self._memory, -(-buffer.nbytes // UNIT)
        if memory is None or not memory[_THERE + (not self._mine.start)]:
            return None
        free = memory[self._mine.start : self._mine.stop].find(bytes(units))
        if free < 0:
            return None
        first = self._mine.start
        stretch = Stretch(first + free, units, 0, buffer.nbytes)
        self._flag(stretch, 1)
        at = _place(stretch)
        with memoryview(memory) as whole, whole[at : at + buffer.nbytes] as there:
            _copy(buffer, there)
        return stretch

    def take(self, stretch: Stretch) -> memoryview:
        """A view of what the other side has put in: it is this side's until the view has gone."""
        kind = _block(stretch.units)
        block = kind.from_buffer(self._memory, _place(stretch) - stretch.offset)
        self._views[weakref.ref(block, self._view_gone)] = stretch
        return memoryview(block).cast("B")[stretch.offset : stretch.offset + stretch.length]

    def look(self, stretch: Stretch) -> memoryview:
        """What is in a stretch, for a moment: a view that keeps nobody from writing there."""
        assert self._memory is not None
        at = _place(stretch)
        return memoryview(self._memory)[at : at + stretch.length]

    def find(self, buffer: memoryview) -> Stretch | None:
        """Where a buffer lies that this side has taken. None if it is not from here."""
        if not self._views or buffer.readonly:
            return None
        address = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
        for reference in list(self._views):
            block, stretch = reference(), self._views.get(reference)
            if block is None or stretch is None:
                continue
            offset = address - ctypes.addressof(block)
            if offset >= 0 and offset + buffer.nbytes <= stretch.units * UNIT:
                return Stretch(stretch.unit, stretch.units, offset, buffer.nbytes)
        return None

    @contextmanager
    def parting(self, stretches: Iterable[Stretch]) -> Iterator[Callable[[Stretch], bool]]:
        """Maybe leave what was taken to the other side again.

        In the block the flags of these stretches stay as they are, so that views may go. It is
        given a function that leaves a stretch, and says so: not if there still is a view of it.
        """
        self._parting = {stretch.unit: stretch for stretch in stretches}
        left: set[int] = set()

        def leave(stretch: Stretch) -> bool:
            if stretch.unit in self._units_in_view():
                return False
            left.add(stretch.unit)
            return True

        try:
            yield leave
        finally:
            with self._lock:
                parted, self._parting = self._parting, {}
                for unit in parted.keys() - left - self._units_in_view():
                    self._flag(parted[unit], 0)

    def worker_gone(self) -> None:
        """The worker has ended: free what it put in and held, but for what this side holds."""
        if self._memory is None:
            return
        with self._lock:
            self._memory[_THERE + 1] = 0
            self._memory[: 2 * UNITS] = bytes(2 * UNITS)
            for stretch in list(self._views.values()):
                self._flag(stretch, 1)

    def close(self) -> None:
        """Of the parent: use it no more. What it has no view of goes back to the system."""
        if self._memory is None:
            return
        self.worker_gone()
        with self._lock:
            flags, unit = self._memory[: 2 * UNITS], 0
            while unit < 2 * UNITS:
                free = 2 * UNITS - unit - len(flags[unit:].lstrip(b"\0"))
                if free:
                    with contextlib.suppress(OSError, AttributeError):  # goes with the last view
                        place = UNIT * (1 + unit)
                        self._memory.madvise(mmap.MADV_REMOVE, place, free * UNIT)
                unit += free or 1
            self._memory = None

    def _flag(self, stretch: Stretch, value: int) -> None:
        if self._memory is not None:
            flags = bytes([value]) * stretch.units
            self._memory[stretch.unit : stretch.unit + stretch.units] = flags

    def _view_gone(self, reference: weakref.ref[Any]) -> None:
        if os.getpid() != self._process:  # a copy of the view, in a child of this process
            return
        with self._lock:
            stretch = self._views.pop(reference)
            if not (stretch.unit in self._parting or stretch.unit in self._units_in_view()):
                self._flag(stretch, 0)

    def _units_in_view(self) -> set[int]:
        return {stretch.unit for stretch in list(self._views.values())}


def _copy(buffer: memoryview, there: memoryview) -> None:
    """Copy, and let other threads run meanwhile: whoever takes results gives room back by that."""
    whole = buffer.obj
    if not buffer.readonly:
        ctypes.memmove(_held(there), _held(buffer), buffer.nbytes)
    elif type(whole) is bytes and len(whole) == buffer.nbytes:
        ctypes.memmove(_held(there), whole, buffer.nbytes)
    else:  # it does not tell where it lies
        there[:] = buffer


def _held(buffer: memoryview) -> Any:
    """Where it lies, as long as somebody has this: nobody can let go of the memory meanwhile."""
    return ctypes.byref(ctypes.c_char.from_buffer(buffer))


def _place(stretch: Stretch) -> int:
    """Where its bytes begin."""
    return UNIT * (1 + stretch.unit) + stretch.offset


_blocks: dict[int, Any] = {}


def _block(units: int) -> Any:
    """A type of so many units of memory, whose instances can be watched."""
    if units not in _blocks:
        memory = ctypes.c_char * (units * UNIT)
        _blocks[units] = type(f"Block{units}", (memory,), {"__hash__": object.__hash__})
    return _blocks[units]

"""Memory shared with workers in which each notes the item that it is about to run.

So the parent knows which item to blame if the worker dies, and how long it has been at it. Three
numbers for each worker: the place of its lease; the index of the item in it, where -1 stands for
none and -2 for a worker that tears down what its stages had set up; and, where items have a time
limit, the moment at which the item began, in nanoseconds of the monotonic clock, which all
processes of a machine share.

Behind the numbers each worker has a page for its last words: there `faulthandler` writes the stack
of a worker that crashes.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Self

from minigun_py.contexts.shared_file import shared_file

__all__ = ["RunningItems"]

_CELLS: Final = 3
_PAGE: Final = 16 * 1024  # a stack of 100 frames, as faulthandler writes at most, has room
_NONE: Final = -1
_TEARING_DOWN: Final = -2


class RunningItems:
    """The notes of all workers of a context."""

    def __init__(
        self, memory: mmap.mmap | bytearray, descriptor: int | None = None, owned: bool = True
    ) -> None:
        """Take memory, and the descriptor behind it, which is closed with it if it is `owned`."""
        self._memory, self._descriptor, self._owned = memory, descriptor, owned
        self._cells = memoryview(memory).cast("q")
        self._workers = len(memory) // (_CELLS * 8 + _PAGE)

    @classmethod
    def shared(cls, workers: int) -> Self:
        """Memory that other processes can map, by inheritance or by its descriptor."""
        size = workers * (_CELLS * 8 + _PAGE)
        descriptor = shared_file("minigun-running-items", size)
        notes = cls(mmap.mmap(descriptor, size), descriptor)
        for slot in range(workers):
            notes.clear(slot)
        return notes

    @classmethod
    def attached(cls, descriptor: int) -> Self:
        """In another process: the memory behind a descriptor that it was given."""
        return cls(mmap.mmap(descriptor, os.fstat(descriptor).st_size), descriptor, False)

    @classmethod
    def private(cls, workers: int) -> Self:
        """For workers that cannot die alone, so that nobody else ever reads it."""
        notes = cls(bytearray(workers * (_CELLS * 8 + _PAGE)))
        for slot in range(workers):
            notes.clear(slot)
        return notes

    def fileno(self) -> int:
        """The descriptor to hand to other processes."""
        assert self._descriptor is not None, "this memory is private"
        return self._descriptor

    def each(self, slot: int, place: int, items: Iterable[Any]) -> Iterator[Any]:
        """In the worker: the items, noting the index of each before it is given."""
        cells, base = self._cells, slot * _CELLS
        cells[base + 1] = _NONE
        cells[base] = place
        for index, item in enumerate(items):
            cells[base + 1] = index
            yield item
        cells[base + 1] = _NONE

    def each_timed(self, slot: int, place: int, items: Iterable[Any]) -> Iterator[Any]:
        """As `each`, noting also when each item begins."""
        cells, base = self._cells, slot * _CELLS
        for item in self.each(slot, place, items):
            cells[base + 2] = time.monotonic_ns()
            yield item
            cells[base + 2] = _NONE

    @contextmanager
    def tearing_down(self, slot: int) -> Iterator[None]:
        """In the worker: note that it runs no item, but what is to be done at its end."""
        self._cells[slot * _CELLS + 1] = _TEARING_DOWN
        yield
        self._cells[slot * _CELLS + 1] = _NONE

    def died_tearing_down(self, slot: int) -> bool:
        """In the parent: whether a worker that has died was doing that."""
        return bool(self._cells[slot * _CELLS + 1] == _TEARING_DOWN)

    def read(self, slot: int) -> tuple[int, int]:
        """Place and index of what a worker was running; -1 for neither."""
        return self._cells[slot * _CELLS], self._cells[slot * _CELLS + 1]

    def began(self, slot: int) -> float | None:
        """When a worker began its item, in monotonic seconds; None while it is at none."""
        began = self._cells[slot * _CELLS + 2]
        return None if began == _NONE else began / 1e9

    def keep_last_words(self, slot: int) -> None:
        """In a worker process: have `faulthandler` write to this worker's page, if it can."""
        if self._descriptor is None:
            return
        import faulthandler  # here: it does not load in a subinterpreter, which has no such page

        with contextlib.suppress(OSError):  # no /proc here: it goes where it would go
            page = os.open(f"/proc/self/fd/{self._descriptor}", os.O_WRONLY)
            os.lseek(page, self._page(slot), os.SEEK_SET)
            faulthandler.enable(page, all_threads=False)

    def leave_words(self, slot: int, words: str) -> None:
        """In the worker: say what it ends of, if that is not for `faulthandler` to say."""
        said = words.encode(errors="backslashreplace")[:_PAGE]
        start = self._page(slot)
        self._memory[start : start + len(said)] = said

    def last_words(self, slot: int) -> str:
        """In the parent: what a worker said as it crashed; nothing if it did not."""
        start = self._page(slot)
        page = bytes(self._memory[start : start + _PAGE])
        return page.rstrip(b"\0").decode(errors="replace").strip()

    def clear(self, slot: int) -> None:
        """Forget all about a worker."""
        base, start = slot * _CELLS, self._page(slot)
        self._cells[base] = self._cells[base + 1] = self._cells[base + 2] = _NONE
        if self._memory[start]:
            self._memory[start : start + _PAGE] = bytes(_PAGE)

    def _page(self, slot: int) -> int:
        """Where the page of a worker begins."""
        return self._workers * _CELLS * 8 + slot * _PAGE

    def close(self) -> None:
        """Give the memory back."""
        self._cells.release()
        if isinstance(self._memory, mmap.mmap):
            self._memory.close()
        if self._descriptor is not None and self._owned:
            os.close(self._descriptor)
        self._descriptor = None

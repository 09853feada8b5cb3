"""What a forked worker does: run leases that come as frames, until its socket ends.

Before each item it notes its index in memory that it shares with the parent, so that the parent
knows which item was running if the worker dies.
"""

from __future__ import annotations

import contextlib
import mmap
import socket
from collections.abc import Iterable, Iterator
from typing import Any, Final

from minigun_py.contexts import crossing
from minigun_py.contexts.context import Harvest, Kernel
from minigun_py.contexts.wire import FrameKind, encode, read_frame, write_frame

__all__ = ["RunningItems", "work"]

_CELLS: Final = 2
_IDLE: Final = -1


def work(sock: socket.socket, kernel: Kernel, running: RunningItems, slot: int) -> None:
    """Run leases until the socket ends."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the parent has closed
        _work_off(sock, kernel, running, slot)


def _work_off(sock: socket.socket, kernel: Kernel, running: RunningItems, slot: int) -> None:
    worker = kernel.bind()
    while (frame := read_frame(sock)) is not None:
        place = frame.token
        try:
            content = frame.load()
        except Exception:
            write_frame(sock, encode(FrameKind.UNREADABLE, place))
            continue
        if frame.kind is FrameKind.RUN_ONE_BY_ONE:
            blobs = crossing.run_each(worker, running.each(slot, place, content), kernel.stages)
            write_frame(sock, encode(FrameKind.DONE_ONE_BY_ONE, place, blobs))
            continue
        worker.run(running.each(slot, place, content), lambda: running.read(slot)[1])
        if frame.kind is FrameKind.RUN_LAST:
            worker.finish()
        harvest = worker.harvest(len(content))
        write_frame(sock, _encoded(place, harvest, content, kernel))


def _encoded(place: int, harvest: Harvest, items: list[Any], kernel: Kernel) -> list[memoryview]:
    try:
        return encode(FrameKind.DONE, place, crossing.pack_harvest(harvest, kernel.stages[0]))
    except Exception:
        blobs = crossing.blame_results(harvest, len(items), kernel.exit_stages, kernel.stages)
        if blobs is None:
            return encode(FrameKind.UNREADABLE, place)
        return encode(FrameKind.DONE_ONE_BY_ONE, place, blobs)


class RunningItems:
    """Memory shared with the workers: for each, the place of its lease and the item's index."""

    def __init__(self, workers: int) -> None:
        self._memory = mmap.mmap(-1, max(1, workers) * _CELLS * 8)
        self._cells = memoryview(self._memory).cast("q")
        for slot in range(workers):
            self.clear(slot)

    def each(self, slot: int, place: int, items: Iterable[Any]) -> Iterator[Any]:
        """In the worker: the items, noting the index of each before it is given."""
        cells, base = self._cells, slot * _CELLS
        cells[base + 1] = _IDLE
        cells[base] = place
        for index, item in enumerate(items):
            cells[base + 1] = index
            yield item
        cells[base + 1] = _IDLE

    def read(self, slot: int) -> tuple[int, int]:
        """In the parent: place and index of what a worker was running; -1 for neither."""
        return self._cells[slot * _CELLS], self._cells[slot * _CELLS + 1]

    def clear(self, slot: int) -> None:
        """Forget what a worker was running."""
        self._cells[slot * _CELLS] = self._cells[slot * _CELLS + 1] = _IDLE

    def close(self) -> None:
        """Give the memory back."""
        self._cells.release()
        self._memory.close()

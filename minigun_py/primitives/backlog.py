"""An unbounded first-in-first-out store that moves to disk what would take too much memory.

Once something lies on disk, what comes after it goes there as well, so that order is kept. What
cannot be pickled stays in memory. The file has no name, and is gone with the process.

*Invariants*: what is in memory at the front is older than what is on disk, and that is older than
what is in memory at the back. *Lock order*: the lock is a leaf.
"""

from __future__ import annotations

import pickle
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, Final

__all__ = ["MEMORY_BYTES", "Backlog"]

MEMORY_BYTES: Final = 256 * 1024 * 1024


class Backlog:
    """Items that wait, however many.

    Args:
        size_of: The bytes of an item, about.
        memory_bytes: How many bytes stay in memory.
    """

    def __init__(self, size_of: Callable[[Any], int], memory_bytes: int = MEMORY_BYTES) -> None:
        self._size_of, self._memory_bytes = size_of, memory_bytes
        self._lock = threading.Lock()  # guards everything below
        self._front: deque[tuple[Any, int]] = deque()
        self._bytes = 0
        self._file: BinaryIO | None = None
        self._on_disk = self._read_at = self._write_at = 0
        self._back: deque[Any] = deque()

    def __len__(self) -> int:
        with self._lock:
            return len(self._front) + self._on_disk + len(self._back)

    @property
    def on_disk(self) -> int:
        """How many items lie on disk."""
        return self._on_disk

    def put(self, items: Sequence[Any]) -> None:
        """Take items in."""
        with self._lock:
            for item in items:
                self._put(item)

    def take(self, most: int) -> list[Any]:
        """The oldest items, at most so many."""
        with self._lock:
            return [self._take() for _ in range(min(most, self._count()))]

    def clear(self) -> int:
        """Forget everything. Returns how many items that were."""
        with self._lock:
            count = self._count()
            self._front.clear()
            self._back.clear()
            self._bytes = self._on_disk = 0
            if self._file is not None:
                self._file.close()
                self._file = None
            return count

    def _count(self) -> int:
        return len(self._front) + self._on_disk + len(self._back)

    def _put(self, item: Any) -> None:
        size = self._size_of(item)
        if not (self._on_disk or self._back) and self._bytes + size <= self._memory_bytes:
            self._front.append((item, size))
            self._bytes += size
        elif self._back or not self._write(item):
            self._back.append(item)

    def _take(self) -> Any:
        if self._front:
            item, size = self._front.popleft()
            self._bytes -= size
            return item
        return self._read() if self._on_disk else self._back.popleft()

    def _write(self, item: Any) -> bool:
        try:
            pickled = pickle.dumps(item, protocol=5)
        except Exception:
            return False
        if self._file is None:
            import tempfile  # here: hardly any run needs it

            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it is read to its end
            self._read_at = self._write_at = 0
        self._file.seek(self._write_at)
        self._file.write(len(pickled).to_bytes(8, "little") + pickled)
        self._write_at = self._file.tell()
        self._on_disk += 1
        return True

    def _read(self) -> Any:
        assert self._file is not None
        self._file.seek(self._read_at)
        size = int.from_bytes(self._file.read(8), "little")
        item = pickle.loads(self._file.read(size))
        self._read_at = self._file.tell()
        self._on_disk -= 1
        if not self._on_disk:
            self._file.close()
            self._file = None
        return item

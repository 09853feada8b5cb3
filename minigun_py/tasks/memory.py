"""How much memory the process of a task uses, and that it does not use more than was said.

The system itself refuses more: `RLIMIT_DATA` bounds what a process has for itself, since Linux 4.7
with what is mapped for it alone, and so the memory of numpy and of native code. Whoever asks for
more gets a `MemoryError`. What was there before, and what came through a fork, is allowed for.

Python may hold memory in reserve that the system has granted and nobody uses yet; a free-threaded
one begins with a gigabyte. Where the reserve is larger than the limit, the memory in use is looked
at every few milliseconds as well, and a `MemoryError` is raised in the task between two of its
instructions.
"""

from __future__ import annotations

import ctypes
import re
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from minigun_py.errors import MemoryExceeded
from minigun_py.primitives.daemon import daemon_thread

__all__ = ["Watch", "memory_watched"]

_STATUS: Final = Path("/proc/self/status")
_FORGET: Final = Path("/proc/self/clear_refs")
_FORGET_PEAK: Final = "5"
"""What `proc_pid_clear_refs(5)` takes for it."""
LOOK_SECONDS: Final = 0.005


class Watch:
    """What was seen of the memory."""

    peak: int | None = None
    """The most bytes that were ever resident meanwhile, where the system tells."""


@contextmanager
def memory_watched(limit: int, watch: Watch) -> Iterator[None]:
    """Look at the memory of this process, and hold it to `limit` bytes more than now, if not 0.

    Raises:
        MemoryExceeded: It asked for more.
    """
    with suppress(OSError):
        _FORGET.write_text(_FORGET_PEAK)
    try:
        if limit:
            with _held(limit):
                yield
        else:
            yield
    finally:
        watch.peak = _told("VmHWM")


@contextmanager
def _held(limit: int) -> Iterator[None]:
    granted, used = _told("VmData"), _told("RssAnon")
    if granted is None or used is None:  # the system does not tell, so nothing can be held
        yield
        return
    onlooker = _Onlooker(used + limit) if granted - used > limit else None
    before = resource.getrlimit(resource.RLIMIT_DATA)
    soft, hard = (bound if bound != resource.RLIM_INFINITY else granted + limit for bound in before)
    resource.setrlimit(resource.RLIMIT_DATA, (min(granted + limit, soft, hard), before[1]))
    try:
        yield
    except MemoryExceeded:
        raise
    except MemoryError as error:
        raise MemoryExceeded(limit) from error
    finally:
        if onlooker is not None:
            onlooker.close()
        resource.setrlimit(resource.RLIMIT_DATA, before)


class _Onlooker:
    """Raises a `MemoryError` in the thread that made it, if the process uses more than `most`."""

    def __init__(self, most: int) -> None:
        self._most, self._watched = most, threading.get_ident()
        self._over = threading.Event()
        self._thread = daemon_thread(self._look, (), "minigun-memory")
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            if (_told("RssAnon") or 0) > self._most:
                raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
                raise_in(ctypes.c_ulong(self._watched), ctypes.py_object(MemoryError))
                return

    def close(self) -> None:
        """Look no more. What was raised and has not come yet comes here, and is too late.

        It is not called off, since Python 3.11 would go on looking for it for ever.
        """
        with suppress(MemoryError):
            self._over.set()
            self._thread.join()
            for _ in range(10):  # at the end of a turn it comes
                pass


def _told(name: str) -> int | None:
    """A number of bytes that the system tells of this process."""
    with suppress(OSError):
        found = re.search(rf"^{name}:\s*(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
        return None if found is None else int(found[1]) * 1024
    return None

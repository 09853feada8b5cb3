"""Catches what a test leaves behind: threads, child processes and open descriptors.

A snapshot is taken before the test and compared with what is there afterwards. Threads get a
moment to end, because a thread that was told to stop is not gone yet; a child that nobody has
waited for and a descriptor that nobody has closed are leaks at once.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from minigun_py.record import record

__all__ = ["Snapshot"]

GRACE_SECONDS: Final = 2.0

TASKS: Final = Path("/proc/self/task")

# Loaded for good by a first import; libffi, for one, keeps its own file open from then on.
SHARED_LIBRARY: Final = re.compile(r"\.so(\.\d+)*$")


@record
class Snapshot:
    """What this process holds at one moment."""

    threads: frozenset[threading.Thread]
    children: frozenset[int]
    descriptors: Counter[str]  # what they point to: a number may be closed and used again

    @classmethod
    def take(cls) -> Snapshot:
        """What is there now."""
        return cls(
            threads=frozenset(threading.enumerate()),
            children=frozenset(_children()),
            descriptors=Counter(_descriptors()),
        )

    def find_leaks(self, grace: float = GRACE_SECONDS) -> list[str]:
        """What is there now and was not then, after at most `grace` seconds for threads to end.

        Threads go first: one that is about to end may still reap a child or close a pipe.
        """
        return [
            *self._threads_left(time.monotonic() + grace),
            *self._children_left(),
            *self._descriptors_left(),
        ]

    def _threads_left(self, deadline: float) -> Iterator[str]:
        for thread in sorted(set(threading.enumerate()) - self.threads, key=lambda t: t.name):
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                yield f"thread {thread!r}"

    def _children_left(self) -> Iterator[str]:
        for pid in sorted(_children() - self.children):
            yield f"child process {pid} ({_command(pid)})"

    def _descriptors_left(self) -> Iterator[str]:
        for target, count in sorted((Counter(_descriptors()) - self.descriptors).items()):
            yield f"descriptor of {target}" + (f", {count} times" if count > 1 else "")


def _children() -> set[int]:
    """Every child, dead ones that nobody has waited for included."""
    found: set[int] = set()
    if not TASKS.is_dir():  # a system without /proc
        return found
    for task in TASKS.iterdir():
        try:
            found.update(map(int, (task / "children").read_text().split()))
        except (FileNotFoundError, ProcessLookupError):
            continue  # the thread ended meanwhile; its children moved to another one
    return found


def _descriptors() -> list[str]:
    """What each open descriptor points to, but for shared libraries."""
    targets: list[str] = []
    if not TASKS.is_dir():
        return targets
    for number in os.listdir("/proc/self/fd"):
        try:
            targets.append(os.readlink(f"/proc/self/fd/{number}"))
        except FileNotFoundError:
            continue  # the one that listed the directory
    return [target for target in targets if not SHARED_LIBRARY.search(target)]


def _command(pid: int) -> str:
    """The command line of a process, or its state once it has none."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except (FileNotFoundError, ProcessLookupError):
        return "gone"
    return words or "ended, not waited for"

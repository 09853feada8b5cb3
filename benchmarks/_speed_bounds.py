"""How far a source without end runs ahead of a slow consumer, and what that costs in memory."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import _speed_work as work
from benchmarks._speed_goals import Goal, amount
from benchmarks._speed_model import OURS, Job, Workload

__all__ = ["RUN_AHEAD"]

SECONDS = 2.0
PAUSE = 0.001
QUEUE = 1000  # the default of `queue_size`, and the most that travels together
KINDS = ("inline", "thread", "fork")
SHARE, GROWTH = "share of what is declared", "growth MB"


class Counted:
    """A source without end that knows how far it was drawn."""

    def __init__(self) -> None:
        self.drawn = 0

    def __iter__(self) -> Iterator[int]:
        for self.drawn in itertools.count(1):
            yield self.drawn


def resident() -> int:
    """Bytes of memory in use."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def ahead(library: Any, job: Job, execution: str) -> None:
    """Defaults; a consumer of a millisecond, and a stage before it; cancelled after a while."""
    pipe, source = library.Pipeline("ahead"), Counted()
    pipe.source(source)
    pipe.processor(work.plus, execution=execution)
    furthest = consumed = 0

    @pipe.consumer(execution="inline" if execution == "inline" else "thread")
    def take(item: int) -> None:
        nonlocal furthest, consumed
        consumed += 1
        furthest = max(furthest, source.drawn - consumed)
        time.sleep(PAUSE)

    cancel = library.CancelToken()
    seconds = SECONDS / 4 if job.quick else SECONDS
    threading.Timer(seconds, cancel.cancel).start()
    before, most = resident(), Peak()
    with suppress(library.RunCancelled):
        pipe.run(cancel=cancel)
    most.stop()
    # Each of two stages: its queue, and twice what travels together for its one worker.
    declared = 1 if execution == "inline" else 2 * (QUEUE + 2 * QUEUE)
    job.each = furthest
    job.also = {SHARE: furthest / declared, GROWTH: (most.bytes - before) / 1e6}
    job.also["consumed"] = consumed


class Peak(threading.Thread):
    """Looks every now and then how much memory is in use, and keeps the most."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.bytes, self._over = resident(), threading.Event()
        self.start()

    def run(self) -> None:
        """Until it is stopped."""
        while not self._over.wait(0.05):
            self.bytes = max(self.bytes, resident())

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self.join()


def goals() -> Iterator[Goal]:
    """Two for every kind."""
    for kind in KINDS:
        yield amount(f"{OURS}, {kind}", 1, f"{kind}, {SHARE}", of=SHARE)
        yield amount(f"{OURS}, {kind}", 5, f"{kind}, {GROWTH}", of=GROWTH)


RUN_AHEAD = Workload(
    "run-ahead",
    "a source without end and a consumer that takes 1 ms: the most items between them",
    1,
    goals=tuple(goals()),
    column="items ahead",
    scale=1,
)
for kind in KINDS:
    RUN_AHEAD.add(OURS, kind, partial(ahead, execution=kind))

"""Millions of items through a graph of six stages in three kinds, while workers are being killed.

::

                        ┌──> left  (fork) ──┐
    numbers ──> check ──┤                   ├──> batch ──> store
    (inline)   (thread) └──> right (fork) ──┘    (fork)    (inline)

Every item goes both ways. At a random time in every two seconds a random worker is killed. More
than five deaths of one stage within a minute end a run, by design; so a stage that has lost five
is left in peace until the minute is over, and there is no kill while that holds for all three.
What was running then is skipped, and that is all that may be missing in the end.

Nobody is killed once the last number has been drawn: a worker that dies while it tears down ends
the run, by design too.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import sys
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from minigun_py import Pipeline, RunReport

__all__ = ["main"]

DEATHS: Final = 5
SECONDS: Final = 60.0


class Killer:
    """Kills workers, in a thread, for as long as it is entered or until it is told to stop."""

    def __init__(self, every: float, chance: random.Random) -> None:
        self._every, self._chance = every, chance
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._last: defaultdict[int, deque[float]] = defaultdict(lambda: deque(maxlen=DEATHS))
        self.kills = 0

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Kill nobody any more."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every * self._chance.uniform(0.5, 1.5)):
            self._kill_one()

    def _kill_one(self) -> None:
        """Every stage that is forked has a fork server, which is the parent of its workers."""
        now = time.monotonic()
        servers = [pid for pid in _children_of(os.getpid()) if self._may_lose_one(pid, now)]
        workers = [(server, pid) for server in servers for pid in _children_of(server)]
        if not workers:
            return
        server, worker = self._chance.choice(workers)
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
            self._last[server].append(now)
            self.kills += 1

    def _may_lose_one(self, server: int, now: float) -> bool:
        last = self._last[server]
        return len(last) < DEATHS or now - last[0] > SECONDS + 1


class Books:
    """What was given and what arrived."""

    def __init__(self, items: int) -> None:
        self.items = items
        self.stored = self.total = 0
        self.peak_at_a_tenth = 0

    def numbers(self) -> Iterator[int]:
        """Every number, and a look at the memory on the way."""
        for number in range(self.items):
            if number == self.items // 10:
                self.peak_at_a_tenth = _peak_bytes()
            yield number

    def store(self, numbers: list[int]) -> None:
        """Take in what arrives: each number and its opposite."""
        self.stored += len(numbers)
        self.total += sum(numbers)

    def missing(self, report: RunReport) -> int:
        """How much the total lacks that no failure accounts for."""
        failed = {"left": 0, "right": 0, "batch": 0}
        for failure in report.failures:
            failed[failure.stage] += failure.item
        return self.total + failed["left"] - failed["right"] + failed["batch"]


def main() -> None:
    """Run it, and print the report and the books."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=10_000_000)
    parser.add_argument("--every", type=float, default=2.0, help="seconds from kill to kill")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    books = Books(given.items)
    with Killer(given.every, random.Random(given.seed)) as killer:
        report = graph(books, killer).run()
    sys.stdout.write(f"{report}\n{json.dumps(told(books, killer, report))}\n")


def graph(books: Books, killer: Killer) -> Pipeline:
    """The six stages."""
    pipe = Pipeline("ten million", on_error="skip")

    @pipe.producer(to="check")
    def numbers() -> Iterator[int]:
        yield from books.numbers()
        killer.stop()

    @pipe.processor(execution="thread", workers=2, to=["left", "right"])
    def check(number: int) -> int:
        return number

    @pipe.processor(execution="fork", workers=2, to="batch")
    def left(number: int) -> int:
        return number

    @pipe.processor(execution="fork", workers=2, to="batch")
    def right(number: int) -> int:
        return -number

    pipe.batch(1000, name="batch", execution="fork", to="store")
    pipe.consumer(books.store, name="store")
    return pipe


def told(books: Books, killer: Killer, report: RunReport) -> dict[str, Any]:
    """The books in figures."""
    return {
        "ok": report.ok,
        "items": books.items,
        "stored": books.stored,
        "skipped": sum(stage.skipped for stage in report.stages.values()),
        "missing": books.missing(report),
        "unbalanced": [name for name in report.stages if not _balances(report, name)],
        "kills": killer.kills,
        "seconds": round(report.duration, 1),
        "items_per_second": round(books.items / report.duration),
        "peak_mb_at_a_tenth": round(books.peak_at_a_tenth / 2**20, 1),
        "peak_mb": round(_peak_bytes() / 2**20, 1),
    }


def _balances(report: RunReport, name: str) -> bool:
    book = report[name]
    feeders = {"check": ["numbers"], "left": ["check"], "right": ["check"]}
    feeders |= {"batch": ["left", "right"], "store": ["batch"], "numbers": []}
    sent = sum(report[feeder].emitted for feeder in feeders[name])
    return book.received == sent == book.completed + book.skipped


def _peak_bytes() -> int:
    """The most memory that this process has had.

    ``getrusage`` would tell that of the program that started this one, if it had more.
    """
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise LookupError("the system does not tell")


def _children_of(pid: int) -> list[int]:
    """The children of a process; none if it has ended."""
    children: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += map(int, (task / "children").read_text(encoding="ascii").split())
    return children


if __name__ == "__main__":
    main()

"""The census by minigun_py against the same by hand, on the same files, in the same run.

The rival is what somebody would write without the library: the parent lists the files, forks two
processes that take every other file, measure it and send their rows back in batches through a
pipe, and stores the batches as they come. It recovers from nothing. Beside it stand the loop
without processes, and the pipeline in every kind of context.

All of them measure, store and summarise with the functions of ``examples/census.py``, and must
come to the same figures. Rounds are interleaved, each way once per round in changing order, so
that a slow minute of the machine hits all; the first round warms up and is not counted.

Use::

    python benchmarks/census.py [--rounds 5] [--limit FILES] [--root DIR]

The goal is 0.9 of the speed of the two bare processes, or better: for forks and subinterpreters
where Python has a global lock, for threads where it has none.
"""

from __future__ import annotations

import argparse
import io
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, redirect_stdout
from functools import partial
from itertools import islice
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from examples import census
from minigun_py import Pipeline
from minigun_py.contexts.registry import obstacle_to
from minigun_py.placement import ContextKind

WORKERS = 2
BATCH = 100
GOAL = 0.9

Figures = tuple[object, ...]


def main() -> None:
    """Measure, compare, and say how the ways relate."""
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="census-") as folder:
        bench = Bench(options.root, options.limit, Path(folder, "census.db"))
        ways: dict[str, Callable[[], None]] = {
            "two bare processes": bench.bare,
            **{f"minigun_py, {kind}": partial(bench.pipeline, kind) for kind in kinds()},
            "minigun_py, async": bench.coroutines,
            "hand-written loop": bench.loop,
        }
        seconds = measured(ways, options.rounds, bench)
    report(seconds)


def kinds() -> list[str]:
    """The kinds of context that run plain functions here."""
    return [k for k in ContextKind if k is not ContextKind.ASYNC and obstacle_to(k) is None]


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="minigun_py's census against one by hand")
    parser.add_argument("--rounds", type=int, default=5, help="rounds to count (5)")
    parser.add_argument("--limit", type=int, default=None, help="number of files (all)")
    parser.add_argument("--root", type=Path, default=None, help="tree to count (the library)")
    return parser.parse_args()


class Bench:
    """The ways of doing a census of the same files into the same database."""

    def __init__(self, root: Path | None, limit: int | None, database: Path) -> None:
        self.root, self.limit, self.database = root, limit, database
        census.silence_the_parser()

    def files(self) -> list[Path]:
        """What a census by hand has to list first."""
        roots = [self.root] if self.root else census.library_roots()
        return list(islice(census.python_files(roots), self.limit))

    def pipeline(self, execution: str) -> None:
        """The example, as it is; `show` prints the summary."""
        pipe = census.census(self.root, WORKERS, self.database, self.limit)
        parse = {"parse": {"execution": execution}}
        report = pipe.run(execution="inline") if execution == "inline" else pipe.run(stages=parse)
        assert not report.failures

    def coroutines(self) -> None:
        """The same stages, parsing in coroutines, which gain nothing where nobody waits."""
        pipe = Pipeline("census")

        @pipe.producer
        def sources() -> Iterator[Path]:
            census.create_tables(self.database)
            yield from self.files()

        @pipe.processor(workers=WORKERS, on_error="skip")
        async def parse(path: Path) -> census.Row:
            return census.measure(path)

        pipe.batch(BATCH, max_wait=1.0, name="rows")

        @pipe.consumer
        def store(rows: list[census.Row]) -> None:
            census.insert(self.database, rows)

        assert not pipe.run().failures
        print(census.summary(self.database))

    def loop(self) -> None:
        """One file after the other."""
        census.create_tables(self.database)
        files = self.files()
        for start in range(0, len(files), BATCH):
            rows = [census.measure(path) for path in files[start : start + BATCH]]
            census.insert(self.database, rows)
        print(census.summary(self.database))

    def bare(self) -> None:
        """Two processes, which split the files by turns."""
        census.create_tables(self.database)
        files = self.files()
        children = [fork_child(files[number::WORKERS]) for number in range(WORKERS)]
        for rows in received([receiver for _, receiver in children]):
            census.insert(self.database, rows)
        for pid, _ in children:
            _, status = os.waitpid(pid, 0)
            assert status == 0
        print(census.summary(self.database))

    def figures(self) -> Figures:
        """Everything the database holds, in an order that does not depend on the way."""
        with closing(sqlite3.connect(self.database)) as connection:
            return tuple(
                sorted(connection.execute(f"SELECT * FROM {table}"), key=repr)
                for table in ("files", "functions", "imports")
            )


def fork_child(files: list[Path]) -> tuple[int, Connection]:
    """A process that measures these files; its rows come out of the connection."""
    receiver, sender = Pipe(duplex=False)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            for start in range(0, len(files), BATCH):
                sender.send([census.measure(path) for path in files[start : start + BATCH]])
            status = 0
        finally:
            os._exit(status)
    sender.close()
    return pid, receiver


def received(receivers: list[Connection]) -> Iterator[list[census.Row]]:
    """Batches as they come, until every child has closed its end."""
    while receivers:
        for receiver in wait(receivers):
            assert isinstance(receiver, Connection)
            try:
                yield receiver.recv()
            except EOFError:
                receiver.close()
                receivers.remove(receiver)


def measured(
    ways: dict[str, Callable[[], None]], rounds: int, bench: Bench
) -> dict[str, list[float]]:
    """Seconds of every way in every round that counts."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    expected: Figures | None = None
    for number in range(rounds + 1):
        names = list(ways) if number % 2 else list(reversed(ways))
        for name in names:
            took = timed(ways[name])
            figures = bench.figures()
            expected = expected or figures
            if figures != expected:
                sys.exit(f"{name} came to other figures than {names[0]}")
            if number:
                seconds[name].append(took)
    return seconds


def timed(way: Callable[[], None]) -> float:
    """Seconds that one census takes, with its summary printed to nowhere."""
    with redirect_stdout(io.StringIO()):
        began = time.perf_counter()
        way()
        return time.perf_counter() - began


def report(seconds: dict[str, list[float]]) -> None:
    """A line for each way: the speed is against the bare processes of the same round."""
    bare, *_ = seconds.values()
    print(f"{'':28}  median s     min s  speed against bare")
    for name, times in seconds.items():
        median = statistics.median(times)
        speed = statistics.median(rival / time for rival, time in zip(bare, times, strict=True))
        goal = name.removeprefix("minigun_py, ") in goals()
        verdict = f"  goal {GOAL}: {'reached' if speed >= GOAL else 'missed'}" if goal else ""
        print(f"{name:28}  {median:8.2f}  {min(times):8.2f}  {speed:18.2f}{verdict}")
    print("All ways came to the same figures.")


def goals() -> tuple[str, ...]:
    """The kinds that are to be as fast as processes on this Python."""
    has_global_lock = getattr(sys, "_is_gil_enabled", lambda: True)()
    return ("fork", "subinterpreter") if has_global_lock else ("thread",)


if __name__ == "__main__":
    main()

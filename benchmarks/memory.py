"""How much memory a forked worker adds when it reads what was loaded before the run.

A gibibyte is loaded, once as buffers and once as Python objects; then forked workers read all of
it, and each says how much private memory it has, as the kernel counts it (``smaps_rollup``). A
page stays shared until somebody writes to it. Reading a buffer writes nothing. Reading a Python
object counts references in the object itself, and that writes; the collector would too, were it
not frozen in the fork server.

Use::

    python benchmarks/memory.py [--mebibytes 1024]

The goal is less than 5 % of the buffers as private memory in each worker.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from minigun_py import Pipeline

MIB = 1 << 20
GOAL = 0.05
KINDS = ("fork", "cow_fork")


def main() -> None:
    """Load, read in workers of both kinds, and say what that added."""
    parser = argparse.ArgumentParser(description="private memory of forked workers")
    parser.add_argument("--mebibytes", type=int, default=1024, help="how much is loaded (1024)")
    size = parser.parse_args().mebibytes
    print(f"{size} MiB loaded before the run; private memory that reading adds to each worker:")
    measured: list[tuple[str, Callable[[int], list[Any]], Callable[[list[Any]], int]]] = [
        ("buffers, read", buffers, read_buffers),
        ("objects, read", objects, read_objects),
        ("objects, collected", objects, collect_garbage),
    ]
    for name, load, read in measured:
        loaded = load(size)
        for kind in KINDS:
            tell(name, kind, added(kind, partial(read, loaded)), size)
        del loaded
        gc.collect()


def buffers(size: int) -> list[bytearray]:
    """So many buffers of a mebibyte, every page of them written."""
    return [bytearray(b"x") * MIB for _ in range(size)]


def read_buffers(loaded: list[bytearray]) -> int:
    """Look at every byte."""
    return sum(buffer.count(b"x") for buffer in loaded)


def objects(size: int) -> list[tuple[int, str]]:
    """Tuples of an int and a text, as rows of a table would be; they fill that memory."""
    row = (10**6, "a text of its own")
    each = sum(map(sys.getsizeof, (row, *row))) + 8 + 16
    return [(10**6 + n, f"a text of its own {n}") for n in range(size * MIB // each)]


def read_objects(loaded: list[tuple[int, str]]) -> int:
    """Look at every object."""
    return sum(number + len(text) for number, text in loaded)


def collect_garbage(loaded: list[tuple[int, str]]) -> int:
    """Leave the objects alone, and let the collector look for garbage."""
    return gc.collect() + 1


def added(kind: str, read: Callable[[], int]) -> list[int]:
    """Bytes that each of two workers has to itself after reading, beyond those before."""
    pipe = Pipeline("memory", execution=kind, workers=2)

    @pipe.processor(chunk=1)
    def measure(number: int) -> int:
        before = private_bytes()
        assert read() > 0
        return private_bytes() - before

    return list(pipe.collect(range(2)))


def private_bytes() -> int:
    """What this process shares with nobody, in bytes."""
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) * 1024


def tell(name: str, kind: str, grown: list[int], size: int) -> None:
    """A line for a kind, with the worst of its workers."""
    worst = max(grown)
    share = worst / (size * MIB)
    verdict = "reached" if share < GOAL else "missed"
    goal = f"  goal {GOAL:.0%}: {verdict}" if name.startswith("buffers") else ""
    print(f"  {name:18} {kind:9} {worst / MIB:8.1f} MiB  {share:6.1%}{goal}")


if __name__ == "__main__":
    main()

"""What is measured: workloads, and the cases of each, which are ways of doing it.

A case is a function of an imported library and of a `Job`. It does the work and gives a result,
which is checked after the clock was stopped. A case that measures something else than its own
length says what an item cost, as ``job.each``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks._speed_goals import Goal

__all__ = [
    "BY_HAND",
    "LIBRARIES",
    "OURS",
    "Case",
    "Job",
    "Library",
    "Run",
    "Workload",
    "lock_is_gone",
]

OURS = "minigun_py"
BY_HAND = "by hand"
QUICK = 50  # how much less there is to do in a quick round


@dataclass(frozen=True)
class Library:
    """What is compared: what to import, and what to install for it."""

    modules: tuple[str, ...]  # the first is what a case gets
    distribution: str | None = None  # None: it comes with Python


def our_modules() -> Iterator[str]:
    """All modules of the library: most are imported late, but before the clock here."""
    root = Path(__file__).resolve().parents[1]
    yield OURS
    for room in ("contexts", "declaring", "engine", "plan", "primitives"):
        for path in sorted((root / OURS / room).glob("[a-z]*.py")):
            yield f"{OURS}.{room}.{path.stem}"
    yield from (f"{OURS}.pipeline", f"{OURS}.run_options")


LIBRARIES = {
    BY_HAND: Library(("builtins",)),
    OURS: Library(tuple(our_modules()), "minigun-py"),
    "concurrent.futures": Library(
        ("concurrent.futures", "concurrent.futures.process", "concurrent.futures.thread")
    ),
    "multiprocessing": Library(("multiprocessing", "multiprocessing.pool")),
    "asyncio": Library(("asyncio",)),
    "multiprocess": Library(("multiprocess", "multiprocess.pool"), "multiprocess"),
    "mpire": Library(("mpire",), "mpire"),
    "pypeln": Library(("pypeln",), "pypeln"),
    "pyper": Library(("pyper",), "python-pyper"),
    "joblib": Library(("joblib",), "joblib"),
    "spdl": Library(("spdl.pipeline", "spdl.pipeline.defs"), "spdl-core"),
    "dask.bag": Library(("dask.bag",), "dask"),
    "aiostream": Library(("aiostream",), "aiostream"),
    "streamz": Library(("streamz",), "streamz"),
}


@dataclass
class Job:
    """What a case is asked to do, and what it says about it beside its result."""

    items: int
    per_ms: int  # turns of `burn` that take a millisecond
    quick: bool = False
    each: float | None = None  # what an item cost, where that is not seconds by the clock
    also: dict[str, float] = field(default_factory=dict)  # further figures, by name and unit


Run = Callable[[Any, Job], object]


@dataclass(frozen=True)
class Case:
    """One way of doing a workload."""

    library: str
    label: str
    items: int
    run: Run
    is_long: bool = False  # takes minutes, and is measured on request

    @property
    def name(self) -> str:
        """As it stands in the table."""
        return f"{self.library}, {self.label}" if self.label else self.library


def nothing(job: Job) -> None:
    """There is no result to check, and nothing to prepare."""


def lock_is_gone() -> bool:
    """Whether this Python runs without a global lock."""
    return not getattr(sys, "_is_gil_enabled", lambda: True)()


def no_obstacle() -> str | None:
    """It can be measured on every Python."""


@dataclass
class Workload:
    """Something to do, in one or several ways; the first case is what others are set against."""

    name: str
    title: str  # in words, for the heading of its table
    items: int
    expected: Callable[[Job], object] = nothing  # the right result
    goals: tuple[Goal, ...] = ()
    column: str = "µs/item"
    scale: float = 1e6  # from what an item cost to what stands in that column
    prepare: Callable[[Job], object] = nothing  # what is done before the clock is started
    obstacle: Callable[[], str | None] = no_obstacle  # why it cannot be measured here
    cases: dict[str, Case] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        """The case that every other is set against."""
        return next(iter(self.cases))

    def add(
        self, library: str, label: str, run: Run, items: int | None = None, is_long: bool = False
    ) -> None:
        """Declare a case; a slow one is given fewer items."""
        case = Case(library, label, items or self.items, run, is_long)
        assert case.name not in self.cases, case.name
        self.cases[case.name] = case

    def case(self, library: str, label: str = "", items: int | None = None) -> Callable[[Run], Run]:
        """A decorator that declares a function as a case."""

        def declare(run: Run) -> Run:
            self.add(library, label, run, items)
            return run

        return declare

    def job(self, name: str, per_ms: int, quick: bool) -> Job:
        """What a case is asked to do."""
        items = self.cases[name].items
        return Job(max(4, items // QUICK) if quick else items, per_ms, quick)

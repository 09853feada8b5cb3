"""What workers are made to do. Interpreters import it, so it imports next to nothing."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contract.gate import Gate

__all__ = [
    "Passing",
    "TwoArguments",
    "add_one",
    "be_killed",
    "end_badly",
    "end_well",
    "exit_python",
    "interrupt",
    "log_and_warn",
    "log_as_itself",
    "raise_memory_error",
    "raise_two_arguments",
    "raise_unpicklable",
    "raise_value_error",
    "read_nowhere",
    "recurse",
    "return_deep",
    "return_lock",
    "run_inside",
    "segfault",
    "square",
]


def add_one(number: int) -> int:
    return number + 1


def square(number: int) -> int:
    return number * number


def run_inside(kind: str, count: int) -> list[int]:
    """A run of another pipeline of this kind."""
    from minigun_py import Pipeline

    pipe = Pipeline("inner", execution=kind)
    pipe.source(range(count))
    pipe.processor(square)
    return sorted(pipe.collect())


class Passing:
    """Gives each item as it is. One of them waits at a gate, and another opens it."""

    def __init__(self, gate: Gate, waits: int | None = None, opens: int | None = None) -> None:
        """With no number, every item waits."""
        self._gate, self._waits, self._opens = gate, waits, opens

    def __call__(self, item: int) -> int:
        """Pass the gate, blocking."""
        if self._waits in (None, item):
            self._gate.pass_through()
        return self._pass(item)

    async def awaiting(self, item: int) -> int:
        """Pass the gate, awaiting."""
        if self._waits in (None, item):
            await self._gate.pass_through_awaiting()
        return self._pass(item)

    def _pass(self, item: int) -> int:
        if item == self._opens:
            self._gate.let_go()
        return item


def log_as_itself(item: int) -> None:
    from minigun_py import current

    current().logger.info("item %d", item)


def log_and_warn(item: int) -> None:
    logging.getLogger("tests_of_workers").info("logged %d", item)
    logging.getLogger("tests_of_workers").debug("quiet")
    warnings.warn(f"warned of {item}", FutureWarning, stacklevel=1)


class TwoArguments(Exception):
    """Cannot be rebuilt from its text alone."""

    def __init__(self, one: object, two: object) -> None:
        super().__init__(f"{one} and {two}")


def raise_value_error(item: int) -> None:
    raise ValueError("a bad one")


def raise_memory_error(item: int) -> None:
    raise MemoryError


def raise_two_arguments(item: int) -> None:
    raise TwoArguments(item, item)


def raise_unpicklable(item: int) -> None:
    error = ValueError("holds a lock")
    error.lock = threading.Lock()  # type: ignore[attr-defined]
    raise error


def recurse(item: int) -> None:
    recurse(item)


def exit_python(item: int) -> None:
    sys.exit(3)


def return_lock(item: int) -> Any:
    return threading.Lock()


def return_deep(item: int) -> Any:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    return deep


def interrupt(item: int) -> None:
    raise KeyboardInterrupt


def end_well(item: int) -> None:
    _crash(0)


def end_badly(item: int) -> None:
    _crash(7)


def be_killed(item: int) -> None:
    _crash(-signal.SIGKILL)


def segfault(item: int) -> None:
    _crash(-signal.SIGSEGV)


def read_nowhere(item: int) -> None:
    import ctypes
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.string_at(0)


def _crash(status: int) -> None:
    from contract.crash import crash  # what it imports does not load in every interpreter

    crash(status)

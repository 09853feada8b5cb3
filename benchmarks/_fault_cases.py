"""The faults of the table: what each does, where, and how a run should end that meets it.

A case is one fault as a library meets it: a source of items, a function for them, and perhaps a
setup and a time limit. The function is a value that pickles by name, since every library must be
able to send it to a worker. What workers and source have to tell the parent goes through files in
a folder of the case: that way it makes no difference in which process or thread they run.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["FAULTS", "ITEMS", "PLENTY", "TAKEN", "Case", "End", "Fault"]

ITEMS = 40
AT = 5  # the item with the fault
PRODUCED = 20  # items before the source fails, or a worker is killed that has nothing to do
PLENTY = 100_000  # items of which the consumer wants few
TAKEN = 5  # so many
LIMIT = 1.0  # seconds for an item, where a library can limit them
DEATH = ("WorkerDied", "ProcessExpired", "TerminatedWorkerError", "BrokenProcessPool", "died")
INTERRUPTS = ("KeyboardInterrupt",)
PICKLING = ("pickle", "Pickl", "MaybeEncodingError")


class End(Enum):
    """How a run should end."""

    ONE_LOST = "39 results, and one error"
    RAISES = "an exception that names what happened"
    ALL = "40 results"
    FEW_DRAWN = "the source stands still while nothing is taken"
    INTERRUPTED = "KeyboardInterrupt"
    TERMINATED = "ended by SIGTERM"
    KILLED = "ended by SIGKILL"


@dataclass(frozen=True)
class Fault:
    """A row of the table; an error names what happened if one of `names` is in its type or text."""

    title: str
    end: End = End.ONE_LOST
    names: tuple[str, ...] = ()
    signals: tuple[signal.Signals, ...] = ()
    to_all: bool = True  # the signals go to the process group, not to the parent alone


FAULTS = {
    "exception": Fault("the function raises", names=("ValueError",)),
    "sigkill": Fault("its worker is killed by SIGKILL", names=DEATH),
    "segfault": Fault("a segmentation fault", names=DEATH),
    "os_exit": Fault("`os._exit`", names=DEATH),
    "sys_exit": Fault("`sys.exit`", names=("SystemExit", *DEATH)),
    "interrupt": Fault("`KeyboardInterrupt` in the worker", names=INTERRUPTS),
    "memory": Fault("`MemoryError`", names=("MemoryError",)),
    "hang": Fault("the function hangs", names=("Time", "timed")),
    "item": Fault("an item that does not pickle", names=PICKLING),
    "result": Fault("a result that does not pickle", names=PICKLING),
    "error": Fault("an exception that does not pickle", names=("Unpicklable",)),
    "arguments": Fault("an exception with two arguments", names=("TwoArguments",)),
    "recursion": Fault("a result nested too deep to pickle", names=("recursion", *PICKLING)),
    "producer": Fault("the source raises after 20 items", End.RAISES, ("the source failed",)),
    "setup": Fault("the setup of a worker raises", End.RAISES, ("the setup failed",)),
    "idle": Fault("an idle worker is killed", End.ALL),
    "leave": Fault("the consumer takes 5 of 100,000, rests, and leaves", End.FEW_DRAWN),
    "ctrl_c": Fault("Ctrl-C", End.INTERRUPTED, INTERRUPTS, (signal.SIGINT,)),
    "ctrl_c_twice": Fault("Ctrl-C twice", End.INTERRUPTED, INTERRUPTS, (signal.SIGINT,) * 2),
    "sigterm": Fault(
        "SIGTERM to the parent", End.TERMINATED, signals=(signal.SIGTERM,), to_all=False
    ),
    "sigkill_parent": Fault(
        "SIGKILL to the parent", End.KILLED, signals=(signal.SIGKILL,), to_all=False
    ),
}


class Case:
    """One fault, for one library to run into."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.fault, self.folder = name, FAULTS[name], folder
        self.work = Work(name, folder)
        self.setup: Callable[[], None] | None = fail_to_set_up if name == "setup" else None
        self.timeout = LIMIT if name == "hang" else None
        self.is_endless = name == "leave"

    def source(self) -> Iterator[object]:
        """The items, each noted as it is drawn."""
        with Path(self.folder, "drawn").open("ab", buffering=0) as drawn:
            for number in range(PLENTY if self.is_endless else ITEMS):
                if number == PRODUCED:
                    self.fail_in_the_source()
                drawn.write(b".")
                yield Locked() if self.name == "item" and number == AT else number

    def fail_in_the_source(self) -> None:
        """What happens when half of the items are drawn."""
        if self.name == "producer":
            raise ValueError("the source failed")
        if self.name == "idle":
            kill_an_idle_worker(self.folder)

    def drawn(self) -> int:
        """How many items have been drawn from the source."""
        with suppress(FileNotFoundError):
            return Path(self.folder, "drawn").stat().st_size
        return 0


@dataclass
class Locked:
    """An item that cannot be pickled."""

    lock: Any = field(default_factory=threading.Lock)


class Unpicklable(Exception):
    """Cannot be pickled."""

    def __init__(self) -> None:
        super().__init__("not for sending")
        self.lock = threading.Lock()


class TwoArguments(Exception):
    """Pickles, and cannot be rebuilt: it keeps one argument, and needs two."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code}: {reason}")


@dataclass(frozen=True)
class Work:
    """The function that the workers run."""

    name: str
    folder: Path

    def __call__(self, item: object) -> object:
        number = item if isinstance(item, int) else AT
        time.sleep(self.seconds())
        if number == AT and self.name in DEEDS:
            return DEEDS[self.name]()
        if self.name == "idle":
            Path(self.folder, f"worker-{os.getpid()}").touch()
            Path(self.folder, f"done-{number}").touch()
        return number

    def seconds(self) -> float:
        """How long an item takes: longer where something is to find the workers busy."""
        if self.name == "leave":
            return 0.0
        if self.name == "hang":
            return 0.05  # all of them take longer than the limit of one
        return 0.4 if FAULTS[self.name].signals else 0.02


def fail_to_set_up() -> None:
    """The setup of a worker, in the case of that name."""
    raise RuntimeError("the setup failed")


def kill_an_idle_worker(folder: Path) -> None:
    """Kill the worker that has been idle longest, once all that was drawn is done.

    Where workers share a queue it is the one that holds the lock of the queue.
    """
    deadline = time.monotonic() + 3
    while len([*folder.glob("done-*")]) < PRODUCED and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)  # so that the last worker has come back for more
    idle = min(folder.glob("worker-*"), key=lambda worker: worker.stat().st_mtime_ns)
    os.kill(int(idle.name.removeprefix("worker-")), signal.SIGKILL)
    time.sleep(0.2)  # so that whoever watches it sees it dead before the next item comes


def raise_error() -> NoReturn:
    raise ValueError("item 5 is bad")


def be_killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def crash() -> None:
    ctypes.string_at(0)


def leave_at_once() -> NoReturn:
    os._exit(3)


def exit_python() -> NoReturn:
    sys.exit(3)


def interrupt() -> NoReturn:
    raise KeyboardInterrupt


def run_out_of_memory() -> NoReturn:
    raise MemoryError("no room for item 5")


def hang() -> None:
    time.sleep(3600)


def raise_unpicklable() -> NoReturn:
    raise Unpicklable


def raise_two_arguments() -> NoReturn:
    raise TwoArguments(5, "bad")


def nest() -> list[Any]:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    return nested


DEEDS: dict[str, Callable[[], object]] = {
    "exception": raise_error,
    "sigkill": be_killed,
    "segfault": crash,
    "os_exit": leave_at_once,
    "sys_exit": exit_python,
    "interrupt": interrupt,
    "memory": run_out_of_memory,
    "hang": hang,
    "result": threading.Lock,
    "error": raise_unpicklable,
    "arguments": raise_two_arguments,
    "recursion": nest,
}

"""In N interpreters of this process, each with a global lock of its own (Python 3.14 and later).

Each has a thread to run in and a socket pair to the loop, over which it speaks the same
frames as a forked worker: the queues between interpreters poll, a socket wakes up at once.

An interpreter cannot be killed, and a crash in one is a crash of the process. A module whose C
code does not support subinterpreters raises when the stages are loaded, before the first item.

*Threads*: one for each interpreter, a daemon, because one stuck in a stage would hang the exit of
the program. *Lock order*: the turn of those who fork is a leaf: no process is forked while an
interpreter is being made.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import socket
import threading
import warnings
from collections import deque
from importlib.util import find_spec
from typing import Any, ClassVar, Final

from minigun_py.clock import Deadline
from minigun_py.contexts.arena import Arena
from minigun_py.contexts.context import Traits
from minigun_py.contexts.crew import Crew, Exited, Spawned
from minigun_py.contexts.forking import forking_turn
from minigun_py.contexts.frame import FrameKind, encode
from minigun_py.contexts.interpreter_probe import why_they_do_not_load
from minigun_py.contexts.kernel import Functions, Kernel
from minigun_py.contexts.portable_code import import_path
from minigun_py.contexts.portable_errors import pack_error
from minigun_py.contexts.remote_context import RemoteContext
from minigun_py.contexts.running_items import RunningItems
from minigun_py.contexts.wake_up import WakeUp
from minigun_py.contexts.wire import write_frame
from minigun_py.errors import ContextError
from minigun_py.placement import ContextSpec
from minigun_py.primitives.daemon import daemon_thread

__all__ = ["SubinterpreterContext"]

_BEGIN: Final = """
import sys
sys.path[:] = {path!r}
from minigun_py.contexts.interpreter_worker import run
"""
_RUN: Final = "run({sock!r}, {memory!r}, {slot!r}, {stages!r})"

HasBegun = threading.Event

BEGINNING_SECONDS: Final = 60.0
"""An interpreter that has not begun by then never will. It takes a tenth of a second, or several
on a machine that has much else to do."""


class SubinterpreterContext(RemoteContext):
    """N persistent workers, each an interpreter of this process."""

    traits: ClassVar = Traits(
        shares_memory=False,
        survives_crash=False,
        killable=False,
        inherits_code=False,
        polled=True,
        pool="threads",
        worker="interpreter",
    )

    @staticmethod
    def obstacle(functions: Functions = ()) -> str | None:
        """It needs the module that Python 3.14 brought, and stages that load in it."""
        if not find_spec("concurrent.interpreters"):
            return "it needs Python 3.14"
        return why_they_do_not_load(functions)

    def _notes(self, workers: int) -> RunningItems:
        return RunningItems.private(workers)

    def _assemble(
        self, kernel: Kernel, spec: ContextSpec, running: RunningItems, arena: Arena
    ) -> Crew:
        return _InterpreterCrew("+".join(kernel.stages), arena)


class _InterpreterCrew:
    """Threads, each with an interpreter."""

    def __init__(self, stages: str, arena: Arena) -> None:
        self._stages, self._arena = stages, arena
        self._wake = WakeUp().__enter__()
        self._told: deque[Spawned | Exited] = deque()
        self._threads: list[threading.Thread] = []
        self._begun: list[HasBegun] = []
        """Of each thread, whether its interpreter has imported what it needs of this library."""

    def fileno(self) -> int:
        return self._wake.fileno()

    def spawn(self, slot: int) -> None:
        ours, theirs = socket.socketpair()
        number = len(self._threads)
        thread = daemon_thread(self._run, (number, slot, theirs), f"interpreter-{number}")
        self._threads.append(thread)
        self._begun.append(HasBegun())
        self._tell(Spawned(slot, number, ours))
        thread.start()

    def receive(self) -> tuple[list[Spawned | Exited], bool]:
        self._wake.clear()
        told = []
        while self._told:
            told.append(self._told.popleft())
        return told, True

    def kill(self, worker: int) -> None:
        """Nothing: an interpreter cannot be ended by force."""

    def kill_all(self) -> None:
        """Nothing: an interpreter cannot be ended by force."""

    def close(self, deadline: Deadline) -> None:
        """Wait for the threads until the deadline; one that is stuck in a stage is left behind.

        One whose interpreter is still beginning is in no stage yet, and never will be: it ends as
        soon as it has begun and loaded its stages.
        """
        for thread, begun in zip(self._threads, self._begun, strict=True):
            late = not begun.is_set() and begun.wait(BEGINNING_SECONDS)
            thread.join(BEGINNING_SECONDS if late else deadline.remaining())
            if thread.is_alive():
                told = f"{thread.name} did not end and is left behind, stuck in a stage"
                warnings.warn(told, ResourceWarning, stacklevel=2)
        for message in self.receive()[0]:
            if isinstance(message, Spawned):
                message.socket.close()
        self._wake.__exit__()

    def _run(self, number: int, slot: int, theirs: socket.socket) -> None:
        with theirs:
            try:
                self._run_interpreter(number, slot, theirs.fileno())
            except Exception as error:
                told = ContextError(f"a subinterpreter cannot begin: {error}")
                with contextlib.suppress(OSError):  # nobody listens any more
                    write_frame(theirs, encode(FrameKind.FAILED, -1, pack_error(told)))
            finally:
                self._begun[number].set()
        self._tell(Exited(number, 0))

    def _run_interpreter(self, number: int, slot: int, sock: int) -> None:
        interpreters: Any = importlib.import_module("concurrent.interpreters")
        with forking_turn():
            interpreter = interpreters.create()
        try:
            interpreter.exec(_BEGIN.format(path=import_path()))
            self._begun[number].set()
            given = {"memory": self._arena.fileno(), "slot": slot, "stages": self._stages}
            interpreter.exec(_RUN.format(sock=os.dup(sock), **given))
        finally:
            interpreter.close()

    def _tell(self, message: Spawned | Exited) -> None:
        self._told.append(message)
        self._wake.set()

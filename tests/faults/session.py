"""A program in a session of its own, so that everything it starts can be found, and ended."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import dedent

from contract.gate import LIMIT
from faults.kinds import traits_for
from support.processes import open_process

__all__ = ["Program", "start", "written_for"]

TESTS = Path(__file__).parents[1]

PREAMBLE = """
import asyncio, itertools, os, re, signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job starts without
from minigun_py import Pipeline
def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())
"""


class Program:
    """A running program."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._unread = ""
        self._watched: dict[int, int] = {}

    def hear(self) -> str:
        """The next line that it says."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + LIMIT
        while "\n" not in self._unread:
            remaining = max(0.0, deadline - time.monotonic())
            if not select.select([self._process.stdout], [], [], remaining)[0]:
                raise TimeoutError("the program says nothing")
            read = os.read(self._process.stdout.fileno(), 4096).decode()
            if not read:
                raise EOFError(f"the program has ended, after {self._unread!r}")
            self._unread += read
        line, _, self._unread = self._unread.partition("\n")
        return line

    def signal(self, number: int) -> None:
        """Send it, and only it, a signal."""
        self._process.send_signal(number)

    def wait(self, timeout: float = LIMIT) -> int:
        """Wait for its end. Its exit status."""
        return self._process.wait(timeout)

    def watch(self) -> list[int]:
        """Watch the other processes of its session. Their numbers."""
        others = [pid for pid in self.members() if pid != self._process.pid]
        self._watched |= {pid: open_process(pid) for pid in others}
        return others

    def survivors(self, within: float) -> list[int]:
        """Those of the watched processes that do not end within so many seconds."""
        deadline = time.monotonic() + within
        return [
            pid
            for pid, watch in self._watched.items()
            if not select.select([watch], [], [], max(0.0, deadline - time.monotonic()))[0]
        ]

    def members(self) -> list[int]:
        """The processes of its session, itself included."""
        members = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
                if int(session) == self._process.pid and state not in "ZX":
                    members.append(int(stat.parent.name))
        return members

    def kill_all(self) -> None:
        """End whatever is left of its session."""
        for watch in self._watched.values():
            os.close(watch)
        for pid in self.members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def written_for(kind: str, script: str) -> str:
    """A script with the name of a kind for KIND, and its stages as that wants them.

    They are written with DEF, and wait for ever by WAIT.
    """
    awaits = traits_for(kind).runs_coroutines
    words = {
        "KIND": repr(kind),
        "DEF": "async def" if awaits else "def",
        "WAIT": "await asyncio.Event().wait()" if awaits else "threading.Event().wait()",
    }
    return re.sub(rf"\b({'|'.join(words)})\b", lambda found: words[found[1]], script)


@contextlib.contextmanager
def start(
    script: str,
    *arguments: str,
    file: Path | None = None,
    flags: Sequence[str] = (),
    errors: bool = False,
) -> Iterator[Program]:
    """Start a program, and leave nothing of it.

    It is given to Python by ``-c``, with a few words to speak with before it; or, without these,
    as a file to write it to. With `errors` it is heard on the standard error too.
    """
    if file is not None:
        file.write_text(dedent(script))
    given = [str(file)] if file is not None else ["-c", PREAMBLE + dedent(script)]
    with subprocess.Popen(
        [sys.executable, *flags, *given, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if errors else None,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(TESTS)},
    ) as process:
        program = Program(process)
        try:
            yield program
        finally:
            program.kill_all()

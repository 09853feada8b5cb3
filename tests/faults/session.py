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

__all__ = ["Program", "left_of", "start", "written_for"]

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
        self._ended = open_process(process.pid)
        self._unread = ""
        self._watched: dict[int, int] = {}

    def hear(self, within: float = LIMIT) -> str:
        """The next line that it says, within so many seconds.

        It has none left when it has ended, also if others hold its standard output open.
        """
        assert self._process.stdout is not None
        said = self._process.stdout.fileno()
        deadline = time.monotonic() + within
        while "\n" not in self._unread:
            remaining = max(0.0, deadline - time.monotonic())
            ready = select.select([said, self._ended], [], [], remaining)[0]
            if not ready:
                raise TimeoutError("the program says nothing")
            # What it said last may have come between the two looks.
            if said not in ready and not select.select([said], [], [], 0)[0]:
                raise EOFError(f"the program has ended, after {self._unread!r}")
            read = os.read(said, 4096).decode()
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
        for pid in others:
            if pid not in self._watched:
                with contextlib.suppress(ProcessLookupError):  # it has just ended
                    self._watched[pid] = open_process(pid)
        return [pid for pid in others if pid in self._watched]

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
        return list(_members_of(self._process.pid))

    def orphans(self, within: float, spared: str = "") -> list[int]:
        """What else of its session does not end within so many seconds, as `left_of` tells."""
        return left_of(self._process.pid, within, spared)

    def kill_all(self) -> None:
        """End whatever is left of its session."""
        for watch in (self._ended, *self._watched.values()):
            os.close(watch)
        for pid in self.members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def left_of(session: int, within: float, spared: str = "") -> list[int]:
    """The processes of a session, but for its first one, that do not end within so many seconds.

    Those that run the command `spared` may stay.
    """
    deadline = time.monotonic() + within
    while True:
        members = _members_of(session)
        left = [pid for pid, name in members.items() if pid != session and name != spared]
        remaining = deadline - time.monotonic()
        if not left or remaining <= 0:
            return left
        with contextlib.suppress(ProcessLookupError):
            watch = open_process(left[0])
            try:
                select.select([watch], [], [], remaining)
            finally:
                os.close(watch)


def _members_of(session: int) -> dict[int, str]:
    """The living processes of a session, with the names of their commands."""
    members = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            name, _, numbers = stat.read_text().partition("(")[2].rpartition(")")
            state, _, _, its_session = numbers.split()[:4]
            if int(its_session) == session and state not in "ZX":
                members[int(stat.parent.name)] = name
    return members


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
    terminal: int | None = None,
) -> Iterator[Program]:
    """Start a program, and leave nothing of it.

    It is given to Python by ``-c``, with a few words to speak with before it; or, without these,
    as a file to write it to. With `errors` it is heard on the standard error too. With the
    descriptor of a `terminal` that has its standard streams, and it is heard there.
    """
    if file is not None:
        file.write_text(dedent(script))
    given = [str(file)] if file is not None else ["-c", PREAMBLE + dedent(script)]
    streams: dict[str, int | None] = dict.fromkeys(("stdin", "stdout", "stderr"), terminal)
    if terminal is None:
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE}
        streams |= {"stderr": subprocess.STDOUT if errors else None}
    with subprocess.Popen(
        [sys.executable, *flags, *given, *arguments],
        **streams,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(TESTS)},
    ) as process:
        program = Program(process)
        try:
            yield program
        finally:
            program.kill_all()

"""A terminal for a program, with nobody but a test before it."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import termios
import time
from collections.abc import Iterator
from typing import Any

from contract.gate import LIMIT

__all__ = ["Terminal", "open_terminal"]


class Terminal:
    """What a person would see and type."""

    def __init__(self, ours: int, theirs: int) -> None:
        self._ours = ours
        self.theirs = theirs
        """The descriptor for the program."""
        self.seen = ""
        """All that was shown."""

    def look_for(self, text: str) -> None:
        """Look until this is shown."""
        deadline = time.monotonic() + LIMIT
        while text not in self.seen:
            self._look(max(0.0, deadline - time.monotonic()), text)

    def look_at_the_rest(self) -> None:
        """Look at what was shown before its program ended."""
        while select.select([self._ours], [], [], 0)[0]:
            self._look(0, "anything")

    def type(self, keys: str) -> None:
        """Press keys; "\\x03" is Ctrl-C."""
        os.write(self._ours, keys.encode())

    def settings(self) -> list[Any]:
        """How it echoes, and what its keys do."""
        return termios.tcgetattr(self.theirs)

    def _look(self, within: float, text: str) -> None:
        if not select.select([self._ours], [], [], within)[0]:
            raise TimeoutError(f"the terminal does not show {text!r}, but {self.seen!r}")
        self.seen += os.read(self._ours, 4096).decode(errors="replace")


@contextlib.contextmanager
def open_terminal() -> Iterator[Terminal]:
    """A terminal, closed after the block."""
    ours, theirs = pty.openpty()
    try:
        yield Terminal(ours, theirs)
    finally:
        os.close(ours)
        os.close(theirs)

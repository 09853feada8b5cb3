"""Signals that ask a run to stop, noted while it goes on and obeyed where it is safe.

A handler that raised would cut the command at any line, in the middle of closing something.
So the handler only notes the signal, and the loop that waits for the run looks at the notes::

    with StopSignals() as signals:
        while not finished:
            ...
            if signals.asked: run.drain()

*Threads*: handlers can be set in the main thread only; in another one nothing is noted.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Final, Self

__all__ = ["StopSignals"]

WATCHED: Final = (signal.SIGINT, signal.SIGTERM)
PATIENCE: Final = 2
"""How many signals are noted. The next one does what it did before the run: it ends the command,
so that a person is never locked in with a run that does not end."""


class StopSignals:
    """Notes SIGINT and SIGTERM while it is open, then gives them back to whoever had them."""

    def __init__(self) -> None:
        self._noted: list[int] = []
        self._earlier: dict[signal.Signals, Any] = {}

    @property
    def asked(self) -> int:
        """How many signals came."""
        return len(self._noted)

    @property
    def first(self) -> int | None:
        """The number of the first signal that came."""
        return self._noted[0] if self._noted else None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in WATCHED:
                self._watch(number)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._give_back()

    def _watch(self, number: signal.Signals) -> None:
        """Take a signal over, unless it is ignored (as for a command in the background of a
        script) or belongs to code that is not Python's and could not be given back."""
        earlier = signal.getsignal(number)
        if earlier not in (signal.SIG_IGN, None):
            self._earlier[number] = signal.signal(number, self._note)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._noted.append(number)
        if len(self._noted) == PATIENCE:
            self._give_back()

    def _give_back(self) -> None:
        while self._earlier:
            signal.signal(*self._earlier.popitem())

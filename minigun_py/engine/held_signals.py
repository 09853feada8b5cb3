"""Signals that come while their thread is in the middle of something that must not be torn.

Python runs the handler of a signal between any two steps of the main thread, and what it raises
(KeyboardInterrupt, above all) is raised there. While this is entered a signal is noted, and a wait
is ended; its handler is called when this is left. Outside of it all handlers are as they were, and
so they are in a process that another thread forks meanwhile.

Whoever sends one more meanwhile finds that nothing has come of the first: something does not end,
and the handler is called at once, whatever it tears.

*Threads*: in any but the main thread no handler runs, and nothing is done.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from importlib import import_module
from threading import get_ident, main_thread
from types import FrameType
from typing import Any, Final

__all__ = ["HeldSignals"]

Handler = Callable[[int, FrameType | None], Any]
# As those of `signal`, but without a search for the name of each number, which would take longer
# than all else here.
_WITHOUT_NAMES: Any = import_module("_signal")
getsignal, replace = _WITHOUT_NAMES.getsignal, _WITHOUT_NAMES.signal

_ALL: Final = [*map(int, signal.valid_signals())]
_REPLACED: Final[list[tuple[int, Handler]]] = []
"""What was held last, and is not back yet. There is one main thread, and it holds nothing twice."""


class HeldSignals:
    """Holds back what Python's handlers do, for as long as it is entered; that may be often.

    Args:
        end_wait: Called when a signal has come.
    """

    def __init__(self, end_wait: Callable[[], None]) -> None:
        self._end_wait = end_wait
        self._main = main_thread().ident
        self._handlers: dict[int, Handler] = {}
        self._came: list[tuple[int, FrameType | None]] = []

    def __enter__(self) -> None:
        if get_ident() != self._main:
            return
        try:
            for number in _ALL:  # each time: the program may have set another
                handler = getsignal(number)
                if callable(handler):
                    self._handlers[number] = handler
                    _REPLACED.append((number, handler))
                    replace(number, self._note)
        except BaseException:  # of a handler that was not replaced yet
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        try:
            _put_back()
        finally:
            self._tell()

    def _tell(self) -> None:
        """Call the handlers of what came, all of them whatever one raises."""
        while self._came:
            number, frame = self._came.pop(0)
            try:
                self._handlers[number](number, frame)
            except BaseException:
                self._tell()
                raise

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._came:
            self._handlers[number](number, frame)
        else:
            self._came.append((number, frame))
            self._end_wait()


def _put_back() -> None:
    while _REPLACED:
        try:
            replace(*_REPLACED[-1])
            _REPLACED.pop()
        except BaseException:  # of a handler that was put back already
            _put_back()
            raise


os.register_at_fork(after_in_child=_put_back)  # its only thread is its main thread

"""Signals that come while their thread is in the middle of something that must not be torn.

Python runs the handler of a signal between any two steps of the main thread, and what it raises
(KeyboardInterrupt, above all) is raised there. While this is entered a signal is noted, and a wait
is ended; its handler is called when this is left. Outside of it all handlers are as they were.

Whoever sends one more meanwhile finds that nothing has come of the first: something does not end,
and the handler is called at once, whatever it tears.

*Threads*: in any but the main thread no handler runs, and nothing is done.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from threading import get_ident, main_thread
from types import FrameType
from typing import Any

__all__ = ["HeldSignals"]

Handler = Callable[[int, FrameType | None], Any]


class HeldSignals:
    """Holds back what Python's handlers do, for as long as it is entered; that may be often.

    Args:
        end_wait: Called when a signal has come.
    """

    def __init__(self, end_wait: Callable[[], None]) -> None:
        self._end_wait = end_wait
        self._numbers = [*filter(_is_handled, signal.valid_signals())]
        self._main = main_thread().ident
        self._handlers: dict[int, Handler] = {}
        self._replaced: list[int] = []
        self._came: list[tuple[int, FrameType | None]] = []

    def __enter__(self) -> None:
        if get_ident() != self._main:
            return
        try:
            for number in self._numbers:
                handler = signal.getsignal(number)
                if callable(handler):
                    self._handlers[number] = handler
                    self._replaced.append(number)
                    signal.signal(number, self._note)
        except BaseException:  # of a handler that was not replaced yet
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        try:
            self._put_back()
        finally:
            came, self._came = self._came, []
            for number, frame in came:
                self._handlers[number](number, frame)

    def _put_back(self) -> None:
        while self._replaced:
            try:
                number = self._replaced[-1]
                signal.signal(number, self._handlers[number])
                self._replaced.pop()
            except BaseException:  # of a handler that was put back already
                self._put_back()
                raise

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._came:
            self._handlers[number](number, frame)
        else:
            self._came.append((number, frame))
            self._end_wait()


def _is_handled(number: int) -> bool:
    return callable(signal.getsignal(number))

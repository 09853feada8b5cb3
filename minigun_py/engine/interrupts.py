"""Ctrl-C while a run is waited for: noted, and never raised in the middle of something.

Python may raise KeyboardInterrupt between any two steps, also while a lock is being taken or a
lane started, and it can sleep through a signal that comes just before a wait. So for the time of
a run with lanes the signal is written to a pipe, and the caller waits on that pipe alone; whatever
else ends the wait rings the same bell.

Only in the main thread, and only in place of Python's own handler: one that the program has set
stays in force. The earlier state is restored at the end.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Self

from minigun_py.contexts.readable import wait_readable
from minigun_py.contexts.wake_up import WakeUp

__all__ = ["Interrupts"]


class Interrupts:
    """Counts Ctrl-C for as long as it is entered."""

    def __init__(self) -> None:
        self._wake = WakeUp()
        self._came = self._told = 0
        self._installed = False

    def __enter__(self) -> Self:
        self._wake.__enter__()
        in_main = threading.current_thread() is threading.main_thread()
        if in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._note)
            descriptor = self._wake.descriptor_to_write
            self._earlier = signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
            self._installed = True
        return self

    def __exit__(self, *_: object) -> None:
        if self._installed:
            signal.set_wakeup_fd(self._earlier)
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self._wake.__exit__()

    def ring(self) -> None:
        """End the wait, now or the next one. From any thread."""
        self._wake.set()

    def wait(self, timeout: float | None) -> int:
        """Wait for a ring, Ctrl-C, or `timeout` seconds. How many Ctrl-C came since the last."""
        wait_readable(self._wake, timeout)
        self._wake.clear()
        new, self._told = self._came - self._told, self._came
        return new

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came += 1
        self._wake.set()  # the signal may have come before the pipe was told of signals

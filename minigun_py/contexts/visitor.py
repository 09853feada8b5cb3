"""Whoever waits for something that the loops of a board may bring about, and sees to them."""

from __future__ import annotations

from minigun_py.clock import Deadline
from minigun_py.contexts.switchboard import Switchboard

__all__ = ["Visitor"]


class Visitor:
    """Waits at a board until it is called. One at a time for each board.

    It is used as a flag: `clear` it, look whether there is anything, and `wait` if there is not.

    *Threads*: `call` is for any, the others for the one that waits.
    """

    def __init__(self, board: Switchboard) -> None:
        self._board, self._is_called = board, False

    def clear(self) -> None:
        """Be ready for the next call; what it tells of has to be looked at after this."""
        self._is_called = False

    def call(self) -> None:
        """End the wait, now or the next one."""
        self._is_called = True
        self._board.wake()

    def call_from_handler(self) -> None:
        """As `call`, for the handler of a signal: it may come in the middle of the wait."""
        self._is_called = True
        self._board.interrupt()

    def wait(self, deadline: Deadline) -> None:
        """Have the seat until a call, or the deadline."""
        self._board.visit(lambda: self._is_called, deadline)

    def leave(self) -> None:
        """Come no more: somebody else sees to the loops at once."""
        self._board.hurry()

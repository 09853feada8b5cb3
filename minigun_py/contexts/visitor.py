"""Whoever waits for something that the loops of a board may bring about, and sees to them."""

from __future__ import annotations

from collections.abc import Callable

from minigun_py.clock import Deadline
from minigun_py.contexts.answer import Lease
from minigun_py.contexts.context import LeaseReceiver
from minigun_py.contexts.switchboard import Switchboard
from minigun_py.errors import WouldBlock

__all__ = ["Visitor", "receive_at"]


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


def receive_at(board: Switchboard, leases: LeaseReceiver) -> Callable[[int, int | None], Lease]:
    """As the `receive` of the leases, but who waits for one sees to the board meanwhile."""
    visitor = Visitor(board)
    leases.on_ready(visitor.call)

    def receive(worker: int, most: int | None) -> Lease:
        while True:
            visitor.clear()
            try:
                return leases.receive_nowait(worker, most)
            except WouldBlock:
                visitor.wait(Deadline.after(leases.wait_time()))
            except BaseException:  # the end, or a cut
                visitor.leave()
                raise

    return receive

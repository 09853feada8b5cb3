"""What a worker thread does: run leases with a bound kernel until they end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from minigun_py.contexts.answer import Answer, Done, Emitted, Lease
from minigun_py.contexts.context import LeaseReceiver
from minigun_py.contexts.kernel import BoundKernel, Kernel, Post
from minigun_py.errors import EndOfChannel

__all__ = ["close_after", "work_off"]

Receive = Callable[[int, int | None], Lease]


def work_off(
    kernel: Kernel,
    number: int,
    max_items: int | None,
    leases: LeaseReceiver,
    answer: Callable[[Answer], None],
    receive: Receive | None = None,
) -> None:
    """Be worker `number`: run leases until they end, with a fresh worker after `max_items`.

    `receive` is another way of waiting for a lease.
    """
    first: Lease | None = None
    receive = receive or leases.receive
    while True:
        worker = kernel.bind(post=Post(number, kernel.control))
        turns = _LeaseTurns(worker, number, first, max_items, leases, answer, receive)
        try:
            worker.open()
            worker.work(turns)
            turns.hand_in()
        except BaseException as error:
            close_after(error, worker)
            raise
        worker.close()
        if turns.ended:
            return
        try:
            first = receive(number, max_items)  # before anybody makes a fresh worker
        except EndOfChannel:
            return


def close_after(error: BaseException, worker: BoundKernel) -> None:
    """Close a worker that has raised. What that raises too is told beside the first error."""
    try:
        worker.close()
    except Exception as other:
        error.add_note(f"and its end raised {type(other).__name__}: {other}")


class _LeaseTurns:
    """The leases of one worker. The last of its share is handed in when nothing is held."""

    def __init__(
        self,
        worker: BoundKernel,
        number: int,
        first: Lease | None,
        left: int | None,
        leases: LeaseReceiver,
        answer: Callable[[Answer], None],
        receive: Receive,
    ) -> None:
        self._worker, self._number = worker, number
        self._first, self._left, self._receive = first, left, receive
        self._leases, self._answer = leases, answer
        self._lease: Lease | None = None
        self.ended = False

    def next(self) -> Iterable[Any] | None:
        """Answer for one lease and take another."""
        if self._lease is not None and (self._lease.last or self._left == 0):
            self.ended = self._lease.last
            return None
        self.hand_in()
        try:
            lease = self._first or self._receive(self._number, self._left)
        except EndOfChannel:
            self.ended = True
            return None
        self._first, self._lease = None, lease
        if self._left is not None:
            self._left -= len(lease.items)
        return lease.items

    @property
    def flush(self) -> bool:
        """Whether the lease says so."""
        return self._lease is not None and self._lease.flush

    @property
    def attempt(self) -> int:
        """As the lease says."""
        return 1 if self._lease is None else self._lease.attempt

    def running(self) -> int:
        """Not told: whoever has a list knows by itself."""
        return 0

    def put_out(self, way_out: int, values: list[Any]) -> None:
        """Send on what came of the item at hand, and wait for room."""
        assert self._lease is not None
        self._answer(Emitted(self._lease, way_out, values))
        self._leases.wait_for_room()

    def hand_in(self) -> None:
        """Answer for the lease at hand, if there is one."""
        lease, self._lease = self._lease, None
        if lease is not None:
            self._answer(Done(lease, self._worker.harvest(len(lease.items))))

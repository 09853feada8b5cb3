"""What waits for the workers of a group: one inbox for all, or a shelf for each.

Where items have keys, every worker has a shelf, and an item lies on the shelf that its key belongs
to. All shelves together hold no more than the inbox does, so a key whose worker is slow holds up
the others only when nothing else fits.

*Lock order*: the lock of the shelves guards them and is taken before the channel's. Callbacks are
called without it; the key of an item is asked for under it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from minigun_py.clock import Deadline
from minigun_py.engine.inlet import Inlet
from minigun_py.engine.loop import Stalled
from minigun_py.engine.provenance import value_of
from minigun_py.errors import ChannelAborted, EndOfChannel, WouldBlock

__all__ = ["Inbox", "Intake", "Shelves", "shelves_by"]


class Intake(Protocol):
    """Where a worker takes items from."""

    takers: int
    """How many workers share what waits for one of them."""

    @property
    def ending(self) -> bool:
        """Whether no others will come than wait now, as far as is known."""
        ...

    def waiting(self, worker: int) -> int:
        """How many items are there for this worker, as far as is known."""
        ...

    def take(self, worker: int, most: int, deadline: Deadline | None) -> list[Any]:
        """Wait for items. Raises `WouldBlock` at the deadline, `EndOfChannel`, `ChannelAborted`."""
        ...

    def take_nowait(self, worker: int, most: int) -> list[Any]:
        """Items that are there. Raises `WouldBlock` if there are none, and as `take`."""
        ...

    def on_ready(self, wake: Callable[[], None]) -> None:
        """Have `wake` called when `take_nowait` may give something."""
        ...

    def close(self) -> int:
        """Take no more. Returns how many items were left on shelves."""
        ...


class Inbox:
    """One for all workers: whoever comes takes."""

    def __init__(self, receiver: Inlet, workers: int) -> None:
        self._receiver, self.takers = receiver, workers

    @property
    def ending(self) -> bool:
        """Whether nobody is left who would send any."""
        return self._receiver.ending

    def waiting(self, worker: int) -> int:
        """All that waits."""
        return self._receiver.waiting

    def take(self, worker: int, most: int, deadline: Deadline | None) -> list[Any]:
        """Wait for items."""
        return self._receiver.receive_many(most, deadline=deadline)

    def take_nowait(self, worker: int, most: int) -> list[Any]:
        """Items that are there."""
        return self._receiver.receive_many_nowait(most)

    def on_ready(self, wake: Callable[[], None]) -> None:
        """Have `wake` called when there may be items."""
        self._receiver.on_ready(wake)

    def close(self) -> int:
        """Take no more."""
        self._receiver.close()
        return 0


class Shelves:
    """A shelf for each worker.

    Args:
        receiver: Where items come from.
        workers: How many shelves there are.
        bound: The most items on all of them together.
        place: Tells the shelf of an item, from 0 on; it may raise.
        refuse: Is told of an item for which it did.
    """

    takers, ending = 1, False
    """A shelf is for one worker alone."""

    def __init__(
        self,
        receiver: Inlet,
        workers: int,
        bound: int,
        place: Callable[[Any], int],
        refuse: Callable[[Any, Exception], None],
    ) -> None:
        self._receiver, self._bound = receiver, bound
        self._place, self._refuse = place, refuse
        self._refused: list[tuple[Any, Exception]] = []
        self._shelves: list[deque[Any]] = [deque() for _ in range(workers)]
        self._changed = threading.Condition()  # guards the shelves and what follows
        self._shelved = self._fillings = self._changes = 0
        self._ended = self._stalled = False
        self._wake: Callable[[], None] | None = None
        self._aborted: ChannelAborted | None = None
        receiver.on_ready(self._tell)

    def waiting(self, worker: int) -> int:
        """What lies on the shelf of this worker."""
        return len(self._shelves[worker - 1])

    def take(self, worker: int, most: int, deadline: Deadline | None) -> list[Any]:
        """Wait for items of this worker."""
        while True:
            seen = self._changes
            try:
                return self.take_nowait(worker, most)
            except Stalled:
                raise
            except WouldBlock:
                if deadline is not None and deadline.passed:
                    raise
            with self._changed:
                if self._changes == seen:
                    # ended by items, by room on the shelves, by the end, or by an abort
                    self._changed.wait(None if deadline is None else deadline.remaining())

    def take_nowait(self, worker: int, most: int) -> list[Any]:
        """Items of this worker that are there."""
        before = self._fillings
        try:
            with self._changed:
                return self._take(worker, most)
        finally:
            self._tell_of_refused()
            if self._fillings != before and self._wake is not None:
                self._wake()  # some of it may be for others

    def on_ready(self, wake: Callable[[], None]) -> None:
        """Have `wake` called when a shelf may have got items."""
        self._wake = wake
        self._receiver.on_ready(self._tell)

    def close(self) -> int:
        """Take no more."""
        self._receiver.close()
        with self._changed:
            left, self._shelved = self._shelved, 0
            for shelf in self._shelves:
                shelf.clear()
        return left

    def _take(self, worker: int, most: int) -> list[Any]:
        shelf = self._shelves[worker - 1]
        self._fill()
        if self._aborted is not None:
            raise self._aborted
        if shelf:
            items = [shelf.popleft() for _ in range(min(most, len(shelf)))]
            self._shelved -= len(items)
            self._notify()  # there is room for others to fill
            return items
        if self._ended:
            raise EndOfChannel("nothing is left for this worker")
        if self._stalled:
            raise Stalled("what is held in the loop has to be flushed")
        raise WouldBlock("nothing is on the shelf of this worker")

    def _fill(self) -> None:
        """Put what has come on the shelves, as far as there is room."""
        while self._shelved < self._bound and not self._ended and self._aborted is None:
            self._stalled = False
            try:
                items = self._receiver.receive_many_nowait(self._bound - self._shelved)
            except WouldBlock as error:
                self._stalled = isinstance(error, Stalled)
                return
            except EndOfChannel:
                self._ended = True
            except ChannelAborted as aborted:
                self._aborted = aborted
            else:
                self._fillings += 1
                for item in items:
                    self._lay(item)
            self._notify()

    def _lay(self, item: Any) -> None:
        try:
            place = self._place(value_of(item))
        except Exception as error:
            self._refused.append((item, error))
        else:
            self._shelves[place].append(item)
            self._shelved += 1

    def _tell_of_refused(self) -> None:
        """Without the lock: it may end the run, which takes other locks."""
        while self._refused:
            self._refuse(*self._refused.pop(0))

    def _tell(self) -> None:
        with self._changed:
            self._notify()
        if self._wake is not None:
            self._wake()

    def _notify(self) -> None:
        self._changes += 1
        self._changed.notify_all()


def shelves_by(
    key: Callable[[Any], Any],
    receiver: Inlet,
    workers: int,
    bound: int,
    refuse: Callable[[Any, Exception], None],
) -> Shelves:
    """A shelf for each worker, and each key's items on the same one."""
    from minigun_py.engine.partition import placed_by  # here: few stages have keys

    return Shelves(receiver, workers, bound, placed_by(key, workers), refuse)

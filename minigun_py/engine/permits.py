"""A bound on how many leases run at once in all the groups of one named context.

A group lends as it would alone; then a lease waits until there is a permit for it.

*Lock order*: the locks are leaves. Callbacks are called without them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from minigun_py.contexts.answer import Lease
from minigun_py.contexts.context import LeaseReceiver
from minigun_py.errors import WouldBlock

__all__ = ["Permits", "PermittedLeases"]


class Permits:
    """So many leases may run at once."""

    def __init__(self, count: int) -> None:
        self._changed = threading.Condition()  # guards the number
        self._free = count
        self._wakes: list[Callable[[], None]] = []

    def take(self) -> bool:
        """Take one, if one is free."""
        with self._changed:
            taken = self._free > 0
            self._free -= taken
        return taken

    def wait(self, check: Callable[[], None]) -> None:
        """Wait until one is free and take it. `check` raises what ends the wait."""
        with self._changed:
            while not self._free:
                check()
                self._changed.wait()  # ended by `give_back`, or by `wake`
            self._free -= 1

    def give_back(self) -> None:
        """One is free again."""
        with self._changed:
            self._free += 1
        self.wake()

    def wake(self) -> None:
        """Have everybody who waits look again."""
        with self._changed:
            self._changed.notify_all()
        for wake in tuple(self._wakes):
            wake()

    def on_free(self, wake: Callable[[], None]) -> None:
        """Have `wake` called whenever one is given back."""
        self._wakes.append(wake)


class PermittedLeases:
    """The leases of one group, each with a permit."""

    def __init__(self, leases: LeaseReceiver, permits: Permits) -> None:
        self._leases, self._permits = leases, permits
        self._lent: dict[int, Lease] = {}  # by worker, those that have no permit yet

    @property
    def bound(self) -> bool:
        """As of the group."""
        return self._leases.bound

    def receive(self, worker: int, most: int | None = None) -> Lease:
        """Wait for a lease, and then for a permit."""
        lease = self._leases.receive(worker, most)
        self._permits.wait(self.raise_if_cut)
        return lease

    def receive_nowait(self, worker: int, most: int | None = None) -> Lease:
        """A lease, if there is one and a permit for it."""
        lease = self._lent.pop(worker, None) or self._leases.receive_nowait(worker, most)
        if self._permits.take():
            return lease
        self._lent[worker] = lease
        raise WouldBlock("other stages of the context are at work")

    def wait_time(self) -> float | None:
        """As of the group."""
        return self._leases.wait_time()

    def on_ready(self, wake: Callable[[], None]) -> None:
        """Have `wake` called when there may be a lease, or a permit."""
        self._leases.on_ready(wake)
        self._permits.on_free(wake)

    @property
    def has_room(self) -> bool:
        """As of the group."""
        return self._leases.has_room

    def wait_for_room(self) -> None:
        """As of the group."""
        self._leases.wait_for_room()

    def raise_if_cut(self) -> None:
        """As of the group."""
        self._leases.raise_if_cut()

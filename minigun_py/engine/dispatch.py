"""Who gets the next item, of several targets. Pure: it deals indexes, and sends nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

__all__ = ["Broadcast", "Dispatch", "LeastLoaded", "RoundRobin", "dispatch_for"]

T = TypeVar("T")


class Dispatch(Protocol):
    """Deals items to targets, which are known by index."""

    @property
    def copies(self) -> int:
        """How many targets get each item."""
        ...

    def deal(self, items: list[T]) -> Sequence[tuple[int, list[T]]]:
        """The items for each target that gets some, in order."""
        ...


class Broadcast:
    """Every target gets every item: the same object."""

    def __init__(self, targets: int) -> None:
        self._targets = range(targets)
        self.copies = targets

    def deal(self, items: list[T]) -> Sequence[tuple[int, list[T]]]:
        """All items to all targets."""
        return [(target, items) for target in self._targets]


class RoundRobin:
    """The targets take turns, item by item, in strict rotation."""

    copies = 1

    def __init__(self, targets: int) -> None:
        self._targets, self._next = targets, 0

    def deal(self, items: list[T]) -> Sequence[tuple[int, list[T]]]:
        """Every n-th item to each of n targets, going on from where the last call ended."""
        first, self._next = self._next, (self._next + len(items)) % self._targets
        shares = (
            ((first + turn) % self._targets, items[turn :: self._targets])
            for turn in range(self._targets)
        )
        return [(target, share) for target, share in shares if share]


class LeastLoaded:
    """Each item goes to the target with the least to do; where several have, they take turns."""

    copies = 1

    def __init__(self, loads: Sequence[Callable[[], int]]) -> None:
        self._loads, self._next = loads, 0

    def deal(self, items: list[T]) -> Sequence[tuple[int, list[T]]]:
        """One item after the other, each counted as a load of the target that gets it."""
        loads = [load() for load in self._loads]
        shares: list[list[T]] = [[] for _ in loads]
        for item in items:
            turns = range(self._next, self._next + len(loads))
            target = min((turn % len(loads) for turn in turns), key=loads.__getitem__)
            loads[target] += 1
            shares[target].append(item)
            self._next = (target + 1) % len(loads)
        return [(target, share) for target, share in enumerate(shares) if share]


def dispatch_for(
    routing: str, targets: int, loads: Sequence[Callable[[], int]] | None = None
) -> Dispatch:
    """The dispatch of that name. `loads` tell how much each target has to do; nothing if None."""
    if routing == "least_loaded":
        return LeastLoaded(loads or [_idle] * targets)
    return RoundRobin(targets) if routing == "round_robin" else Broadcast(targets)


def _idle() -> int:
    return 0

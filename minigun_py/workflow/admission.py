"""What is free: processor slots, I/O slots, bytes of memory, and what the user has named. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["CPU", "GPUS", "INLINE", "IO", "MEMORY", "Admission", "Needs"]

Needs = tuple[tuple[str, int], ...]
"""How much of what a step takes for as long as it runs."""

CPU: Final = "processor slots"
IO: Final = "I/O slots"
GPUS: Final = "GPUs"
MEMORY: Final = "bytes of memory"
INLINE: Final = "place in the caller"


class Admission:
    """Lets a step begin only while there is enough of everything that it needs.

    Args:
        capacities: How much there is of what.

    *Invariant*: for each name, what is free and what is taken make up the capacity.
    """

    def __init__(self, capacities: Mapping[str, int]) -> None:
        self._free = dict(capacities)

    def fits(self, needs: Needs) -> bool:
        """Whether there is enough now."""
        return not needs or all(self._free[name] >= amount for name, amount in needs)

    def take(self, needs: Needs) -> None:
        """Take what has been seen to be there."""
        for name, amount in needs:
            self._free[name] -= amount

    def give(self, needs: Needs) -> None:
        """Give back what was taken."""
        for name, amount in needs:
            self._free[name] += amount

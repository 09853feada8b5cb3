"""Outputs with the nodes that they belong to, however many there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minigun_py.engine.provenance import Tracked
from minigun_py.primitives.spool import Spool, Values

__all__ = ["TrackedOutputs"]


class TrackedOutputs:
    """What came out at one exit."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._nodes: list[tuple[int, int]] = []  # with where its outputs end
        self._end = 0

    def belong_to(self, node: int, end: int) -> int:
        """The next ones, up to this `end`, belong to a node. How many those are."""
        new = end - self._end
        if new:
            self._nodes.append((node, end))
            self._end = end
        return new

    def values(self) -> Values:
        """All of them, tracked."""
        if isinstance(self._values, Spool):
            return _TrackedSpool(self._values, self._nodes)
        owners = _owners(self._nodes)
        return [Tracked(value, next(owners)) for value in self._values[: self._end]]


class _TrackedSpool(Spool):
    """A spool that is tracked as it is read."""

    def __init__(self, spool: Spool, nodes: list[tuple[int, int]]) -> None:
        super().__init__()
        self._spool, self._nodes, self._count = spool, nodes, len(spool)

    def chunks(self) -> Iterator[list[Any]]:
        """The values with their nodes."""
        owners = _owners(self._nodes)
        for chunk in self._spool.chunks():
            yield [Tracked(value, next(owners)) for value in chunk]


def _owners(nodes: list[tuple[int, int]]) -> Iterator[int]:
    """The node of each output, in order."""
    start = 0
    for node, end in nodes:
        for _ in range(start, end):
            yield node
        start = end

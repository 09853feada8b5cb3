"""Which source items are finished: all that came of them has ended. Pure.

What comes of a source item is told by a *node*, which counts the pieces that are on their way. An
item in flight carries the number of its node. What a stage makes of one item stays with the node
of that item; what it makes of several, as a batch does, gets a node of its own, whose parents are
theirs: each of these waits until it has ended::

    source item 1 ── node 1 ──┐
                              ├── node 3 (a batch of both) ── ...
    source item 2 ── node 2 ──┘

A source item has ended as the worst of its pieces has.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Generic, TypeVar

from minigun_py.record import record

__all__ = ["Ending", "Lineage"]

S = TypeVar("S")


class Ending(IntEnum):
    """How a piece ended, the worse ones greater."""

    FINISHED = 0
    DEAD_LETTERED = 1
    UNFINISHED = 2
    """It failed, was left out, or was cut off: it has to be run again."""


@record(frozen=False)
class _Node(Generic[S]):
    source: S | None
    parents: Sequence[int] = ()
    pieces: int = 1
    worst: Ending = Ending.FINISHED


class Lineage(Generic[S]):
    """The nodes of one run. A node is forgotten when its last piece has ended."""

    def __init__(self) -> None:
        self._nodes: dict[int, _Node[S]] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._nodes)

    def begin(self, source: S) -> int:
        """A source item is drawn. Returns its node, of one piece."""
        return self._add(_Node(source))

    def join(self, nodes: Sequence[int]) -> int:
        """One piece of each node became one piece together. Returns the node of that."""
        first = nodes[0] if nodes else None
        if first is not None and all(node == first for node in nodes):
            self._nodes[first].pieces -= len(nodes) - 1
            return first
        return self._add(_Node(None, nodes))

    def split(self, node: int, pieces: int) -> None:
        """So many more pieces of a node are on their way."""
        self._nodes[node].pieces += pieces

    def spoil(self, node: int, ending: Ending) -> None:
        """What came of a node, or a part of it, has ended no better than that."""
        mine = self._nodes[node]
        mine.worst = max(mine.worst, ending)

    def end(self, node: int, ending: Ending = Ending.FINISHED) -> list[tuple[S, Ending]]:
        """A piece has ended. Returns the source items that have ended with it, and how."""
        ended: list[tuple[S, Ending]] = []
        pieces = [(node, ending)]
        while pieces:
            number, how = pieces.pop()
            mine = self._nodes[number]
            mine.worst = max(mine.worst, how)
            mine.pieces -= 1
            if mine.pieces:
                continue
            del self._nodes[number]
            pieces.extend((parent, mine.worst) for parent in mine.parents)
            if mine.source is not None:
                ended.append((mine.source, mine.worst))
        return ended

    def _add(self, node: _Node[S]) -> int:
        self._next += 1
        self._nodes[self._next] = node
        return self._next

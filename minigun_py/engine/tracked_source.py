"""Where tracking begins: what a source gives is given nodes, and left out if it is finished."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from minigun_py.engine.provenance import Tracked
from minigun_py.engine.tracking import Tracking

__all__ = ["TrackedSource"]


class TrackedSource:
    """What a source gives, item by item.

    Args:
        tracking: Where items get their nodes.
        begin: Gives the node of an item; None for one that an earlier run has finished.
        stopped: Whether nothing more is wanted.
    """

    def __init__(
        self,
        tracking: Tracking,
        begin: Callable[[Any], int | None],
        stopped: Callable[[], bool],
    ) -> None:
        self._tracking, self._begin, self._stopped = tracking, begin, stopped
        self._node: int | None = None

    def drawn(self, items: Iterable[Any]) -> Iterator[Any]:
        """The items that are not finished. Each has been put out when the next is asked for."""
        for item in items:
            self._node = self._begin(item)
            if self._node is not None:
                yield item
                self.release()
            if self._stopped():
                return

    def release(self) -> None:
        """The item that was drawn last has been put out."""
        node, self._node = self._node, None
        if node is not None:
            self._tracking.end(node)

    def exits(self, ways_out: Sequence[Any], copies: Sequence[int]) -> list[TrackedExit]:
        """Ways out of the source, each of which so many stages get each item from."""
        return [TrackedExit(self, *said) for said in zip(ways_out, copies, strict=True)]

    def tracked(self, values: Sequence[Any], copies: int) -> list[Tracked]:
        """What the running item gave, for so many stages each."""
        assert self._node is not None
        self._tracking.split(self._node, copies * len(values))
        return [Tracked(value, self._node) for value in values]


class TrackedExit:
    """A way out of a source. So many stages get each item from it."""

    def __init__(self, source: TrackedSource, way_out: Any, copies: int) -> None:
        self._source, self._way_out, self._copies = source, way_out, copies

    def append(self, value: Any) -> None:
        """Put one value out."""
        self._way_out.append(*self._source.tracked((value,), self._copies))

    def extend(self, values: Sequence[Any]) -> None:
        """Put values out."""
        self._way_out.extend(self._source.tracked(values, self._copies))

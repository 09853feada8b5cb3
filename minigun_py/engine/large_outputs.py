"""The outputs of one worker since its last harvest, in memory as long as they are small.

The loops of a segment append to plain lists. What comes of one item may be too large for that: it
comes as a `Spool` then, and what is made of it further on is moved to a spool chunk by chunk.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from minigun_py.engine.router import Router
from minigun_py.primitives.spool import Spool, Values, is_large

__all__ = ["LargeOutputs"]


class LargeOutputs:
    """The exits of one worker.

    Args:
        exits: Lists; or, of a source, the ways out themselves, which keep nothing.
    """

    def __init__(self, exits: Sequence[Any]) -> None:
        self._exits = exits
        self._spools: list[Spool | None] = [None] * len(exits)  # what came before the lists
        self._running: list[_OnItsWay] = []

    def lengths(self) -> tuple[int, ...]:
        """How much is in each exit."""
        return tuple(
            len(way_out) + (0 if spool is None else len(spool))
            for way_out, spool in zip(self._exits, self._spools, strict=True)
        )

    def take(self) -> list[Values]:
        """What is in each exit, which is empty by that."""
        while self._running:
            self._running.pop().forget()
        return [self._take(place) for place in range(len(self._exits))]

    def put_out(self, sink: Any, spool: Spool) -> Iterator[Any]:
        """Put a spool out at one exit. Gives its values, for what comes next."""
        if not isinstance(sink, list):
            for chunk in spool.chunks():
                sink.extend(chunk)
        else:
            place = next(n for n, way_out in enumerate(self._exits) if way_out is sink)
            mine = self._moved(place)
            for chunk in spool.chunks():
                mine.put(chunk)
        return self.on_its_way(spool)

    def on_its_way(self, spool: Spool) -> Iterator[Any]:
        """The values of a spool, for what comes next. What that puts out is kept small."""
        values = _OnItsWay(spool, self)
        self._running.append(values)
        return values

    def dealt(self, router: Router, values: Values) -> tuple[int, Values]:
        """Have a router deal values out. How many those are, and those that flow on as usual."""
        if isinstance(values, list):
            return router.deal(values)
        count, usual = 0, Spool()
        for chunk in values.chunks():
            some, rest = router.deal(chunk)
            count += some
            usual.put(rest)
            self.keep_small()
        return count, usual

    def keep_small(self) -> None:
        """Move what is too large for memory."""
        for place, way_out in enumerate(self._exits):
            if isinstance(way_out, list) and (self._spools[place] or is_large(way_out)):
                self._moved(place)

    def _moved(self, place: int) -> Spool:
        spool = self._spools[place]
        if spool is None:
            spool = self._spools[place] = Spool()
        spool.put(self._exits[place])
        self._exits[place].clear()
        return spool

    def _take(self, place: int) -> Values:
        way_out = self._exits[place]
        if not isinstance(way_out, list):
            return []
        if self._spools[place] is not None:
            spool, self._spools[place] = self._moved(place), None
            return spool
        outputs = way_out[:]
        way_out.clear()
        return outputs


class _OnItsWay(Iterator[Any]):
    """An iterator over a spool that knows how much is left, as the loops want to."""

    def __init__(self, spool: Spool, outputs: LargeOutputs) -> None:
        self._left, self._chunks, self._outputs = len(spool), spool.chunks(), outputs
        self._values: Iterator[Any] = iter(())

    def __next__(self) -> Any:
        for value in self._values:
            self._left -= 1
            return value
        self._outputs.keep_small()
        self._values = iter(next(self._chunks))
        return self.__next__()

    def __length_hint__(self) -> int:
        return self._left

    def forget(self) -> None:
        """Nobody wants more. The frames of an error may remember this for long, and so the file."""
        self._chunks = self._values = iter(())

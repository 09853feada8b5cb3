"""A worker of a source: it calls what gives the items, and runs them through its stages.

There are four ways. The loops run over what is drawn, and fill the exits. Where the source stands
alone, items are handed on as they are. Where the caller takes an inline run's outputs one by one,
they are given item by item, each on the clock; or they flow out of a generator, without a step of
ours for each.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from itertools import islice
from typing import Any

from minigun_py.engine.flowing import Flowing
from minigun_py.primitives.spool import Values

__all__ = ["BoundSource"]


class BoundSource(Flowing):
    """The worker of a source."""

    @property
    def source_call(self) -> Callable[..., Any]:
        """Of a source: what gives its items, with its state."""
        return self._call(0)

    def wait_for(self, coroutine: Any) -> Any:
        """Of an asynchronous source: run it to its end."""
        return self._event_loop.run(coroutine)

    def hand_on(self, items: Iterator[Any], count: int) -> None:
        """Of a source that stands alone: draw up to so many items at once, and put them out."""
        given: list[Any] = []
        with self._timed(()):
            try:
                given.extend(islice(items, count))  # of which it keeps those before an error
            except Exception as error:
                self._fail(0, None, error)
            for way_out in self._exits:
                way_out.extend(given)
            self._emitted[0] += len(given)

    def give(self, items: Iterator[Any], count: int) -> Generator[list[Values], None, bool]:
        """Of a source: run up to so many items, and give by exit what comes of each.

        None is drawn before what came of those before it has been taken. It ends early behind a
        failure. Returns whether the source has ended.
        """
        left, ended, timed = count, False, self._timed(items)
        while left and not (ended or self._failures):
            with timed:
                while left and not (ended or self._failures or any(self._exits)):
                    before = self.drawn
                    self._loop(islice(items, 1))
                    left, ended = left - 1, self.drawn == before
            yield self._large.take()
        return ended

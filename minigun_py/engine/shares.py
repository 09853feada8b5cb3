"""What came of each item, as its worker sees it: how long the exits were when it was done with.

Only where somebody has to know. A stage that keeps items shares out what it emits among those that
it finishes with by that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from minigun_py.contexts.answer import Share
from minigun_py.engine.kept import Kept

__all__ = ["Shares"]


class Shares:
    """The shares of one worker's items in its outputs.

    Args:
        lengths: Tells how long the exits are.
        kept: What its first stage keeps, if it keeps items.
    """

    def __init__(self, lengths: Callable[[], tuple[int, ...]], kept: Kept | None) -> None:
        self._lengths, self._kept = lengths, kept
        self._shares: list[Share] = []
        self._told = lengths()
        self._index = 0  # of the running item

    def position(self) -> int:
        """The index of the running item."""
        return self._index

    def over(self, items: Iterable[Any]) -> Iterator[Any]:
        """The items; each is done with when the next is asked for."""
        for self._index, item in enumerate(items):
            yield item
            self.note()

    def note(self, running: bool = True) -> None:
        """Something is done with: the `running` item, or what was emitted without one."""
        lengths = self._lengths()
        if self._kept is None:
            self._shares.append(([range(self._index, self._index + 1)], None, lengths))
        else:
            last = self._kept.last_taken if running else None
            self._note_kept(self._kept.finished(), last, lengths)

    def take(self, finished: list[range]) -> list[Share]:
        """The shares since this was last asked, and what the stage has `finished` with since."""
        if self._kept is not None:
            self._note_kept(finished, None, self._lengths())
        shares, self._shares = self._shares, []
        self._told = tuple(0 for _ in self._told)
        return shares

    def _note_kept(self, finished: list[range], last: int | None, lengths: tuple[int, ...]) -> None:
        if finished or lengths != self._told:
            self._shares.append((finished, last, lengths))
            self._told = lengths

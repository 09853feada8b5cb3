"""A worker whose first stage takes an iterator over the items and gives one over its outputs.

Here the stage draws: when it asks for an item and has none, the worker takes the next turn. So the
loops of the segment run over what the stage gives, as they do for a source, and an output is dealt
with before the stage goes on. An error ends the stage for good, and with it the run: nobody can
tell it to go on with the next item.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any, Final

from minigun_py.contexts.kernel import Turns
from minigun_py.engine.bound_segment import BoundSegment
from minigun_py.engine.kept import Kept
from minigun_py.engine.sabotage import sabotaged_items

__all__ = ["BoundStream", "TurnsRaised"]

LOOKED_AT: Final = 1000
"""After so many outputs, how large they are."""


class BoundStream(BoundSegment):
    """A worker that draws."""

    _turns: Turns
    _outputs: Generator[Any, None, None] | None = None
    _item: Any = None
    _index = 0
    _given_all = False
    ended = False
    """Whether the stage has given all that it will."""

    def work(self, turns: Turns) -> None:
        """Let the stage draw until the turns have ended, and deal with all that it gives."""
        self.begin(turns)
        self.advance(None)
        while not self._given_all and turns.next() is not None:
            pass  # the stage wants no more of them

    @property
    def _kept(self) -> Kept:
        kept = self._state.kept
        assert kept is not None
        return kept

    def begin(self, turns: Turns) -> None:
        """Take the turns from there. Nothing is drawn yet."""
        self._turns, self._where = turns, lambda: self._index
        self._outputs = self._given()

    def advance(self, count: int | None) -> None:
        """Deal with so many outputs, or with all. Raises what the turns raise."""
        try:
            with self._timed(()):
                self._loop(islice(self._outputs or (), count))
        except TurnsRaised as raised:
            raise raised.error from None

    def close(self) -> None:
        """Tear it down, after what the stage does in a ``finally`` if it was not let to its end."""
        try:
            if self._outputs is not None:
                with self.entered(), suppress(TurnsRaised):
                    self._outputs.close()
        finally:
            super().close()

    def _given(self) -> Generator[Any, None, None]:
        """What the stage gives."""
        shape, kept = self._head.shape, self._kept
        call = partial(shape.call, state=self._state.values[0]) if shape.takes_state else shape.call
        if shape.coroutine:
            given = self.iterate(call(self._awaited()))
        else:
            given = iter(call(self._item_stream()))
        try:
            for count, value in enumerate(given):
                kept.emitted()
                yield value
                if not count % LOOKED_AT:
                    self._large.keep_small()
        finally:
            close = getattr(given, "close", None)
            if close is not None:
                close()
        kept.flushed()
        self.ended = True

    def _item_stream(self) -> Iterator[Any]:
        """What it draws from, with what a test has planted."""
        rules = self._kernel.rules
        deeds, items = rules.deeds.get(self._kernel.stages[0]), self._drawn_from_turns()
        return sabotaged_items(deeds, rules.lethal, items) if deeds else items

    def _drawn_from_turns(self) -> Iterator[Any]:
        """What the stage iterates over."""
        kept = self._kept
        while (items := self._next_turn()) is not None:
            for self._index, self._item in enumerate(items):
                kept.taken += 1
                yield self._item
                if self._shares is not None:
                    self._shares.note()
        self._given_all = True

    async def _awaited(self) -> AsyncIterator[Any]:
        for item in self._item_stream():
            yield item

    def _next_turn(self) -> Any:
        self._pause()
        try:
            return self._turns.next()
        except BaseException as error:
            raise TurnsRaised(error) from error
        finally:
            self._resume()

    def _fail(self, index: int, item: Any, error: Exception | SystemExit) -> bool:
        if index == 0:
            item = self._running_item()
            self.ended = True
        return super()._fail(index, item, error)

    def _running_item(self) -> Any:
        """The one that was drawn last."""
        return self._item

    def finish(self) -> None:
        """Nothing: the stage has given what it held when its items had ended."""


class TurnsRaised(BaseException):
    """Carries what a turn raised through the stage, which is not to catch it."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error

"""A worker of a stage that draws, as a link of a chain: it draws from the one before itself.

In a chain no item is handed over by anybody: what the stage before gives is what this one draws.
Nothing is done for an item but to count it, in a selection from a block of numbers. How long each
link took is found out by sampling: before each block, the waits for a few items are on the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import partial
from itertools import chain, compress, islice
from operator import length_hint
from typing import Any, Final

from minigun_py.contexts.answer import Harvest
from minigun_py.engine.bound_stream import BoundStream, TurnsRaised
from minigun_py.engine.flowing import Flowing
from minigun_py.errors import ChannelAborted
from minigun_py.primitives.spool import Values

__all__ = ["SAMPLED", "ChainedStream"]

SAMPLED: Final = 8
_BLOCK: Final = range(1, 257)
"""One number for each item of a block. Python has them ready, so none is made."""
_NO_MORE: Final = object()


class ChainedStream(Flowing, BoundStream):
    """A worker that draws from another, item by item."""

    _waited, _waits = 0.0, 0
    """Seconds that waits on the clock took, and how many those were, since it was asked."""
    _each_wait = 0.0
    """What a wait took the last time that any was on the clock."""
    _counted, _left = 0, iter(_BLOCK)
    """How many items it has drawn before this block, and what is left of that."""
    _before = 0
    _drawing: Any = None
    _stage_outputs: Any = None

    @property
    def drawn_items(self) -> int:
        """How many items it has drawn in all."""
        return self._counted + len(_BLOCK) - length_hint(self._left)

    def waited(self, items: int) -> float:
        """About how many seconds it has waited for the last so many items, as the sample tells."""
        if self._waits:
            self._each_wait = self._waited / self._waits
            self._waited, self._waits = 0.0, 0
        return self._each_wait * items

    def join(self, items: Iterator[Any], blame: Callable[[Exception], None]) -> Iterator[Any]:
        """Take these for the items. Gives what the stage gives.

        What the iterator raises is told to `blame`, and goes past the stage.
        """
        self._items_before, self._blame_before = items, blame
        self._where = lambda: 0
        self._left = iter(_BLOCK)
        self._drawing = self._items_drawn(items, blame)
        outputs = chain.from_iterable(self._called(self._drawing))
        self._outputs = outputs  # type: ignore[assignment]
        return outputs

    def take_the_rest(self) -> None:
        """The stage wants no more, or has failed: draw the items that are left, and drop them."""
        try:
            for _ in self._items_before:
                self._counted += 1
        except Exception as error:
            self._blame_before(error)
        except TurnsRaised:
            pass  # somebody has been told why

    def has_failed(self, error: Exception) -> None:
        """The stage has raised, as who drew from it has seen."""
        self._fail(0, None, error)

    def go_on(self, count: int) -> None:
        """Of the last link: have the stage give so many outputs, and deal with them."""
        before = self._emitted[0]
        self.advance(count)
        if self._emitted[0] - before < count:
            self.ended = True

    def flow_on(self, gate: list[None]) -> Iterator[Any]:
        """Of the last link: as many outputs as `gate` has entries, value by value."""
        assert self._outputs is not None
        self._before = self._emitted[0]
        return self.flow(self._outputs, gate)

    def flowed_on(self, gate: list[None], count: int, seconds: float) -> None:
        """Note how long that took in the stages. Raises what has ended it."""
        if gate and self._emitted[0] - self._before < count:
            self.ended = True
        try:
            self.flowed(seconds)
        except TurnsRaised as raised:
            raise raised.error from None

    def put_out_so_far(self) -> list[Values]:
        """Of the last link: what it has put out since this was asked, by exit."""
        return self._large.take()

    def harvest_link(self, received: int, emitted: int | None = None) -> Harvest:
        """As `harvest`. If another link has drawn what the stage gave: how much that was."""
        if emitted is not None:
            self._emitted[0] = self._usual[0] = emitted
        self._kept.take(received)
        self._kept.emitted()
        self._where = lambda: received - 1  # no item was left
        return self.harvest(received)

    def close(self) -> None:
        """Tear it down, after what the stage does in a ``finally`` if it was not let to its end."""
        if self._drawing is not None:
            self._drawing.close()
        self._outputs = self._stage_outputs if hasattr(self._stage_outputs, "close") else None
        super().close()

    def _running_item(self) -> Any:
        """The one that was drawn last: where the drawing waits, or where it has ended."""
        frame = self._drawing.gi_frame
        return self._item if frame is None else frame.f_locals.get("item")

    def _called(self, items: Iterator[Any]) -> Iterator[Iterator[Any]]:
        """What the stage gives, once; called when it is asked for, so an error is the stage's."""
        shape = self._head.shape
        call = partial(shape.call, state=self._state.values[0]) if shape.takes_state else shape.call
        self._stage_outputs = iter(call(items))
        yield self._stage_outputs

    def _items_drawn(
        self, items: Iterator[Any], blame: Callable[[Exception], None]
    ) -> Generator[Any, None, None]:
        """What the stage iterates over: some on the clock, then a block that is only counted."""
        now, item = self._kernel.clock.now, None
        try:
            while True:
                for _ in range(SAMPLED):
                    began = now()
                    drawn = next(items, _NO_MORE)
                    self._waited += now() - began
                    self._waits += 1
                    if drawn is _NO_MORE:
                        self._item = item
                        return
                    item = drawn
                    self._counted += 1
                    yield item
                left = self._left = iter(_BLOCK)
                for item in compress(islice(items, len(_BLOCK)), left):
                    yield item
                if length_hint(left):
                    self._item = item
                    return
                self._counted += len(_BLOCK)
                self._left = iter(_BLOCK)
        except Exception as error:
            blame(error)
            raise TurnsRaised(ChannelAborted("a stage before it has failed")) from None

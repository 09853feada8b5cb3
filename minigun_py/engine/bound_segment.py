"""A worker that calls its stages. A coroutine stage is run to its end for each item."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from minigun_py.contexts.kernel import Turns
from minigun_py.engine.current import entered
from minigun_py.engine.kept import Kept
from minigun_py.engine.segment_worker import Given, SegmentWorker, Stopped
from minigun_py.engine.worker_state import WorkerState

__all__ = ["BoundSegment"]


class BoundSegment(SegmentWorker):
    """A worker that calls its stages. A coroutine stage is run to its end for each item."""

    def open(self) -> None:
        """Set up what the stages want."""
        with entered(self):
            for function in self._kernel.at_birth:
                function()
        self._set_up()

    def _set_up(self) -> None:
        with entered(self):
            self._state.open(self._event_loop)
        self._head = self._state.actors[0]
        self._loop = self._build()

    def prepare(self, attempt: int) -> None:
        """Make ready for items that are run for the so manieth time."""
        self.attempt = attempt
        if attempt > 1 and self._kernel.rules.renews_state:
            with entered(self):
                self._state.close(self._event_loop)
            self._state = WorkerState(self._kernel.segment.stages)
            self._set_up()

    def close(self) -> None:
        """Tear it down."""
        try:
            with entered(self):
                self._state.close(self._event_loop)
        finally:
            self._event_loop.close()

    def entered(self) -> AbstractContextManager[None]:
        """Make this what `current()` finds, for what is called meanwhile."""
        return entered(self)

    def iterate(self, items: Any) -> Iterator[Any]:
        """What an asynchronous generator gives, one after the other."""
        return self._event_loop.iterate(items)

    def work(self, turns: Turns) -> None:
        """Run all items through the stages, turn by turn, and then emit what is held."""
        self.put_out = turns.put_out
        while (items := turns.next()) is not None:
            self.prepare(turns.attempt)
            told = None if isinstance(items, list | tuple) else turns.running
            self.run(items, told)
            if turns.flush:
                self.finish()
        self.finish()

    def run(self, items: Iterable[Any], where: Callable[[], int] | None = None) -> None:
        """Run every item through the stages.

        `where` tells the index of the running item; not needed for a list or a tuple.
        """
        if self._running:
            self._run_pushed(items)
            return
        if self._shares is not None:
            items, where = self._shares.over(items), self._shares.position
        self._where = where
        timed = self._head.timed
        if timed is not None:
            timed.now = self._kernel.clock.now()
        if self._takes_many:
            self._take_many(list(items))
        else:
            with self._timed(items):
                self._loop(self._iterator)
        if timed is not None and timed.due is not None and timed.due <= timed.now:
            self._emit(timed.take_due())

    @property
    def _takes_many(self) -> bool:
        """Whether the first stage takes a whole chunk in, as nobody looks at single items."""
        stage, watched = self._head.numbered, self._kernel.is_watched
        return stage is not None and stage.takes_many and self._shares is None and not watched

    def _take_many(self, items: list[Any]) -> None:
        stage, kept = self._head.numbered, self._state.kept
        assert stage is not None
        assert kept is not None
        values: list[Any] = []
        with self._timed(()):
            kept.take(len(items))
            values = stage.process_many(items)
        self._emit(values)

    def finish(self) -> None:
        """Emit what the first stage holds, if it does."""
        if self._head.flush is not None:
            values: list[Any] = []
            with self._timed(()):
                values = self._collect(self._held())
            self._emit(values)
            assert self._state.kept is not None
            self._state.kept.flushed()
            self._share()

    def _held(self) -> Iterator[Any]:
        """What the first stage gives when it is flushed."""
        assert self._head.flush is not None
        held = self._head.flush()
        yield from self.iterate(held) if hasattr(held, "__aiter__") else held

    def _emit(self, values: list[Any]) -> None:
        """Send on what the first stage gave without an item."""
        if values:
            assert self._state.kept is not None
            self._state.kept.emitted()
            with self._timed(()):
                self._loop((Given(values),))
            self._share()

    def _share(self) -> None:
        """Note what was emitted without an item."""
        if self._shares is not None:
            self._shares.note(running=False)

    def _call(self, index: int) -> Callable[..., Any]:
        call = super()._call(index)
        kept = self._state.kept if index == 0 else None
        return call if kept is None else partial(_call_and_note, kept, call)

    def _ways_to_leave(self) -> dict[str, Callable[..., Any]]:
        awaits = self._head.shape.coroutine
        return {"emit": self._emitter()} | ({"wait_for_room": _room} if awaits else {})

    def _due(self) -> float | None:
        timed = self._state.actors[0].timed
        return None if timed is None else timed.due

    def _run_pushed(self, items: Iterable[Any]) -> None:
        """Run what a source pushes while it is itself run. A stop goes up through the source."""
        if self._stopped:
            raise Stopped
        try:
            self._loop(items)
        except Stopped:
            self._stopped = True
            raise


async def _room() -> None:
    """There is room: whoever put something out has waited for it."""


def _call_and_note(kept: Kept, call: Callable[..., Any], item: Any) -> list[Any]:
    """Call a stage that keeps items, and note what it takes in and that it has emitted."""
    if type(item) is Given:
        return item.values
    kept.take()
    values: list[Any] = call(item)
    if values:
        kept.emitted()
    return values

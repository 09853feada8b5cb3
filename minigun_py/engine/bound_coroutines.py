"""A worker that awaits its stages, on a loop that it shares with its twins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from minigun_py.contexts.kernel import Post, WaitForRoom
from minigun_py.engine.current import entered
from minigun_py.engine.kept import Kept
from minigun_py.engine.segment_worker import Given, SegmentWorker

__all__ = ["BoundCoroutineSegment"]


class BoundCoroutineSegment(SegmentWorker):
    """A worker that awaits its stages, on a loop that it shares with its twins."""

    async def open(self) -> None:
        """Set up what the stages want, once for the loop."""
        with entered(self):
            await self._state.open_async()

    async def close(self) -> None:
        """Tear down, once for the loop."""
        with entered(self):
            await self._state.close_async()

    def twin(self, post: Post) -> BoundCoroutineSegment:
        """Another worker of the loop."""
        return BoundCoroutineSegment(
            self._kernel, [[] for _ in self._kernel.exit_stages], post, self._state
        )

    async def run(self, items: Sequence[Any]) -> None:
        """Run every item through the stages."""
        if self._loop is None:
            self._loop = self._build()
        given: Iterable[Any] = items
        if self._shares is not None:
            given, self._where = self._shares.over(items), self._shares.position
        with self._timed(given):
            await self._loop(self._iterator)

    async def finish(self) -> None:
        """Emit what the first stage holds, if it does. All its workers have stopped by then."""
        flush = self._state.actors[0].flush
        if flush is None:
            return
        if self._loop is None:
            self._loop = self._build()
        with entered(self):
            held = flush()
            values = [v async for v in held] if hasattr(held, "__aiter__") else list(held)
        assert self._state.kept is not None
        self._state.kept.flushed()
        if values:
            with self._timed(()):
                await self._loop((Given(values),))

    def _call(self, index: int) -> Callable[..., Any]:
        call = super()._call(index)
        kept = self._state.kept if index == 0 else None
        return call if kept is None else partial(_await_and_note, kept, call)

    def _ways_to_leave(self) -> dict[str, Callable[..., Any]]:
        return {"emit": self._emitter(), "wait_for_room": self._room}

    async def _room(self) -> None:
        await self.wait_for_room()

    wait_for_room: WaitForRoom
    _loop: Callable[..., Any] | None = None


async def _await_and_note(kept: Kept, call: Callable[..., Any], item: Any) -> list[Any]:
    """Await a stage that keeps items, and note what it takes in and that it has emitted."""
    if type(item) is Given:
        return item.values
    kept.take()
    values: list[Any] = await call(item)
    if values:
        kept.emitted()
    return values

"""A kernel of one call, for a context by itself: one stage, one item, one result."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from minigun_py.contexts.answer import Harvest, ItemFailure, StageCounts
from minigun_py.contexts.event_loop import EventLoop
from minigun_py.contexts.kernel import Control, Post, PutOut, Turns, WaitForRoom

__all__ = ["CallKernel"]


class CallKernel:
    """Calls a function, once for every item, whatever the item is."""

    stages = ("call",)
    exit_stages = (0,)
    holds = streams = False
    forwards: Mapping[int, int] = {}
    timeout = max_rss = None
    control = Control()

    def __init__(
        self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        self._function, self._args, self._kwargs = function, args, kwargs

    @property
    def functions(self) -> tuple[Callable[..., Any], ...]:
        """The function that is called."""
        return (self._function,)

    def bind(self, exits: Sequence[Any] | None = None, post: Post | None = None) -> _BoundCall:
        """A worker for any kind of function."""
        return _BoundCall(self.call)

    def bind_coroutines(self, post: Post) -> _BoundCoroutineCall:
        """A worker for a coroutine function, on a loop."""
        return _BoundCoroutineCall(self.call)

    def call(self) -> Any:
        """Call the function. Of a coroutine function, the coroutine."""
        return self._function(*self._args, **self._kwargs)


class _Results:
    """What one worker has gathered."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._outputs: list[Any] = []
        self._failures: list[ItemFailure] = []

    def _fail(self, error: Exception) -> None:
        self._failures.append(ItemFailure("call", 0, None, error))

    def harvest(self, received: int) -> Harvest:
        failed = len(self._failures)
        counts = StageCounts(received=received, completed=received - failed, failed=failed)
        counts.emitted = len(self._outputs)
        harvest = Harvest([self._outputs], [counts], self._failures)
        self._outputs, self._failures = [], []
        return harvest


class _BoundCall(_Results):
    """Calls where it is; a coroutine is run to its end."""

    def open(self) -> None:
        self._loop = EventLoop()

    def close(self) -> None:
        self._loop.close()

    def work(self, turns: Turns) -> None:
        while (items := turns.next()) is not None:
            self._run(items)

    def _run(self, items: Iterable[Any]) -> None:
        for _ in items:
            try:
                value = self._call()
                self._outputs.append(self._loop.run(value) if inspect.iscoroutine(value) else value)
            except Exception as error:
                self._fail(error)


class _BoundCoroutineCall(_Results):
    """Awaits the call on the loop that runs."""

    attempt = 1
    put_out: PutOut
    wait_for_room: WaitForRoom

    async def open(self) -> None:
        """Nothing is set up."""

    async def close(self) -> None:
        """Nothing was set up."""

    def twin(self, post: Post) -> _BoundCoroutineCall:
        return _BoundCoroutineCall(self._call)

    async def finish(self) -> None:
        """Nothing is held."""

    async def run(self, items: Sequence[Any]) -> None:
        for _ in items:
            try:
                self._outputs.append(await self._call())
            except Exception as error:
                self._fail(error)

"""Runs coroutines to their ends from code that is none: an event loop for one worker.

*Threads*: a loop belongs to the thread that first runs something on it. Where that thread already
runs a loop, as in a notebook, another loop cannot run in it: this one gets a thread of its own,
which `close` ends.
"""

from __future__ import annotations

import contextvars
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

__all__ = ["EventLoop"]

T = TypeVar("T")


class EventLoop:
    """An event loop that is made when it is first needed."""

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._inner: EventLoop | None = None
        self._running = False

    def run(
        self, coroutine: Coroutine[Any, Any, T], context: contextvars.Context | None = None
    ) -> T:
        """Run to the end, and return the result; in a copy of this context unless one is given."""
        if self._running:  # what it runs wants to run something itself
            self._inner = self._inner or EventLoop()
            return self._inner.run(coroutine, context)
        if self._runner is None:
            self._runner = self._begin()
        context = context or contextvars.copy_context()
        self._running = True
        try:
            if self._thread is None:
                return self._runner.run(coroutine, context=context)
            return self._thread.submit(self._runner.run, coroutine, context=context).result()
        finally:
            self._running = False

    def _begin(self) -> asyncio.Runner:
        import asyncio  # here, because a worker without coroutines should not have to load it
        from concurrent.futures import ThreadPoolExecutor

        with suppress(RuntimeError):
            asyncio.get_running_loop()
            self._thread = ThreadPoolExecutor(1, "minigun-event-loop")
        return asyncio.Runner()

    def iterate(self, iterator: AsyncIterator[T]) -> Iterator[T]:
        """The elements of an asynchronous iterator, each awaited when it is asked for."""
        context = contextvars.copy_context()  # one for all: what it sets it may reset
        try:
            while True:
                try:
                    yield self.run(_next(iterator), context)
                except StopAsyncIteration:
                    return
        finally:
            close = getattr(iterator, "aclose", None)
            if close is not None:
                self.run(close(), context)

    def close(self) -> None:
        """End the loop, and what still runs on it. Can be called twice."""
        if self._inner is not None:
            self._inner.close()
        runner, self._runner = self._runner, None
        thread, self._thread = self._thread, None
        if runner is None:
            return
        if thread is None:
            runner.close()
            return
        with thread:
            thread.submit(runner.close).result()


async def _next(iterator: AsyncIterator[T]) -> T:
    return await anext(iterator)

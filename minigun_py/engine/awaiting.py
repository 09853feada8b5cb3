"""A run that a task of asyncio waits for, or draws from.

The run is in a thread of its own, with all that it does otherwise, so that an event loop has
nothing to do but to hear of it. A task that is cancelled cancels the run, and goes on when all of
it is closed; another cancel meanwhile changes nothing.

*Lock order*: the lock of a buffer is a leaf; the loop is told without it.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Any, Final, Self, TypeVar

from minigun_py.engine.report import RunReport
from minigun_py.engine.run import Run
from minigun_py.engine.stream import Stream
from minigun_py.outcome import Failure, Success, unwrap
from minigun_py.primitives.daemon import daemon_thread

__all__ = ["LEFT", "AsyncStream", "awaited", "in_thread"]

T = TypeVar("T")

LEFT: Final = "the task that waited for the run was cancelled"
ROOM: Final = 1000
"""Outputs that may wait for a task."""


async def awaited(run: Run, end: Callable[[], T]) -> T:
    """What `end` gives, which takes the run to its end."""
    return await in_thread(end, lambda: run.cancel(LEFT))


async def in_thread(end: Callable[[], T], cancel: Callable[[], None]) -> T:
    """What `end` gives or raises, in a thread of its own. A task that is cancelled has it ended."""
    outcomes: list[Success[T] | Failure] = []

    def work() -> None:
        try:
            outcomes.append(Success(end()))
        except BaseException as error:
            outcomes.append(Failure(error))

    await _in_thread(work, cancel)
    return unwrap(outcomes[0])


class AsyncStream:
    """The outputs of a run, for ``async for`` and ``async with``; leaving it ends the run.

    Raises what the run raises, after the outputs that came before.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._reports: list[RunReport] = []
        self._outputs = _drawn(run, self._reports)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        return await anext(self._outputs)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @property
    def report(self) -> RunReport:
        """What the run did: final once it has ended, before that as it stands."""
        return self._reports[0] if self._reports else self._run.statistics()

    async def aclose(self) -> None:
        """End the run, if it has not ended, and wait until everything is closed."""
        await self._outputs.aclose()


async def _drawn(run: Run, reports: list[RunReport]) -> AsyncGenerator[Any, None]:
    """The outputs. No method, for the reason that `stream` has."""
    buffer, errors = _Buffer(asyncio.get_running_loop()), list[BaseException]()

    def fill() -> None:
        try:
            with Stream(run) as stream:
                for value in stream:
                    if not buffer.put(value, until_done=run.is_tracked):
                        break
        except BaseException as error:
            errors.append(error)
        finally:
            reports.append(run.statistics())
            buffer.end()

    filled = asyncio.ensure_future(_in_thread(fill, lambda: run.cancel(LEFT)))
    try:
        while values := await buffer.take():
            while values:
                yield values.popleft()
    except BaseException:
        buffer.close()
        filled.cancel()
        await _ended(filled)
        raise
    await filled
    if errors:
        raise errors[0]


class _Buffer:
    """Outputs on their way from the thread of a run to a task."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._event = loop, asyncio.Event()
        self._changed = threading.Condition()  # guards what follows
        self._values: deque[Any] = deque()
        self._at_work = False  # whether the task has values, and has not asked for others
        self._ended = self._closed = False

    def put(self, value: Any, until_done: bool) -> bool:
        """In the thread: wait for room, or until the task has done with it.

        False if nobody wants any more.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._values) < ROOM)
            self._values.append(value)
            first = len(self._values) == 1
        if first:
            self._tell()
        if until_done:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or not (self._values or self._at_work))
        return not self._closed

    def end(self) -> None:
        """In the thread: there are no more."""
        self._ended = True
        self._tell()

    async def take(self) -> deque[Any]:
        """In the task: wait for values, and take all that are there; none at the end."""
        with self._changed:
            self._at_work = False
            self._changed.notify()
        while True:
            self._event.clear()
            ended = self._ended  # looked at first: what came before the end is taken after it
            with self._changed:
                values, self._values = self._values, deque()
                self._at_work = bool(values)
                self._changed.notify()
            if values or ended:
                return values
            await self._event.wait()

    def close(self) -> None:
        """In the task: nobody wants any more."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _tell(self) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._event.set)


async def _in_thread(work: Callable[[], None], cancel: Callable[[], None]) -> None:
    """Run `work`, which raises nothing, in a thread. A cancel is passed on, and raised after."""
    loop = asyncio.get_running_loop()
    over = loop.create_future()

    def work_and_tell() -> None:
        work()
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(_set, over)

    thread = daemon_thread(work_and_tell, (), "minigun-awaited")
    thread.start()
    try:
        await asyncio.shield(over)
    except asyncio.CancelledError:
        cancel()
        await _ended(over)
        raise
    finally:
        if over.done():
            thread.join()  # it is on its last line


async def _ended(future: asyncio.Future[Any]) -> None:
    """Wait for the end of something, whatever is cancelled meanwhile."""
    while not future.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([future])


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)

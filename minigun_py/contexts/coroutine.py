"""In N coroutines on one event loop, N items at a time.

The thread that calls `serve` runs the loop. N tasks take leases by turns: one waits for a lease,
those behind it for the turn, so that a lease wakes one task and not all; unless leases are bound
to workers. What the stages want set up is set up once for the loop.

*Threads*: everything is in the loop's thread but `kill`, and the callback of `on_ready`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from minigun_py.clock import Deadline
from minigun_py.contexts.answer import Answer, Done, Emitted, Lease
from minigun_py.contexts.context import LeaseReceiver, Traits, not_open
from minigun_py.contexts.kernel import BoundCoroutines, Functions, Kernel, Post
from minigun_py.errors import ContextError, EndOfChannel, WouldBlock
from minigun_py.placement import ContextSpec

if TYPE_CHECKING:
    from minigun_py.contexts.switchboard import Switchboard

__all__ = ["CoroutineContext"]


class CoroutineContext:
    """N workers, each a task of one event loop."""

    traits: ClassVar = Traits(
        shares_memory=True,
        survives_crash=False,
        killable=True,
        runs_coroutines=True,
        recycles=False,
        worker="coroutine",
    )

    def __init__(self) -> None:
        self._workers: list[BoundCoroutines] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[None] | None = None
        self._why_killed: str | None = None

    @staticmethod
    def obstacle(functions: Functions = ()) -> str | None:
        """It runs everywhere."""
        return None

    def open(self, kernel: Kernel, spec: ContextSpec) -> None:
        """Bind the kernel once for every task."""
        first = kernel.bind_coroutines(Post(1, kernel.control))
        posts = [Post(number, kernel.control) for number in range(2, spec.workers + 1)]
        self._workers = [first, *map(first.twin, posts)]

    def serve(
        self,
        leases: LeaseReceiver,
        answer: Callable[[Answer], None],
        board: Switchboard | None = None,
    ) -> None:
        """Run leases on a loop until they end. Raises `ContextError` if killed."""
        if not self._workers:
            raise not_open()
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            try:
                runner.run(self._serve(leases, answer))
            except asyncio.CancelledError:
                raise ContextError(self._why_killed or "the event loop was cancelled") from None

    def kill(self, why: str) -> None:
        """Cancel every task; `serve` raises `ContextError` with `why`."""
        self._why_killed = why
        if self._loop is not None and self._main is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._main.cancel)

    def close(self, deadline: Deadline) -> None:
        """Forget the kernels; the loop ended with `serve`."""
        self._workers = []

    async def _serve(self, leases: LeaseReceiver, answer: Callable[[Answer], None]) -> None:
        self._main = asyncio.current_task()
        queue = _LeaseQueue(leases, asyncio.get_running_loop())
        try:
            await self._workers[0].open()
            work = [_work(w, n, queue, answer) for n, w in enumerate(self._workers, start=1)]
            await _all(work, beside=queue.wait_for_cut())
        finally:
            await self._workers[0].close()


class _LeaseQueue:
    """The leases, for tasks that wait by turns, or each for its own."""

    def __init__(self, leases: LeaseReceiver, loop: asyncio.AbstractEventLoop) -> None:
        self._leases, self._loop = leases, loop
        self._ready, self._woken = asyncio.Event(), asyncio.Event()
        self._turn = asyncio.Lock()
        leases.on_ready(self._wake)

    async def receive(self, worker: int) -> Lease | None:
        """The next lease; None at the end. Raises `ChannelAborted` if the stream is cut."""
        if self._leases.bound:  # whoever waits for one of its own is in nobody's way
            return await self._receive(worker)
        if not self._turn.locked():  # nobody waits, so maybe there is no need to
            try:
                return self._leases.receive_nowait(worker)
            except WouldBlock:
                pass
            except EndOfChannel:
                return None
        async with self._turn:
            return await self._receive(worker)

    async def _receive(self, worker: int) -> Lease | None:
        while True:
            self._ready.clear()
            try:
                return self._leases.receive_nowait(worker)
            except WouldBlock:
                await self._wait_until_ready()  # or for an answer, the end, or a cut
            except EndOfChannel:
                return None

    async def _wait_until_ready(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ready.wait(), self._leases.wait_time())

    async def wait_for_room(self) -> None:
        """Wait until there is room for what is put out."""
        while not self._leases.has_room:
            self._ready.clear()
            if not self._leases.has_room:
                await self._wait_until_ready()

    def answered(self) -> None:
        """An answer was given, after which there may be another lease, or the end."""
        self._ready.set()

    async def wait_for_cut(self) -> None:
        """Raises `ChannelAborted` as soon as the stream is cut, whatever the workers do."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            self._leases.raise_if_cut()

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._wake_here)

    def _wake_here(self) -> None:
        self._ready.set()
        self._woken.set()


async def _work(
    worker: BoundCoroutines, number: int, queue: _LeaseQueue, answer: Callable[[Answer], None]
) -> None:
    while (lease := await queue.receive(number)) is not None:
        worker.attempt = lease.attempt
        worker.put_out = partial(_put_out, lease, answer)
        worker.wait_for_room = queue.wait_for_room
        await worker.run(lease.items)
        if lease.last or lease.flush:
            await worker.finish()
        answer(Done(lease, worker.harvest(len(lease.items))))
        queue.answered()


def _put_out(
    lease: Lease, answer: Callable[[Answer], None], way_out: int, values: list[Any]
) -> None:
    answer(Emitted(lease, way_out, values))


async def _all(
    work: Iterable[Coroutine[Any, Any, None]], beside: Coroutine[Any, Any, None]
) -> None:
    """Run all to their ends, and one beside them. What the first raises cancels the others."""
    watch = asyncio.create_task(beside)
    tasks = [asyncio.create_task(coroutine) for coroutine in work]
    try:
        while not (all(task.done() for task in tasks) or watch.done()):
            running = {watch, *(task for task in tasks if not task.done())}
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        for task in (watch, *tasks):
            task.cancel()
        await asyncio.wait((watch, *tasks))

"""One worker of a segment: the compiled loops, with counters, exits and state of its own.

`kernel` shows what the loops look like. What each stage received is worked out when the counts
are harvested: it is what the stage before it emitted.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from minigun_py.contexts.context import Harvest, ItemFailure, Post, StageCounts
from minigun_py.contexts.event_loop import EventLoop
from minigun_py.engine.current import WORKER_GLOBAL, Current, entered
from minigun_py.engine.failure import Action, decide
from minigun_py.engine.worker_state import WorkerState
from minigun_py.errors import WorkerDied
from minigun_py.plan.signature import Shape
from minigun_py.plan.stage import Consumer

if TYPE_CHECKING:
    from minigun_py.engine.kernel import SegmentKernel

__all__ = ["BoundCoroutineSegment", "BoundSegment"]


class _Bound:
    """The compiled loops with the counters and exits of one worker."""

    def __init__(
        self,
        kernel: SegmentKernel,
        exits: Sequence[Any],
        post: Post,
        state: WorkerState | None = None,
    ) -> None:
        self._kernel, self._exits, self._post = kernel, exits, post
        self._state = state or WorkerState(kernel.segment.stages)
        count = len(kernel.stages)
        self._nones, self._emitted, self._failed = [0] * count, [0] * count, [0] * count
        self._cancelled = [0] * count
        self._failures: list[ItemFailure] = []
        self._seconds = 0.0
        self._items: Iterable[Any] = ()
        self._where: Callable[[], int] | None = None
        self._stopped = self._running = False
        self._event_loop = EventLoop()

    @property
    def sets_up(self) -> bool:
        """Whether it runs no item, but a setup or a teardown."""
        return self._state.stage is not None

    def current_at(self, line: int | None) -> Current:
        """What `current()` gives on a line of the loops, or in a setup."""
        return self.current_in(self._kernel.loops.stage_at(line))

    def current_in(self, index: int) -> Current:
        """What `current()` gives in a stage, or in a setup."""
        name = self._state.stage or self._kernel.stages[index]
        control = self._post.control
        return Current(name, self._post.worker, 1, control.cancel, control.drain)

    @contextmanager
    def _timed(self, items: Iterable[Any]) -> Iterator[None]:
        clock = self._kernel.clock
        began = clock.now()
        self._running = True
        self._items, self._iterator = items, iter(items)
        try:
            with entered(self):
                yield
        except _Stopped:
            self._stopped = True
        finally:
            self._running = False
            self._seconds += clock.now() - began

    def harvest(self, received: int) -> Harvest:
        """Outputs, counts and failures since the last harvest."""
        if self._stopped and self._where is not None:  # nobody else knows how many were left
            self._cancelled[0] += received - self._where() - 1
        outputs = [self._take(way_out) for way_out in self._exits]
        harvest = Harvest(outputs, self._counts(received), self._failures, self._seconds)
        self._failures, self._seconds, self._stopped = [], 0.0, False
        for counter in (self._nones, self._emitted, self._failed, self._cancelled):
            counter[:] = [0] * len(counter)
        return harvest

    def _take(self, way_out: Any) -> list[Any]:
        if not isinstance(way_out, list):
            return []
        outputs = way_out[:]
        way_out.clear()
        return outputs

    def _counts(self, received: int) -> list[StageCounts]:
        segment = self._kernel.segment
        counts = [StageCounts() for _ in segment.stages]
        counts[0].received = received
        for index, stage in enumerate(segment.stages):
            mine, nones = counts[index], self._nones[index]
            mine.failed, mine.cancelled = self._failed[index], self._cancelled[index]
            if index == 0 and segment.is_source:
                mine.emitted = self._emitted[0]
            else:
                ended_well = mine.received - mine.failed - mine.cancelled
                tells = self._kernel.loops.tells_emitted[index]
                mine.emitted = self._emitted[index] if tells else ended_well - nones
                mine.filtered = 0 if isinstance(stage, Consumer) else nones
                mine.completed = ended_well - mine.filtered
            for child in segment.children[index]:
                counts[child].received = mine.emitted
        return counts

    def _build(self) -> Callable[[Iterable[Any]], Any]:
        kernel = self._kernel
        names: dict[str, Any] = {"nones": self._nones, "emitted": self._emitted}
        names[WORKER_GLOBAL] = self
        for index in range(len(kernel.stages)):
            if not (index == 0 and kernel.segment.is_source):
                names[f"call_{index}"] = self._call(index)
        for stage_index, way_out in zip(kernel.exit_stages, self._exits, strict=True):
            names[f"append_{stage_index}"] = way_out.append
            names[f"extend_{stage_index}"] = way_out.extend
        for loop in range(len(kernel.loops.blame)):
            names[f"blame_{loop}"] = self._blamer(loop)
        exec(kernel.loops.code, names)
        top: Callable[[Iterable[Any]], Any] = names["loop_0"]
        return top

    def _call(self, index: int) -> Callable[..., Any]:
        """How the loops call a stage: with its state, and run to its end where it has to be."""
        shape: Shape = self._kernel.segment.stages[index].shape  # type: ignore[attr-defined]
        call = shape.call
        if shape.takes_state:
            call = partial(call, state=self._state.values[index])
        if not shape.coroutine or (index == 0 and self._kernel.segment.is_source):
            return call
        if self._kernel.awaits:
            return partial(_await_in, _Stage(self, index), call) if index else call
        return partial(_run_in, _Stage(self, index), self._event_loop, call)

    def _blamer(self, loop: int) -> Callable[..., bool]:
        """What a loop calls with an error, its values and its iterator. True: it has to end."""
        loops = self._kernel.loops
        lines, calls, heads = loops.blame[loop], loops.calls[loop], loops.heads[loop]

        def blame(error: BaseException, values: tuple[Any, ...], rest: Iterator[Any]) -> bool:
            frame = error.__traceback__
            assert frame is not None
            index, position = lines.get(frame.tb_lineno, (None, 0))
            if _is_stray_cancel(error):
                error = _as_failure(error)
            if index is not None and isinstance(error, Exception | SystemExit):
                item = values[position] if position >= 0 else None
                if not self._fail(index, item, error.with_traceback(frame.tb_next)):
                    return position < 0
                error = _Stopped()
            elif index is not None and position >= 0:
                self._cancelled[index] += 1
            if frame.tb_lineno in calls:  # the branches after this one never began
                for line, stage in calls.items():
                    self._cancelled[stage] += line > frame.tb_lineno
            for head in heads:
                self._cancelled[head] += operator.length_hint(rest)
            raise error

        return blame

    def _fail(self, index: int, item: Any, error: Exception | SystemExit) -> bool:
        """Note a failure. True if it ends the run."""
        if isinstance(error, SystemExit):
            error = _as_death(error)
        self._failed[index] += 1
        name = self._kernel.stages[index]
        self._failures.append(ItemFailure(name, self._place(), item, error))
        return decide(self._kernel.policies[index], error) is Action.FAIL

    def _place(self) -> int:
        """The index of the running item in what `run` was given."""
        if self._where is not None:
            return self._where()
        if isinstance(self._items, list | tuple):
            return len(self._items) - operator.length_hint(self._iterator) - 1
        return 0


class BoundSegment(_Bound):
    """A worker that calls its stages. A coroutine stage is run to its end for each item."""

    def open(self) -> None:
        """Set up what the stages want."""
        with entered(self):
            self._state.open(self._event_loop)
        self._loop = self._build()

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

    @property
    def source_call(self) -> Callable[..., Any]:
        """Of a source: what gives its items, with its state."""
        return self._call(0)

    def iterate(self, items: Any) -> Iterator[Any]:
        """Of an asynchronous source: its items, one after the other."""
        return self._event_loop.iterate(items)

    def wait_for(self, coroutine: Any) -> Any:
        """Of an asynchronous source: run it to its end."""
        return self._event_loop.run(coroutine)

    def run(self, items: Iterable[Any], where: Callable[[], int] | None = None) -> None:
        """Run every item through the stages.

        `where` tells the index of the running item; not needed for a list or a tuple.
        """
        if self._running:
            self._run_pushed(items)
            return
        self._where = where
        with self._timed(items):
            self._loop(self._iterator)

    def _run_pushed(self, items: Iterable[Any]) -> None:
        """Run what a source pushes while it is itself run. A stop goes up through the source."""
        if self._stopped:
            raise _Stopped
        try:
            self._loop(items)
        except _Stopped:
            self._stopped = True
            raise

    def finish(self) -> None:
        """Nothing is held between items."""


class BoundCoroutineSegment(_Bound):
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
        with self._timed(items):
            await self._loop(self._iterator)

    _loop: Callable[..., Any] | None = None


class _Stage:
    """A worker in one of its stages, for code that the stack of its loops does not lead to."""

    def __init__(self, worker: _Bound, index: int) -> None:
        self._worker, self._index = worker, index

    sets_up = False

    def current_at(self, line: int | None) -> Current:
        """The stage, whatever the line."""
        return self._worker.current_in(self._index)


def _run_in(stage: _Stage, loop: EventLoop, call: Callable[..., Any], item: Any) -> Any:
    with entered(stage):
        return loop.run(call(item))


async def _await_in(stage: _Stage, call: Callable[..., Any], item: Any) -> Any:
    with entered(stage):
        return await call(item)


class _Stopped(BaseException):
    """Unwinds the loops after a failure that ends the run."""


def _is_stray_cancel(error: BaseException) -> bool:
    """Whether a stage raised CancelledError although nobody cancels the task that runs it."""
    asyncio = sys.modules.get("asyncio")  # without it there is no such error
    if asyncio is None or not isinstance(error, asyncio.CancelledError):
        return False
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return True
    return task is None or task.cancelling() == 0


def _as_failure(error: BaseException) -> Exception:
    failure = RuntimeError("the stage raised CancelledError, and nobody had cancelled it")
    failure.__cause__ = error
    return failure.with_traceback(error.__traceback__)


def _as_death(error: SystemExit) -> WorkerDied:
    code = error.code
    status = code if isinstance(code, int) else int(code is not None)
    died = WorkerDied(f"the stage called sys.exit({code!r})", status)
    died.__cause__ = error
    return died

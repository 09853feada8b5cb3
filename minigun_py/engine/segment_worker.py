"""What every worker of a segment has: the compiled loops, with counters, exits and a state.

`kernel` shows what the loops look like.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from minigun_py.contexts.answer import Harvest, ItemFailure
from minigun_py.contexts.event_loop import EventLoop
from minigun_py.contexts.kernel import Post, PutOut
from minigun_py.emission import WORKER_GLOBAL, Target
from minigun_py.engine.current import Current, enter, entered
from minigun_py.engine.dealing import await_and_deal, call_and_deal, dealt, nothing
from minigun_py.engine.emitted import Emitter
from minigun_py.engine.in_time import within
from minigun_py.engine.large_outputs import LargeOutputs
from minigun_py.engine.loops import Loops
from minigun_py.engine.router import Router, undeclared
from minigun_py.engine.sabotage import sabotaged
from minigun_py.engine.shares import Shares
from minigun_py.engine.stray_errors import as_death, as_failure, is_stray_cancel
from minigun_py.engine.tally import counted, tallies
from minigun_py.engine.worker_state import WorkerState
from minigun_py.errors import UsageError

if TYPE_CHECKING:
    from minigun_py.engine.kernel import SegmentKernel

__all__ = ["Given", "SegmentWorker", "Stopped"]


class SegmentWorker:
    """The compiled loops with the counters and exits of one worker. How they run is for others."""

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
        self._cancelled, self._usual = [0] * count, [0] * count
        self._drawn = [0]
        self.attempt = 1
        self._tallies = tallies(kernel.segment, kernel.loops)
        self._by_stage = self._nones, self._emitted, self._failed, self._cancelled, self._usual
        all_counters = (*self._by_stage, self._drawn)
        self._counters = [(counter, (0,) * len(counter)) for counter in all_counters]
        self._routers = self._made_routers()
        self._failures: list[ItemFailure] = []
        self._seconds = self._began = 0.0
        self._items: Iterable[Any] = ()
        self._where: Callable[[], int] | None = None
        self._stopped = self._running = False
        self._event_loop = EventLoop()
        self._large = LargeOutputs(exits)
        if kernel.rules.shares:
            self._shares = Shares(self._large.lengths, self._state.kept)

    _shares: Shares | None = None

    @property
    def sets_up(self) -> bool:
        """Whether it runs no item, but a setup or a teardown."""
        return self._state.stage is not None

    def current_at(self, line: int | None) -> Current:
        """What `current()` gives on a line of the loops, or in a setup."""
        return self.current_in(self._kernel.loops.stage_at(line))

    def current_in(self, index: int) -> Current:
        """What `current()` gives in a stage, or in a setup."""
        name, control = self._state.stage or self._kernel.stages[index], self._post.control
        attempt = self._attempt_in(index)
        return Current(name, self._post.worker, attempt, control.cancel, control.drain)

    def _attempt_in(self, index: int) -> int:
        """How often the running item is run by a stage by now."""
        return self.attempt if index == 0 else 1

    def _timed(self, items: Iterable[Any]) -> _Timed:
        """What is done meanwhile is work on these items, and a failure may stop it."""
        self._items, self._iterator = items, iter(items)
        return _Timed(self)

    def _pause(self) -> None:
        """Let the time that follows count for nothing."""
        self._seconds += self._kernel.clock.now() - self._began

    def _resume(self) -> None:
        """Let the time that follows count as time in the stages."""
        self._began = self._kernel.clock.now()

    def harvest(self, received: int) -> Harvest:
        """Outputs, counts and failures since the last harvest."""
        if self._stopped and self._where is not None:  # nobody else knows how many were left
            self._cancelled[0] += received - self._where() - 1
        kept = self._state.kept
        finished = [] if kept is None else kept.tell(received)
        shares = [] if self._shares is None else self._shares.take(finished)
        outputs = self._large.take()
        counts = counted(self._tallies, received, *self._by_stage)
        harvest = Harvest(
            outputs, counts, self._failures, self._seconds, 0, [], self._due(), shares
        )
        if kept is not None:
            harvest.finished = [s for share in shares for s in share[0]] if shares else finished
            harvest.held = kept.held
        self._failures, self._seconds, self._stopped = [], 0.0, False
        for counter, nothing_yet in self._counters:
            counter[:] = nothing_yet
        return harvest

    @property
    def drawn(self) -> int:
        """Of a source: the items that it gave since the last harvest."""
        return self._drawn[0] if self._kernel.segment.is_routed(0) else self._emitted[0]

    def _build(self) -> Callable[[Iterable[Any]], Any]:
        kernel = self._kernel
        names = self._names(kernel.loops, self)
        for way_out, sink in zip(kernel.exits, self._exits, strict=True):
            if not way_out.references:
                names[f"append_{way_out.stage}"] = sink.append
                names[f"extend_{way_out.stage}"] = sink.extend
                names[f"large_{way_out.stage}"] = partial(self._large.put_out, sink)
        exec(kernel.loops.code, names)
        self._collect: Callable[[Iterable[Any]], list[Any]] = names["collect"]
        top: Callable[[Iterable[Any]], Any] = names["loop_0"]
        return top

    def _names(self, loops: Loops, worker: Any) -> dict[str, Any]:
        """What loops refer to. `worker` is whom they show on the stack."""
        names: dict[str, Any] = {"nones": self._nones, "emitted": self._emitted}
        names |= {"usual": self._usual, "drawn": self._drawn, WORKER_GLOBAL: worker}
        for index in range(len(self._kernel.stages)):
            names[f"call_{index}"] = self._call_in_loop(index)
            names[f"large_{index}"] = self._large.on_its_way
        for loop in range(len(loops.blame)):
            names[f"blame_{loop}"] = self._blamer(loops, loop)
        return names

    def _call_in_loop(self, index: int) -> Callable[..., Any]:
        """What the loops call for a stage: its outputs are dealt where it says where they go."""
        router, segment = self._routers.get(index), self._kernel.segment
        if index == 0 and (segment.is_source or segment.head.pulls):
            return nothing if router is None else partial(dealt, router)
        call = self._call(index)
        if router is None or self._kernel.streams:
            return call
        many = self._state.actors[index].shape.many
        deal = partial(self._large.dealt, router) if many else router.deal
        return partial(await_and_deal if self._kernel.awaits else call_and_deal, deal, call, many)

    def _call(self, index: int) -> Callable[..., Any]:
        """How a stage is called: with its state, and run to its end where it has to be."""
        shape = self._state.actors[index].shape
        call = shape.function if index in self._kernel.gathered else shape.call
        assert call is not None
        if self._kernel.streams:
            call = partial(call, **self._ways_to_leave())
        if shape.takes_state:
            call = partial(call, state=self._state.values[index])
        rules = self._kernel.rules
        deeds = rules.deeds.get(self._kernel.stages[index])
        if deeds:
            attempt = partial(self._attempt_in, index)
            call = sabotaged(deeds, rules.lethal, attempt, call, shape.coroutine)
        if index == 0 and rules.looks_at_time and rules.timeout is not None:
            call = within(rules.timeout, call, shape.coroutine, self._kernel.clock)
        if not shape.coroutine or (index == 0 and self._kernel.segment.is_source):
            return call
        if self._kernel.awaits:
            return partial(_await_in, _Stage(self, index), call) if index else call
        return partial(_run_in, _Stage(self, index), self._event_loop, call)

    def _ways_to_leave(self) -> dict[str, Callable[..., Any]]:
        """What a stage is called with, to have its outputs leave at once."""
        raise NotImplementedError

    def _emitter(self) -> Emitter:
        """What lets outputs of the first stage leave at once."""
        exits = list(zip(self._kernel.exits, self._exits, strict=True))
        return Emitter(self._routers.get(0), exits, self._emitted, self._usual, self)

    put_out: PutOut
    """Has outputs leave by an exit, where they leave at once."""

    def _made_routers(self) -> dict[int, Router]:
        segment, routers = self._kernel.segment, {}
        ways = list(zip(self._kernel.exits, self._exits, strict=True))
        for index, stage in enumerate(segment.stages):
            if segment.is_routed(index):
                named = [(way, sink) for way, sink in ways if way.stage == index and way.references]
                flows = bool(segment.children[index]) or any(
                    way.stage == index and not way.references for way in segment.exits
                )
                routers[index] = Router(stage, named, flows)
        return routers

    def check_targets(self, line: int, targets: Sequence[Target]) -> None:
        """Raise `UsageError` if what runs on a line of the loops may not send there."""
        self.check_targets_of(self._kernel.loops.stage_at(line), targets)

    def check_targets_of(self, index: int, targets: Sequence[Target]) -> None:
        """Raise `UsageError` if a stage may not send there."""
        router = self._routers.get(index)
        for target in targets:
            if router is None or not router.knows(target):
                raise undeclared(self._kernel.segment.stages[index], target)

    def _due(self) -> float | None:
        return None

    def _blamer(self, loops: Loops, loop: int) -> Callable[..., bool]:
        """What a loop calls with an error, its values and its iterator. True: it has to end."""
        lines, calls, heads = loops.blame[loop], loops.calls[loop], loops.heads[loop]

        def blame(error: BaseException, values: tuple[Any, ...], rest: Iterator[Any]) -> bool:
            frame = error.__traceback__
            assert frame is not None
            index, position = lines.get(frame.tb_lineno, (None, 0))
            if is_stray_cancel(error):
                error = as_failure(error)
            if index is not None and isinstance(error, Exception | SystemExit):
                item = values[position] if position >= 0 else None
                if not self._fail(index, item, error.with_traceback(frame.tb_next)):
                    return position < 0
                error = Stopped()
            elif index is not None and position >= 0:
                self._cancelled[index] += 1
            for stage in calls.get(frame.tb_lineno, ()):  # the branches that never began
                self._cancelled[stage] += 1
            for head in heads:
                self._cancelled[head] += operator.length_hint(rest)
            try:
                raise error
            finally:
                del error, values, rest  # else the error would keep its own frame, and the items

        return blame

    def _fail(self, index: int, item: Any, error: Exception | SystemExit) -> bool:
        """Note a failure. True if it ends the run."""
        if isinstance(error, SystemExit):
            error = as_death(error)
        self._failed[index] += 1
        if index == 0 and self._state.kept is not None:
            self._state.kept.failed()
        name = self._kernel.stages[index]
        self._failures.append(ItemFailure(name, self._place(), item, error))
        return isinstance(error, UsageError) or not self._kernel.goes_on[index]

    def _place(self) -> int:
        """The index of the running item in what `run` was given."""
        if self._where is not None:
            return self._where()
        if isinstance(self._items, list | tuple):
            return len(self._items) - operator.length_hint(self._iterator) - 1
        return 0


class _Stage:
    """A worker in one of its stages, for code that the stack of its loops does not lead to."""

    def __init__(self, worker: SegmentWorker, index: int) -> None:
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


class _Timed:
    """Counts the time of a worker. Entered for every chunk, so it is no generator."""

    __slots__ = ("_before", "_worker")

    def __init__(self, worker: SegmentWorker) -> None:
        self._worker = worker

    def __enter__(self) -> None:
        self._worker._resume()  # noqa: SLF001 - a part of it
        self._worker._running = True  # noqa: SLF001
        self._before = enter(self._worker)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        enter(self._before)
        self._worker._running = False  # noqa: SLF001
        self._worker._pause()  # noqa: SLF001
        if kind is Stopped:
            self._worker._stopped = True  # noqa: SLF001
        return kind is Stopped


class Given:
    """Stands for an item: values that a stage gave when it was flushed, or when it was time."""

    __slots__ = ("values",)

    def __init__(self, values: list[Any]) -> None:
        self.values = values


class Stopped(BaseException):
    """Unwinds the loops after a failure that ends the run."""

"""Small kernels for contexts to run, and a stream of leases for them to run on."""

from __future__ import annotations

import contextlib
import inspect
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from contract.gate import LIMIT
from minigun_py.contexts.answer import (
    Answer,
    Broken,
    Died,
    Done,
    Harvest,
    ItemFailure,
    Lease,
    Returned,
    StageCounts,
    Vanished,
)
from minigun_py.contexts.kernel import Control, Post, Turns
from minigun_py.errors import ChannelAborted, EndOfChannel, WouldBlock

__all__ = ["AttemptKernel", "ChainKernel", "HoldingKernel", "Leases"]


class ChainKernel:
    """Functions of one value, one after the other, with an exit at the end."""

    holds = streams = False
    forwards: Mapping[int, int] = {}
    timeout: float | None = None
    max_rss: int | None = None
    tells_attempt = False

    def __init__(self, **functions: Callable[[Any], Any]) -> None:
        self.by_name = functions
        self.functions = tuple(functions.values())
        self.stages = tuple(functions)
        self.exit_stages = (len(functions) - 1,)
        self.control = Control()

    def __reduce__(self) -> tuple[Any, ...]:
        return _chain, (type(self), self.by_name)

    def bind(self, exits: Sequence[Any] | None = None, post: Post | None = None) -> BoundChain:
        return BoundChain(self.by_name, self.tells_attempt)

    def bind_coroutines(self, post: Post) -> BoundCoroutineChain:
        return BoundCoroutineChain(self.by_name, self.tells_attempt)


class LimitedKernel(ChainKernel):
    """The same with a time limit for each item."""

    timeout = 0.5


class LargeKernel(ChainKernel):
    """The same in workers that are too large from the first."""

    max_rss = 1


class AttemptKernel(ChainKernel):
    """The same; beside each value it tells the attempt."""

    tells_attempt = True


def _chain(kind: type[ChainKernel], functions: dict[str, Callable[[Any], Any]]) -> ChainKernel:
    return kind(**functions)


class _Bound:
    """A chain with the results of one worker."""

    attempt = 1

    def __init__(
        self, functions: dict[str, Callable[[Any], Any]], tells_attempt: bool = False
    ) -> None:
        self._functions, self._tells_attempt = functions, tells_attempt
        self._begin()

    def harvest(self, received: int) -> Harvest:
        harvest = Harvest([self._outputs], list(self._counts.values()), self._failures, 0.001)
        self._begin()
        return harvest

    async def _run_one(self, index: int, value: Any) -> None:
        for name, function in self._functions.items():
            counts = self._counts[name]
            counts.received += 1
            try:
                result = function(value)
                if inspect.iscoroutine(result):
                    result = await result
            except Exception as error:
                counts.failed += 1
                self._failures.append(ItemFailure(name, index, value, error))
                return
            counts.completed += 1
            counts.emitted += 1
            value = result
        self._outputs.append((value, self.attempt) if self._tells_attempt else value)

    def _begin(self) -> None:
        self._outputs: list[Any] = []
        self._failures: list[ItemFailure] = []
        self._counts = {name: StageCounts() for name in self._functions}


class BoundChain(_Bound):
    """A chain of plain functions, and its worker."""

    def open(self) -> None:
        """Nothing is set up."""

    def close(self) -> None:
        """Nothing was set up."""

    def work(self, turns: Turns) -> None:
        while (items := turns.next()) is not None:
            self.attempt = turns.attempt
            self.run(items)

    def run(self, items: Iterable[Any]) -> None:
        for index, item in enumerate(items):
            with contextlib.suppress(StopIteration):  # how a coroutine that never awaits ends
                self._run_one(index, item).send(None)


class BoundCoroutineChain(_Bound):
    """A chain of coroutine functions, on a loop."""

    async def open(self) -> None:
        """Nothing is set up."""

    async def close(self) -> None:
        """Nothing was set up."""

    def twin(self, post: Post) -> BoundCoroutineChain:
        return BoundCoroutineChain(self._functions, self._tells_attempt)

    async def run(self, items: Sequence[Any]) -> None:
        for index, item in enumerate(items):
            await self._run_one(index, item)

    async def finish(self) -> None:
        """Nothing is held."""


def _same(item: Any) -> Any:
    return item


class HoldingKernel:
    """Holds what it made of items until it is told to emit; then each with the worker's number."""

    stages = ("hold",)
    exit_stages = (0,)
    holds, streams = True, False
    forwards: Mapping[int, int] = {}
    timeout = None
    max_rss: int | None = None

    def __init__(self, function: Callable[[Any], Any] = _same, due: float | None = None) -> None:
        self.function, self.due = function, due
        self.functions = (function,)
        self.control = Control()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.function, self.due)

    def bind(self, exits: Sequence[Any] | None = None, post: Post | None = None) -> BoundHolding:
        return BoundHolding(self, post or Post(), [])

    def bind_coroutines(self, post: Post) -> BoundCoroutineHolding:
        return BoundCoroutineHolding(self, post, [])


class LargeHoldingKernel(HoldingKernel):
    """The same in workers that are too large from the first."""

    max_rss = 1


class _Holding:
    """What one worker has taken in; `held` may be that of others too."""

    attempt = 1

    def __init__(self, kernel: HoldingKernel, post: Post, held: list[Any]) -> None:
        self._kernel, self._post, self._held = kernel, post, held
        self._outputs: list[Any] = []
        self._taken = 0
        self._finished: list[range] = []

    def harvest(self, received: int) -> Harvest:
        outputs, self._outputs = self._outputs, []
        counts = StageCounts(received=received, completed=received, emitted=len(outputs))
        finished, held = [*self._finished, range(self._taken, received)], len(self._held)
        self._taken, self._finished = 0, []
        return Harvest([outputs], [counts], [], 0.001, held, finished, self._kernel.due)

    def _take(self, item: Any) -> None:
        self._held.append(self._kernel.function(item))
        self._taken += 1

    def _emit(self) -> None:
        self._finished.append(range(self._taken - len(self._held), self._taken))
        self._outputs += [(self._post.worker, item) for item in self._held]
        self._held.clear()


class BoundHolding(_Holding):
    """A worker that holds."""

    def open(self) -> None:
        """Nothing is set up."""

    def close(self) -> None:
        """Nothing was set up."""

    def work(self, turns: Turns) -> None:
        while (items := turns.next()) is not None:
            for item in items:
                self._take(item)
            if turns.flush:
                self._emit()
        self._emit()


class BoundCoroutineHolding(_Holding):
    """The same on a loop, where all tasks hold together."""

    async def open(self) -> None:
        """Nothing is set up."""

    async def close(self) -> None:
        """Nothing was set up."""

    def twin(self, post: Post) -> BoundCoroutineHolding:
        return BoundCoroutineHolding(self._kernel, post, self._held)

    async def run(self, items: Sequence[Any]) -> None:
        for item in items:
            self._take(item)

    async def finish(self) -> None:
        self._emit()


class Leases:
    """A list as a stream of leases. It ends when all are answered, as a worker group's does.

    A lease that comes back is lent again, without the item that was to blame. With `holders`, a
    lease is for the worker that has got it and for no other, each of so many workers gets a last
    lease of its own, and what a worker has held is lent again when it has vanished; `together`,
    what they hold is held by all, and one of them gets the last lease.
    """

    def __init__(
        self, *chunks: list[Any], ended: bool = True, holders: int = 0, together: bool = False
    ) -> None:
        self._changed = threading.Condition()
        self._waiting = deque(Lease(place, items) for place, items in enumerate(chunks))
        self._bound = holders > 0 and not together
        self._last_for = {0} if together else set(range(1, holders + 1))
        self._together = together
        self._later: tuple[float, Lease] | None = None
        self._held: dict[int, list[Any]] = {}
        self.lent = tuple(self._waiting)
        self._places = len(chunks)
        self._out: list[Lease] = []
        self._again: list[Lease] = []
        self._ended = ended
        self._cut: str | None = None
        self._wakes: list[Callable[[], None]] = []
        self.answers: list[Answer] = []

    # ------------------------------------------------------------- for the context

    def receive(self, worker: int, most: int | None = None) -> Lease:
        with self._changed:
            while True:
                try:
                    return self._next(worker)
                except WouldBlock:
                    later = self.wait_time()
                    if not self._changed.wait(LIMIT if later is None else later) and later is None:
                        raise TimeoutError("no lease came, and no end") from None

    def receive_nowait(self, worker: int, most: int | None = None) -> Lease:
        with self._changed:
            return self._next(worker)

    @property
    def bound(self) -> bool:
        """Whether each worker has leases of its own."""
        return self._bound

    def wait_time(self) -> float | None:
        with self._changed:
            return None if self._later is None else max(0.0, self._later[0] - time.monotonic())

    def on_ready(self, wake: Callable[[], None]) -> None:
        with self._changed:
            self._wakes.append(wake)
        wake()

    has_room = True

    def wait_for_room(self) -> None:
        """There is."""

    def raise_if_cut(self) -> None:
        with self._changed:
            if self._cut is not None:
                raise ChannelAborted(self._cut)

    def answer(self, answer: Answer) -> None:
        with self._changed:
            self.answers.append(answer)
            match answer:
                case Done(lease, harvest):
                    self._out.remove(lease)
                    earlier = self._held.get(lease.worker, [])
                    gone = {len(earlier) + n for span in harvest.finished for n in span}
                    kept = [x for n, x in enumerate(earlier + lease.items) if n not in gone]
                    self._held[lease.worker] = kept
                case Died(lease, index):
                    lease.items = lease.items[:index] + lease.items[index + 1 :]
                    self._come_back(lease)
                case Returned(lease):
                    self._come_back(lease)
                case Vanished(worker):
                    held = Lease(self._next_place(), self._held.pop(worker, []), worker=worker)
                    self._again += [held] if held.items else []
                case Broken():
                    pass
            self._changed.notify_all()

    # ------------------------------------------------------------- for the test

    def end(self) -> None:
        """No other lease will come."""
        self._change(ended=True)

    def abort(self, reason: str) -> None:
        """Cut the stream."""
        self._change(cut=reason)

    def add_later(self, seconds: float, items: list[Any]) -> None:
        """Have a lease that is there when so many seconds have passed, of which nobody tells."""
        self._later = time.monotonic() + seconds, Lease(self._next_place(), items)

    def wait_for_answers(self, count: int) -> None:
        """Wait until so many answers have come."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.answers) >= count, LIMIT)

    @property
    def done(self) -> list[Done]:
        """The leases that were run to their ends."""
        return [answer for answer in self.answers if isinstance(answer, Done)]

    @property
    def outputs(self) -> list[Any]:
        """What came out, by the place of the lease."""
        harvests = sorted(self.done, key=lambda answer: answer.lease.place)
        return [value for answer in harvests for value in answer.harvest.outputs[0]]

    @property
    def failures(self) -> list[ItemFailure]:
        """What failed, in the order in which it was told."""
        return [failure for answer in self.done for failure in answer.harvest.failures]

    # ------------------------------------------------------------- inside

    def _next(self, worker: int) -> Lease:
        if self._cut is not None:
            raise ChannelAborted(self._cut)
        if self._later is not None and self._later[0] <= time.monotonic():
            self._waiting.append(self._later[1])
            self._later = None
        lease = self._lent_to(worker)
        if lease is not None:
            self._out.append(lease)
            return lease
        may_come = self._later is not None or any(map(self._is_for(worker), self._out))
        if not self._ended or may_come:
            raise WouldBlock("no lease now")
        return self._last_of(worker)

    def _lent_to(self, worker: int) -> Lease | None:
        """A lease for this worker, those first that have come back."""
        for lease in filter(self._is_for(worker), self._again):
            self._again.remove(lease)
            lease.worker = worker
            return lease
        if not self._waiting:
            return None
        lease = self._waiting.popleft()
        lease.worker = worker
        return lease

    def _last_of(self, worker: int) -> Lease:
        whose = 0 if self._together else worker
        if whose not in self._last_for:
            raise EndOfChannel("every lease is answered")
        self._last_for.remove(whose)
        last = Lease(self._next_place(), [], last=True, worker=worker)
        self._out.append(last)
        return last

    def _is_for(self, worker: int) -> Callable[[Lease], bool]:
        return lambda lease: not self._bound or lease.worker == worker

    def _come_back(self, lease: Lease) -> None:
        self._out.remove(lease)
        self._again.append(lease)

    def _next_place(self) -> int:
        self._places += 1
        return self._places

    def _change(self, *, ended: bool = False, cut: str | None = None) -> None:
        with self._changed:
            self._ended |= ended
            self._cut = cut or self._cut
            self._changed.notify_all()
            wakes = tuple(self._wakes)
        for wake in wakes:
            wake()

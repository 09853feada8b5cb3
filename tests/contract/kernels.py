"""Small kernels for contexts to run, and a stream of leases for them to run on."""

from __future__ import annotations

import contextlib
import inspect
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from contract.gate import LIMIT
from minigun_py.contexts.context import (
    Answer,
    Control,
    Died,
    Done,
    Harvest,
    ItemFailure,
    Lease,
    Post,
    Returned,
    StageCounts,
)
from minigun_py.errors import ChannelAborted, EndOfChannel, WouldBlock

__all__ = ["ChainKernel", "HoldingKernel", "Leases"]


class ChainKernel:
    """Functions of one value, one after the other, with an exit at the end."""

    holds = False
    due: float | None = None

    def __init__(self, **functions: Callable[[Any], Any]) -> None:
        self.by_name = functions
        self.functions = tuple(functions.values())
        self.stages = tuple(functions)
        self.exit_stages = (len(functions) - 1,)
        self.control = Control()

    def __reduce__(self) -> tuple[Any, ...]:
        return _chain, (self.by_name,)

    def bind(self, exits: Sequence[Any] | None = None, post: Post | None = None) -> BoundChain:
        return BoundChain(self.by_name)

    def bind_coroutines(self, post: Post) -> BoundCoroutineChain:
        return BoundCoroutineChain(self.by_name)


def _chain(functions: dict[str, Callable[[Any], Any]]) -> ChainKernel:
    return ChainKernel(**functions)


class _Bound:
    """A chain with the results of one worker."""

    def __init__(self, functions: dict[str, Callable[[Any], Any]]) -> None:
        self._functions = functions
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
        self._outputs.append(value)

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

    def run(self, items: Iterable[Any], where: Callable[[], int] | None = None) -> None:
        for index, item in enumerate(items):
            with contextlib.suppress(StopIteration):  # how a coroutine that never awaits ends
                self._run_one(index, item).send(None)

    def finish(self) -> None:
        """Nothing is held."""


class BoundCoroutineChain(_Bound):
    """A chain of coroutine functions, on a loop."""

    async def open(self) -> None:
        """Nothing is set up."""

    async def close(self) -> None:
        """Nothing was set up."""

    def twin(self, post: Post) -> BoundCoroutineChain:
        return BoundCoroutineChain(self._functions)

    async def run(self, items: Sequence[Any]) -> None:
        for index, item in enumerate(items):
            await self._run_one(index, item)


class HoldingKernel:
    """Holds every item until it is told to finish."""

    stages = ("hold",)
    exit_stages = (0,)
    holds = True
    due: float | None = None

    functions: tuple[Callable[..., Any], ...] = ()

    def __init__(self) -> None:
        self._held: list[Any] = []
        self._outputs: list[Any] = []
        self.control = Control()

    def __reduce__(self) -> tuple[Any, ...]:
        return HoldingKernel, ()

    def bind(self, exits: Sequence[Any] | None = None, post: Post | None = None) -> HoldingKernel:
        return self

    def bind_coroutines(self, post: Post) -> BoundCoroutineChain:
        raise NotImplementedError("what holds items runs on no loop")

    def open(self) -> None:
        """Nothing is set up."""

    def close(self) -> None:
        """Nothing was set up."""

    def run(self, items: Iterable[Any], where: Callable[[], int] | None = None) -> None:
        self._held.extend(items)

    def finish(self) -> None:
        self._outputs, self._held = self._held, []

    def harvest(self, received: int) -> Harvest:
        outputs, self._outputs = self._outputs, []
        counts = StageCounts(received=received, completed=received, emitted=len(outputs))
        return Harvest([outputs], [counts])


class Leases:
    """A list as a stream of leases. It ends when all are answered, as a worker group's does.

    A lease that comes back is lent again, without the item that was to blame.
    """

    def __init__(self, *chunks: list[Any], ended: bool = True) -> None:
        self._changed = threading.Condition()
        self._waiting = deque(Lease(place, items) for place, items in enumerate(chunks))
        self.lent = tuple(self._waiting)
        self._out = 0
        self._ended = ended
        self._cut: str | None = None
        self._wakes: list[Callable[[], None]] = []
        self.answers: list[Answer] = []

    # ------------------------------------------------------------- for the context

    def receive(self, most: int | None = None) -> Lease:
        with self._changed:
            while True:
                try:
                    return self._next()
                except WouldBlock:
                    if not self._changed.wait(LIMIT):
                        raise TimeoutError("no lease came, and no end") from None

    def receive_nowait(self, most: int | None = None) -> Lease:
        with self._changed:
            return self._next()

    def on_ready(self, wake: Callable[[], None]) -> None:
        with self._changed:
            self._wakes.append(wake)
        wake()

    def raise_if_cut(self) -> None:
        with self._changed:
            if self._cut is not None:
                raise ChannelAborted(self._cut)

    def answer(self, answer: Answer) -> None:
        with self._changed:
            self.answers.append(answer)
            self._out -= 1
            if isinstance(answer, Returned | Died):
                lease = answer.lease
                if isinstance(answer, Died):
                    lease.items = lease.items[: answer.index] + lease.items[answer.index + 1 :]
                self._waiting.append(lease)
            self._changed.notify_all()

    # ------------------------------------------------------------- for the test

    def end(self) -> None:
        """No other lease will come."""
        self._change(ended=True)

    def abort(self, reason: str) -> None:
        """Cut the stream."""
        self._change(cut=reason)

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

    def _next(self) -> Lease:
        if self._cut is not None:
            raise ChannelAborted(self._cut)
        if self._waiting:
            self._out += 1
            return self._waiting.popleft()
        if self._ended and not self._out:
            raise EndOfChannel("every lease is answered")
        raise WouldBlock("no lease now")

    def _change(self, *, ended: bool = False, cut: str | None = None) -> None:
        with self._changed:
            self._ended |= ended
            self._cut = cut or self._cut
            self._changed.notify_all()
            wakes = tuple(self._wakes)
        for wake in wakes:
            wake()

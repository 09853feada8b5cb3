"""Small kernels for contexts to run, and a stream of leases for them to run on."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from contract.gate import LIMIT
from minigun_py.contexts.context import (
    Answer,
    Died,
    Done,
    Harvest,
    ItemFailure,
    Lease,
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
        self.functions = functions
        self.stages = tuple(functions)
        self.exit_stages = (len(functions) - 1,)

    def bind(self, exits: Sequence[Any] | None = None) -> BoundChain:
        return BoundChain(self.functions)


class BoundChain:
    """A chain with the results of one worker."""

    def __init__(self, functions: dict[str, Callable[[Any], Any]]) -> None:
        self._functions = functions
        self._begin()

    def run(self, items: Iterable[Any], where: Callable[[], int] | None = None) -> None:
        for index, item in enumerate(items):
            self._run_one(index, item)

    def finish(self) -> None:
        """Nothing is held."""

    def harvest(self, received: int) -> Harvest:
        harvest = Harvest([self._outputs], list(self._counts.values()), self._failures, 0.001)
        self._begin()
        return harvest

    def _run_one(self, index: int, value: Any) -> None:
        for name, function in self._functions.items():
            counts = self._counts[name]
            counts.received += 1
            try:
                result = function(value)
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


class HoldingKernel:
    """Holds every item until it is told to finish."""

    stages = ("hold",)
    exit_stages = (0,)
    holds = True
    due: float | None = None

    def __init__(self) -> None:
        self._held: list[Any] = []
        self._outputs: list[Any] = []

    def bind(self, exits: Sequence[Any] | None = None) -> HoldingKernel:
        return self

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

    def receive(self) -> Lease:
        with self._changed:
            while True:
                try:
                    return self._next()
                except WouldBlock:
                    if not self._changed.wait(LIMIT):
                        raise TimeoutError("no lease came, and no end") from None

    def receive_nowait(self) -> Lease:
        with self._changed:
            return self._next()

    def on_ready(self, wake: Callable[[], None]) -> None:
        with self._changed:
            self._wakes.append(wake)
        wake()

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

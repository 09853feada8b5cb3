"""A source whose items are there already: the group behind it takes them itself.

Nothing is computed by drawing from a list or a range, so there is no thread that draws, no channel
between it and the group, and nobody who waits for the other. To the group it is an inbox that is
never empty and never full; the books are kept as if the items had been sent through one.

*Threads*: any thread takes. *Lock order*: the lock guards the iterator and what was drawn too much,
and is a leaf. Under it an item is asked for its size, which may be code of the user; the books, the
verdict and callbacks are told without it.
"""

from __future__ import annotations

import itertools
import operator
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from minigun_py.clock import Clock, Deadline
from minigun_py.contexts.answer import ItemFailure
from minigun_py.engine.ledger import Ledger
from minigun_py.engine.passive import is_there_already
from minigun_py.engine.provenance import bytes_of
from minigun_py.engine.verdict import Verdict
from minigun_py.errors import ChannelAborted, EndOfChannel
from minigun_py.plan.segment import Segment
from minigun_py.plan.stage import Producer
from minigun_py.primitives.channel import ChannelStatistics

__all__ = ["ReadySource", "ready_sources"]

UNKNOWN: Final = 1 << 30
"""Stands for the number of items that are left where there is no end."""


def ready_sources(segments: Sequence[Segment]) -> dict[str, Segment]:
    """The sources that can be taken from as they are, by the only segment that gets their items."""
    feeders: dict[str, list[Segment]] = {}
    for segment in segments:
        for way_out in (*segment.exits, *segment.dead_letters):
            for target in way_out.targets:
                feeders.setdefault(target, []).append(segment)
    return {
        target: feeder
        for target, (feeder, *others) in feeders.items()
        if not others and _is_ready(feeder)
    }


def _is_ready(segment: Segment) -> bool:
    head = segment.head
    return (
        isinstance(head, Producer)
        and not callable(head.source)
        and is_there_already(head.source)
        and head.options.rate is None
        and len(segment.stages) == 1
        and not segment.is_routed(0)
        and [len(way_out.targets) for way_out in segment.exits] == [1]
        and not segment.dead_letters
    )


class ReadySource:
    """The lane of such a source, and the inbox of the group behind it.

    Args:
        segment: The source.
        following: The group's segment, whose options bound how much is taken at once.
        ledger: Counts what was taken.
        verdict: Is told what drawing has raised, and of the end.
    """

    def __init__(
        self, segment: Segment, following: Segment, ledger: Ledger, verdict: Verdict
    ) -> None:
        assert isinstance(segment.head, Producer)
        assert not callable(segment.head.source)
        self.name, said = segment.head.name, following.head.options
        self._items: Iterable[Any] = segment.head.source
        self._iterator: Iterator[Any] | None = None
        self._capacity = said.queue_size
        self._most_bytes = said.queue_bytes
        self._ledger, self._verdict = ledger, verdict
        self._clock: Clock = verdict.clock
        self._lock = threading.Lock()
        self._too_much: list[Any] = []  # drawn, and not taken since it is too large
        self._taken = 0
        self._aborted: ChannelAborted | None = None
        self._over = threading.Event()  # set when no other item will be taken
        self._wake: Callable[[], None] | None = None

    # ------------------------------------------------------------- as a lane

    def run(self) -> None:
        """Wait until the last item was taken, or nobody wants another."""
        self._over.wait()  # ended by the end of the items, `drain`, `abort` or `close`
        self._verdict.stages_ended((self.name,))

    def drain(self) -> None:
        """Give no more."""
        self._over.set()
        self._call_wake()

    def kill(self, why: str) -> None:
        """Nothing: nothing runs here."""

    def cut(self, reason: object) -> None:
        """Give no more."""
        self._over.set()

    # ------------------------------------------------------------- as an inbox

    @property
    def ending(self) -> bool:
        """Whether the number of items that are left is known."""
        return self.waiting < UNKNOWN

    @property
    def waiting(self) -> int:
        """How many are left."""
        if self._over.is_set():
            return 0
        left = operator.length_hint(self._items if self._iterator is None else self._iterator, -1)
        return (UNKNOWN if left < 0 else left) + len(self._too_much)

    def receive_many(self, limit: int, *, deadline: Deadline | None = None) -> list[Any]:
        """Take items, which are there at once. Raises `EndOfChannel`, `ChannelAborted`."""
        return self.receive_many_nowait(limit)

    def receive_many_nowait(self, limit: int) -> list[Any]:
        """Take items. Raises `EndOfChannel`, `ChannelAborted`."""
        began, wrong = self._clock.now(), None
        with self._lock:
            self._raise_if_over()
            try:
                items = self._draw(limit)
            except Exception as error:
                items, wrong = self._rest(), error
            self._taken += len(items)
        seconds = self._clock.now() - began
        self._ledger.drawn(self.name, len(items), seconds, failed=int(wrong is not None))
        if wrong is not None:
            self._over.set()
            self._verdict.items_failed([ItemFailure(self.name, 0, None, wrong)])
        if not items:
            self._over.set()
            raise EndOfChannel("every item was taken")
        return items

    def on_ready(self, wake: Callable[[], None]) -> None:
        """Have `wake` called: items are there. And once more at the end."""
        self._wake = wake
        self._call_wake()

    def abort(self, reason: object = None) -> None:
        """Cut the stream."""
        with self._lock:
            if self._aborted is None:
                self._aborted = ChannelAborted(reason)
        self._over.set()
        self._call_wake()

    def close(self) -> None:
        """Take no more."""
        self._over.set()

    def statistics(self) -> ChannelStatistics:
        """As of a channel through which all would have gone that was taken."""
        return ChannelStatistics(
            waiting=0,
            capacity=self._capacity,
            senders=int(not self._over.is_set()),
            receivers=1,
            sent=self._taken,
            received=self._taken,
            discarded=0,
            peak=0,
            blocked_seconds=0.0,
            starved_seconds=0.0,
        )

    # ------------------------------------------------------------- inside

    def _raise_if_over(self) -> None:
        if self._aborted is not None:
            raise self._aborted
        if self._over.is_set():
            raise EndOfChannel("nothing more is taken")

    def _draw(self, limit: int) -> list[Any]:
        """The next items, no more than the channel would hold."""
        if self._iterator is None:
            self._iterator = iter(self._items)
        items = self._too_much
        limit = min(limit, self._capacity)
        items.extend(itertools.islice(self._iterator, max(0, limit - len(items))))
        fitting = min(limit, self._fitting(items))
        self._too_much = items[fitting:]
        del items[fitting:]
        return items

    def _fitting(self, items: list[Any]) -> int:
        """How many of them a channel would hold at once. While the outer two are small: all."""
        if len(items) <= 1:
            return len(items)
        ends = [bytes_of(item) for item in (*items[:1], *items[-1:])]
        if max(ends, default=0) * len(items) <= self._most_bytes:
            return len(items)
        sums = itertools.accumulate(map(bytes_of, items))
        return max(1, sum(1 for _ in itertools.takewhile(self._most_bytes.__ge__, sums)))

    def _rest(self) -> list[Any]:
        """What was drawn before an error."""
        items, self._too_much = self._too_much, []
        return items

    def _call_wake(self) -> None:
        if self._wake is not None:
            self._wake()

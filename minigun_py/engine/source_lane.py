"""Draws items from a producer and runs them through its segment.

The exits of a source are the channels themselves: an item is downstream before the next one is
drawn, so a source that pauses strands nothing, and a full channel stops the source at once.

*Threads*: `run` is called by one thread; `drain` from any.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from minigun_py.contexts.answer import Harvest
from minigun_py.engine.bound_source import BoundSource
from minigun_py.engine.chunking import ChunkSizer
from minigun_py.engine.dead_letters import LetterBoxes
from minigun_py.engine.kernel import SegmentKernel
from minigun_py.engine.ledger import Ledger
from minigun_py.engine.outbox import Exitway
from minigun_py.engine.pace import Pace
from minigun_py.engine.passive import is_passive
from minigun_py.engine.verdict import Verdict
from minigun_py.errors import ChannelAborted
from minigun_py.plan.segment import Segment
from minigun_py.plan.stage import Producer
from minigun_py.primitives.spool import Values

if TYPE_CHECKING:
    from minigun_py.engine.tracked_source import TrackedSource

__all__ = ["Source", "SourceLane"]

BETWEEN_ENTRIES: Final = 0.02
"""Seconds of drawing, about, after which the books are kept and it is seen whether to go on. Items
do not wait for that; but whoever is woken by one waits for the thread that does it."""


class Source:
    """A producer with the bound kernel of its segment, drawn from step by step."""

    def __init__(
        self,
        segment: Segment,
        kernel: SegmentKernel,
        exits: Sequence[Any] | None,
        tracked: TrackedSource | None = None,
    ) -> None:
        worker = kernel.bind(exits)
        assert isinstance(worker, BoundSource)
        self._kernel, self._tracked = worker, tracked
        self._gate: list[None] = []
        assert isinstance(segment.head, Producer)
        self._shape = segment.head.shape
        self._items: Iterator[Any] | None = None
        alone = len(segment.stages) == 1 and not segment.is_routed(0)
        self._hands_on = alone and tracked is None
        self.ended = False

    @property
    def pushes(self) -> bool:
        """Whether it emits through ``output`` and so cannot be drawn from step by step."""
        return self._shape.pushes

    def draw(self, count: int) -> Harvest:
        """Draw up to `count` items and run each through the segment before the next is drawn."""
        if self.pushes:
            return self._push()
        if self._hands_on and self._items is not None and is_passive(self._items):
            return self._hand_on(self._items, count)
        drawn = self._drawn(count) if self._items is None else self._begun(self._items, count)
        self._kernel.run(drawn)
        if self._tracked is not None:
            self._tracked.release()
        self.ended = self._kernel.drawn < count
        return self._kernel.harvest(0)

    @property
    def may_give(self) -> bool:
        """Whether it can be drawn from by `give`: it has begun, and nobody tracks its items."""
        return self._items is not None and self._tracked is None

    def give(self, count: int) -> Iterator[list[Values]]:
        """As `draw`, but gives what comes of an item before the next is drawn; then the `rest`."""
        assert self._items is not None
        self.ended = yield from self._kernel.give(self._items, count)

    @property
    def may_flow(self) -> bool:
        """Whether outputs may flow."""
        return not self.ended and self._kernel.may_flow

    def flow(self, count: int) -> Iterator[Any]:
        """What comes of so many items, value by value. Then `flowed`, and then the `rest`."""
        assert self._items is not None
        self._gate, self._before = [None] * count, self._kernel.drawn
        return self._kernel.flow(self._items, self._gate)

    def flowed(self, seconds: float) -> None:
        """Note how long that took in the stages. Raises what has ended it."""
        gate, self._gate = self._gate, []
        self.ended = bool(gate) and self._kernel.drawn - self._before < len(gate)
        self._kernel.flowed(seconds)

    def halt(self) -> None:
        """Draw no other item for what flows now. From any thread."""
        self._gate.clear()

    @property
    def seconds(self) -> float:
        """The time in the stages since the last harvest."""
        return self._kernel.seconds

    def rest(self) -> Harvest:
        """What a draw that was cut had done by then; nothing after one that was whole."""
        return self._kernel.harvest(0)

    def open(self) -> None:
        """Set up what the stages want."""
        self._kernel.open()

    def close(self) -> None:
        """Let a generator run its ``finally`` now, in the thread that has drawn from it."""
        try:
            close = getattr(self._items, "close", None)
            if close is not None:
                with self._kernel.entered():
                    close()
        finally:
            self._kernel.close()

    def _drawn(self, count: int) -> Iterator[Any]:
        if self._items is None:  # an error here is the producer's
            given = self._kernel.source_call()
            self._items = self._kernel.iterate(given) if self._shape.coroutine else iter(given)
        yield from self._begun(self._items, count)

    def _begun(self, items: Iterable[Any], count: int | None) -> Iterator[Any]:
        """So many of the items, and only those that have to be run."""
        return islice(items if self._tracked is None else self._tracked.drawn(items), count)

    def _hand_on(self, items: Iterator[Any], count: int) -> Harvest:
        """Draw many at once, since nobody can tell, and put them out."""
        self._kernel.hand_on(items, count)
        self.ended = self._kernel.drawn < count
        return self._kernel.harvest(0)

    def _push(self) -> Harvest:
        def pushed() -> Iterator[Any]:
            result = self._kernel.source_call(
                lambda item: self._kernel.run(self._begun((item,), None))
            )
            if self._shape.coroutine:
                self._kernel.wait_for(result)
            yield from ()

        self.ended = True
        self._kernel.run(pushed())
        return self._kernel.harvest(0)


class SourceLane:
    """A source on a thread of its own, in a run with channels."""

    def __init__(
        self,
        segment: Segment,
        kernel: SegmentKernel,
        exits: list[Exitway],
        letter_exits: list[Exitway],
        ledger: Ledger,
        verdict: Verdict,
        tracked: TrackedSource | None = None,
    ) -> None:
        self.name = segment.head.name
        sinks: Sequence[Any] = exits
        if tracked is not None:
            sinks = tracked.exits(exits, [way_out.copies for way_out in exits])
        self._source = Source(segment, kernel, sinks, tracked)
        self._stages, self._exits = kernel.stages, exits
        self._letter_boxes, self._letter_exits = LetterBoxes(segment), letter_exits
        self._ledger, self._verdict = ledger, verdict
        self._draining = threading.Event()
        self._blocked = 0.0
        self._pace = Pace.of(segment.head.options.rate)
        most = [way_out.capacity() for way_out in exits]
        self._largest_chunk = min([segment.head.options.queue_size, *most])

    def run(self) -> None:
        """Draw until the source ends, the run drains, or it is cut."""
        try:
            self._draw_all()
        except ChannelAborted:
            pass  # the verdict knows why
        except BaseException as error:
            self._verdict.lane_failed(self.name, error)
        finally:
            for way_out in (*self._exits, *self._letter_exits):
                way_out.close()
            self._verdict.stages_ended(self._stages)

    def drain(self) -> None:
        """Draw no more."""
        self._draining.set()

    def kill(self, why: str) -> None:
        """Nothing: a source runs in a thread, which cannot be stopped by force."""

    def cut(self, reason: object) -> None:
        """Draw no more; the channels are aborted by now."""
        self._draining.set()

    def _note_blocked(self, harvest: Harvest) -> None:
        """Take the time in which there was no room downstream out of the time of the stages."""
        before, self._blocked = self._blocked, sum(way.blocked() for way in self._exits)
        blocked = min(self._blocked - before, harvest.seconds)
        harvest.seconds -= blocked
        self._ledger.waited(self.name, blocked=blocked)

    def _draw_all(self) -> None:
        fixed = 1 if self._pace.limits else None
        sizer = ChunkSizer(fixed, self._largest_chunk, BETWEEN_ENTRIES)
        try:
            self._source.open()
            while self._may_draw():
                harvest = self._source.draw(sizer.limit)
                self._note_blocked(harvest)
                sizer.measured(sizer.limit, harvest.seconds)
                self._settle(harvest)
        finally:
            self._settle(self._source.rest())
            self._source.close()

    def _may_draw(self) -> bool:
        """Wait for as long as the rate asks. False if nothing is to be drawn any more."""
        clock = self._verdict.clock
        while not self._pace.allowed(clock.now()):
            if self._draining.wait(self._pace.wait_time(clock.now())):
                return False
        self._pace.taken(clock.now())
        return not (self._source.ended or self._draining.is_set())

    def _settle(self, harvest: Harvest) -> None:
        self._ledger.harvested(self._stages, harvest)
        if harvest.failures:
            decided = self._verdict.items_failed(harvest.failures)
            letters = self._letter_boxes.sort(decided)
            for way_out, share in zip(self._letter_exits, letters, strict=True):
                way_out.extend(share)

"""The parts of an inline run: each is a segment with its one worker, taken forward bit by bit.

A `Step` can `accept` items, go on by `advance`, and say whether it has more to do. What a stage
has made of items is handed to the `Surface` of the run, which puts its outputs where they belong.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, Protocol

from minigun_py.contexts.answer import Harvest, Lease
from minigun_py.engine.bound_segment import BoundSegment
from minigun_py.engine.chunking import LARGEST_CHUNK, LARGEST_IN_PLACE, ChunkSizer
from minigun_py.engine.dead_letters import LetterBoxes
from minigun_py.engine.dispatch import Dispatch, dispatch_for
from minigun_py.engine.emitted import with_note
from minigun_py.engine.kept_items import KeptItems
from minigun_py.engine.kernel import SegmentKernel
from minigun_py.engine.latency import SHORTEST
from minigun_py.engine.pace import Pace
from minigun_py.engine.provenance import Provenance, origin_of, provenance_of, value_of
from minigun_py.engine.rehearsal import rehearsal_of
from minigun_py.engine.source_lane import Source
from minigun_py.engine.waiting_room import WaitingRoom
from minigun_py.plan.segment import Segment
from minigun_py.record import replace

if TYPE_CHECKING:
    from minigun_py.engine.tracked_source import TrackedSource

__all__ = ["PlainStep", "SourceStep", "Step", "Surface"]

ON_THE_CLOCK: Final = 16
"""So many items of a chunk whose outputs are taken one by one."""


class Surface(Protocol):
    """What a step sees of the run that it is a part of."""

    @property
    def stopped(self) -> bool:
        """Whether the run is cut."""
        ...

    def pause(self, seconds: float) -> None:
        """Wait, but for no longer than the run goes on."""
        ...

    def settle(self, step: Step, harvest: Harvest, told: Provenance | None = None) -> None:
        """Enter what a step did in the books, and put its outputs where they belong."""
        ...

    def put_out(self, step: Step, way_out: int, values: list[Any], origin: int | None) -> None:
        """Let outputs go their way at once, while the step is still running."""
        ...

    def discard(self, step: Step, items: int) -> None:
        """Enter items that will not be run."""
        ...

    def fail(self, step: Step, error: Exception) -> None:
        """End the run: something else than an item has failed in a step."""
        ...

    def note_retried(
        self, step: Step, item: Any, error: Exception, attempt: int, wait: float
    ) -> None:
        """Enter an attempt that failed, after which there will be another."""
        ...

    def one_before(self, position: int) -> bool:
        """Do one thing that may lead to items for the step there. False if there is none."""
        ...


class Step:
    """A segment of an inline run. Its subclasses say how it is taken forward."""

    def __init__(
        self, position: int, segment: Segment, kernel: SegmentKernel, surface: Surface
    ) -> None:
        self.position, self.segment, self.kernel = position, segment, kernel
        self._surface, self._clock = surface, kernel.clock
        self.letter_boxes = LetterBoxes(segment)
        self._tracks, self._kept = kernel.rules.shares, KeptItems()
        self._pace = Pace.of(segment.head.options.rate)
        self.exits: list[tuple[tuple[str, ...], Dispatch]] = [
            (way_out.targets, dispatch_for(way_out.routing, max(1, len(way_out.targets))))
            for way_out in kernel.exits
        ]
        self.copies = [dispatch.copies for _, dispatch in self.exits]
        """For each exit, how many stages get each item."""

    @property
    def name(self) -> str:
        """The stage that heads it."""
        return self.segment.head.name

    is_running = False
    """Whether its stage is at an item just now, and may not be called again meanwhile."""

    def open(self) -> None:
        """Set up what the stages want."""
        raise NotImplementedError

    def close(self) -> None:
        """Tear it down."""
        raise NotImplementedError

    def accept(self, items: list[Any]) -> None:
        """Take items in, and run them if it can."""
        raise NotImplementedError

    def finish(self) -> bool:
        """No item will follow for now: emit what is held. False if there was nothing to do."""
        raise NotImplementedError

    def _told(
        self, items: list[Any], harvest: Harvest, again: Collection[int] = ()
    ) -> Provenance | None:
        """What came of which items, if that has to be known."""
        if not self._tracks:
            return None
        lease = Lease(0, items, origins=[item.origin for item in items])
        head = self.name if self.kernel.holds else None
        kept = KeptItems() if head is None else self._kept
        return provenance_of(lease, harvest, kept, again, head)

    def _wait_for_pace(self) -> bool:
        """Wait until the rate allows an item. False if the run was cut meanwhile."""
        while not self._pace.allowed(self._clock.now()):
            if self._surface.stopped:
                return False
            self._surface.pause(self._pace.wait_time(self._clock.now()))
        self._pace.taken(self._clock.now())
        return True


class SourceStep(Step):
    """A producer, drawn from by the chunk."""

    def __init__(
        self,
        position: int,
        segment: Segment,
        kernel: SegmentKernel,
        surface: Surface,
        tracked: TrackedSource | None = None,
    ) -> None:
        super().__init__(position, segment, kernel, surface)
        self._tracked = tracked is not None
        sinks: list[Any] | None = None
        self._put_out: list[list[Any]] = [[] for _ in self.exits]
        if tracked is not None:
            sinks = tracked.exits(self._put_out, self.copies)
        self._source = Source(segment, kernel, sinks, tracked)
        goes_on = any(way_out.targets for way_out in segment.exits)
        largest = LARGEST_CHUNK if goes_on else LARGEST_IN_PLACE
        self._sizer = ChunkSizer(1 if self._pace.limits else None, largest)

    @property
    def ended(self) -> bool:
        """Whether it has given all that it will."""
        return self._source.ended

    def open(self) -> None:
        """Set up what the stages want."""
        self._source.open()

    def close(self) -> None:
        """Tear it down, and close the source."""
        self._source.close()

    def finish(self) -> bool:
        """It holds nothing."""
        return False

    def draw(self, one: bool) -> None:
        """Draw a chunk, or only `one` item, and run it."""
        if self._wait_for_pace():
            count = 1 if one else self._sizer.limit
            harvest = self._source.draw(count)
            if self._tracked:  # then it has put them out by itself
                harvest.outputs = [put_out[:] for put_out in self._put_out]
                for put_out in self._put_out:
                    put_out.clear()
            self._sizer.measured(count, harvest.seconds)
            self._surface.settle(self, harvest)

    @property
    def may_give(self) -> bool:
        """Whether it can be drawn from by `give`."""
        return self._source.may_give and not self._pace.limits and not self.ended

    def give(self, stopping: Callable[[], bool], flows: bool) -> Iterator[Iterable[Any]]:
        """Draw a chunk. What comes of an item is given before the next one is drawn.

        Where it `flows`, only the first items of a large chunk are on the clock, and only before
        them somebody looks whether the run is stopping, unless it is halted. What the others take
        together is shared out between the stages and who takes their outputs as it was for those.
        """
        source, count, began = self._source, self._sizer.limit, self._clock.now()
        drawn = min(count, ON_THE_CLOCK)
        try:
            for outputs in source.give(drawn):
                yield from filter(None, outputs)
                if stopping():
                    return
            if flows and count > drawn and source.may_flow:
                middle = self._clock.now()
                share = source.seconds / max(middle - began, SHORTEST)
                drawn, outputs_flowing = count, source.flow(count - ON_THE_CLOCK)
                if stopping():  # since somebody has looked: what was halted was not this
                    source.halt()
                try:
                    yield outputs_flowing
                finally:
                    source.flowed((self._clock.now() - middle) * share)
        finally:
            self._sizer.measured(drawn, self._clock.now() - began)
            self._surface.settle(self, source.rest())

    def halt(self) -> None:
        """Draw no other item for what is given now."""
        self._source.halt()


class PlainStep(Step):
    """Stages that are called with every item."""

    def __init__(
        self, position: int, segment: Segment, kernel: SegmentKernel, surface: Surface
    ) -> None:
        super().__init__(position, segment, kernel, surface)
        self._worker: BoundSegment = kernel.bind()
        self._worker.put_out = self._put_out
        self._rehearsal = rehearsal_of(segment, kernel, self._worker)
        self._running: Any = None  # the item, where its outputs leave at once
        self._left = 0  # how many of them have
        self._holds = kernel.holds  # until it has been flushed, and again after each item
        self._retry = segment.head.options.retry
        self._waiting = WaitingRoom(segment.head.options.queue_size)
        self._in_order = segment.head.options.ordered and self._retry is not None

    def open(self) -> None:
        """Set up what the stages want."""
        if self._rehearsal is not None:
            self._rehearsal.open()
        self._worker.open()

    def close(self) -> None:
        """Tear it down."""
        self._worker.close()
        left = self._waiting.clear()
        if left:
            self._surface.discard(self, left)

    def accept(self, items: list[Any]) -> None:
        """Run them; one by one where there is a rate."""
        self._holds = self.kernel.holds
        one_by_one = self._pace.limits or self._in_order or self.kernel.streams
        for chunk in [[item] for item in items] if one_by_one else [items]:
            self._run(chunk, 1)
            while self._in_order and self._waiting and not self._surface.stopped:
                due = self._waiting.next_due() or 0.0
                self._surface.pause(due - self._clock.now())
                self.try_again()

    @property
    def next_attempt(self) -> float | None:
        """When the first item is due that waits for another attempt."""
        return self._waiting.next_due()

    def try_again(self) -> bool:
        """Run an item that is due for another attempt. False if none is."""
        again = self._waiting.take(self._clock.now())
        if again is not None:
            self._run([again.item], again.attempt)
        return again is not None

    def _run(self, chunk: list[Any], attempt: int) -> None:
        if not self._wait_for_pace():
            self._surface.discard(self, len(chunk))
            return
        self._running, self._left = chunk[0], 0
        try:
            self._worker.prepare(attempt)
            self.is_running = self.kernel.streams
            harvest = self._harvest_of(list(map(value_of, chunk)) if self._tracks else chunk)
        except Exception as error:  # of a setup or a teardown, or what is kept cannot cross
            self.is_running, self._running = False, None
            self._surface.fail(self, error)
            self._surface.discard(self, len(chunk))
            return
        harvest.failures = [with_note(failure, self._left) for failure in harvest.failures]
        self.is_running, self._running = False, None
        again: set[int] = set()
        if harvest.failures:
            again = self._take_out_what_is_tried_again(chunk, attempt, harvest)
        self._surface.settle(self, harvest, self._told(chunk, harvest, again))

    def _harvest_of(self, items: list[Any]) -> Harvest:
        if self._rehearsal is not None:
            return self._rehearsal.run(items)
        self._worker.run(items)
        return self._worker.harvest(len(items))

    def _take_out_what_is_tried_again(
        self, chunk: list[Any], attempt: int, harvest: Harvest
    ) -> set[int]:
        mine = [f for f in harvest.failures if f.stage == self.name]
        may = self._retry is not None and not self._left
        again = [f for f in mine if may and self._retry.allows(f.error, attempt)]  # type: ignore[union-attr]
        harvest.failures = [
            replace(f, attempt=attempt) if f in mine else f
            for f in harvest.failures
            if f not in again
        ]
        harvest.counts[0].received -= len(again)
        harvest.counts[0].failed -= len(again)
        for failure in again:
            assert self._retry is not None
            wait = self._retry.wait(attempt)
            item = chunk[failure.index]
            self._waiting.add(item, attempt + 1, self._clock.now() + wait)
            self._surface.note_retried(self, value_of(item), failure.error, attempt, wait)
        return {failure.index for failure in again}

    def _put_out(self, way_out: int, values: list[Any]) -> None:
        """Outputs of the running item leave at once."""
        if self._rehearsal is not None:
            values = self._rehearsal.left(values)
        self._left += len(values)
        self._surface.put_out(self, way_out, values, origin_of(self._running))

    def finish(self) -> bool:
        """Flush the first stage, if it keeps items."""
        if not self._holds:
            return False
        self._holds = False
        if self._rehearsal is not None:
            harvest = self._rehearsal.finish()
        else:
            self._worker.finish()
            harvest = self._worker.harvest(0)
        self._surface.settle(self, harvest, self._told([], harvest))
        return True

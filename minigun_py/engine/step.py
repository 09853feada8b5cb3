"""The parts of an inline run: each is a segment with its one worker, taken forward bit by bit.

A `Step` can `accept` items, go on by `advance`, and say whether it has more to do. What a stage
has made of items is handed to the `Surface` of the run, which puts its outputs where they belong.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from minigun_py.contexts.answer import Harvest
from minigun_py.engine.bound_segment import BoundSegment
from minigun_py.engine.bound_stream import BoundStream
from minigun_py.engine.chunking import ChunkSizer
from minigun_py.engine.dead_letters import LetterBoxes
from minigun_py.engine.dispatch import Dispatch, dispatch_for
from minigun_py.engine.kernel import SegmentKernel
from minigun_py.engine.pace import Pace
from minigun_py.engine.source_lane import Source
from minigun_py.engine.waiting_room import WaitingRoom
from minigun_py.errors import ChannelAborted
from minigun_py.plan.segment import Segment

__all__ = ["PlainStep", "SourceStep", "Step", "StreamStep", "Surface"]


class Surface(Protocol):
    """What a step sees of the run that it is a part of."""

    @property
    def stopped(self) -> bool:
        """Whether the run is cut."""
        ...

    def pause(self, seconds: float) -> None:
        """Wait, but for no longer than the run goes on."""
        ...

    def settle(self, step: Step, harvest: Harvest) -> None:
        """Enter what a step did in the books, and put its outputs where they belong."""
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
        rate = segment.head.options.rate
        self._pace = Pace(rate.interval) if rate is not None else None
        self.exits: list[tuple[tuple[str, ...], Dispatch]] = [
            (way_out.targets, dispatch_for(way_out.routing, max(1, len(way_out.targets))))
            for way_out in kernel.exits
        ]

    @property
    def name(self) -> str:
        """The stage that heads it."""
        return self.segment.head.name

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

    def _wait_for_pace(self) -> bool:
        """Wait until the rate allows an item. False if the run was cut meanwhile."""
        while self._pace is not None and not self._pace.allowed(self._clock.now()):
            if self._surface.stopped:
                return False
            self._surface.pause(self._pace.wait_time(self._clock.now()))
        if self._pace is not None:
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
        one_by_one: bool,
    ) -> None:
        super().__init__(position, segment, kernel, surface)
        self._source = Source(segment, kernel, None)
        self._sizer = ChunkSizer(1 if one_by_one or self._pace is not None else None)

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

    def draw(self) -> None:
        """Draw a chunk and run it."""
        if self._wait_for_pace():
            harvest = self._source.draw(self._sizer.limit)
            self._sizer.measured(self._sizer.limit, harvest.seconds)
            self._surface.settle(self, harvest)


class PlainStep(Step):
    """Stages that are called with every item."""

    def __init__(
        self, position: int, segment: Segment, kernel: SegmentKernel, surface: Surface
    ) -> None:
        super().__init__(position, segment, kernel, surface)
        self._worker: BoundSegment = kernel.bind()
        self._holds = kernel.holds  # until it has been flushed, and again after each item
        self._retry = segment.head.options.retry
        self._waiting = WaitingRoom(segment.head.options.queue_size)
        self._in_order = segment.head.options.ordered and self._retry is not None

    def open(self) -> None:
        """Set up what the stages want."""
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
        one_by_one = self._pace is not None or self._in_order
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
        try:
            self._worker.prepare(attempt)
        except Exception as error:  # of a setup or a teardown
            self._surface.fail(self, error)
            self._surface.discard(self, len(chunk))
            return
        self._worker.run(chunk)
        harvest = self._worker.harvest(len(chunk))
        if harvest.failures:
            self._take_out_what_is_tried_again(chunk, attempt, harvest)
        self._surface.settle(self, harvest)

    def _take_out_what_is_tried_again(
        self, chunk: list[Any], attempt: int, harvest: Harvest
    ) -> None:
        mine = [f for f in harvest.failures if f.stage == self.name]
        again = [f for f in mine if self._retry and self._retry.allows(f.error, attempt)]
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
            self._surface.note_retried(self, item, failure.error, attempt, wait)

    def finish(self) -> bool:
        """Flush the first stage, if it keeps items."""
        if not self._holds:
            return False
        self._holds = False
        self._worker.finish()
        self._surface.settle(self, self._worker.harvest(0))
        return True


class StreamStep(Step):
    """A stage that draws from an iterator, and takes the run forward while it has no item."""

    def __init__(
        self, position: int, segment: Segment, kernel: SegmentKernel, surface: Surface
    ) -> None:
        super().__init__(position, segment, kernel, surface)
        worker = kernel.bind()
        assert isinstance(worker, BoundStream)
        self._worker = worker
        self._waiting: deque[Any] = deque()
        self._drawn = 0
        self._begun = self._draws = False

    @property
    def has_items(self) -> bool:
        """Whether items wait for it."""
        return bool(self._waiting)

    @property
    def wants(self) -> bool:
        """Whether it can go on: it has begun or has items, and is not waiting further up."""
        return not self._draws and not self._worker.ended and (self._begun or bool(self._waiting))

    def open(self) -> None:
        """Set up what the stages want."""
        self._worker.open()

    def close(self) -> None:
        """Tear it down."""
        self._worker.close()
        if self._waiting:
            self._surface.discard(self, len(self._waiting))

    def accept(self, items: list[Any]) -> None:
        """Keep them until the stage asks; what it wants no more is done with."""
        if self._worker.ended:
            self._surface.settle(self, self._worker.harvest(len(items)))
        else:
            self._waiting.extend(items)

    def advance(self) -> None:
        """Let the stage go on to its next output."""
        if not self._begun:
            self._begun = True
            self._worker.begin(self)
        self._draws = True
        try:
            self._worker.advance(1)
        except ChannelAborted:
            pass  # the verdict knows why
        finally:
            self._draws = False
            drawn, self._drawn = self._drawn, 0
            self._surface.settle(self, self._worker.harvest(drawn))
        if self._worker.ended and self._waiting:
            left = len(self._waiting)
            self._waiting.clear()
            self._surface.settle(self, self._worker.harvest(left))

    def finish(self) -> bool:
        """Begin, if no item ever came; it goes on from there by `advance`."""
        if self._begun:
            return False
        self.advance()
        return True

    def next(self) -> Sequence[Any] | None:
        """For the stage: an item, for which the run is taken forward; None if none will come."""
        while not self._waiting:
            if self._surface.stopped:
                raise ChannelAborted("the run is cut")
            if not self._surface.one_before(self.position):
                return None
        if not self._wait_for_pace():
            raise ChannelAborted("the run is cut")
        self._drawn += 1
        return (self._waiting.popleft(),)

    flush, attempt = False, 1

    def running(self) -> int:
        """The only item of the turn."""
        return 0

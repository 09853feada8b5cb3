"""A part of an inline run that draws: it takes the run forward while it has no item."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from minigun_py.contexts.answer import Harvest
from minigun_py.contexts.crossing import lost_item
from minigun_py.engine.bound_stream import BoundStream
from minigun_py.engine.kernel import SegmentKernel
from minigun_py.engine.provenance import Latest, value_of
from minigun_py.engine.rehearsal import rehearsal_of
from minigun_py.engine.step import Step, Surface
from minigun_py.errors import ChannelAborted, NotPicklable
from minigun_py.plan.segment import Segment

__all__ = ["StreamStep"]


class StreamStep(Step):
    """A stage that draws from an iterator, and takes the run forward while it has no item."""

    def __init__(
        self, position: int, segment: Segment, kernel: SegmentKernel, surface: Surface
    ) -> None:
        super().__init__(position, segment, kernel, surface)
        worker = kernel.bind()
        assert isinstance(worker, BoundStream)
        self._worker = worker
        self._rehearsal = rehearsal_of(segment, kernel, worker)
        self._waiting: deque[Any] = deque()
        self._drawn: list[Any] = []
        self._latest = Latest()
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
        if self._rehearsal is not None:
            self._rehearsal.open()
        self._worker.open()

    def close(self) -> None:
        """Tear it down."""
        self._worker.close()
        if self._waiting:
            self._surface.discard(self, len(self._waiting))

    def accept(self, items: list[Any]) -> None:
        """Keep them until the stage asks; what it wants no more is done with."""
        if self._worker.ended:
            self._settle(items)
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
            drawn, self._drawn = self._drawn, []
            self._settle(drawn)
        if self._worker.ended and self._waiting:
            left = list(self._waiting)
            self._waiting.clear()
            self._settle(left)

    def finish(self) -> bool:
        """Begin, if no item ever came; it goes on from there by `advance`."""
        if self._begun:
            return False
        self.advance()
        return True

    def next(self) -> Sequence[Any] | None:
        """For the stage: an item, for which the run is taken forward; None if none will come."""
        while self._is_fed():
            item = self._waiting.popleft()
            try:
                value = self._arrived(value_of(item))
            except NotPicklable as error:
                self._lose(item, error)
            else:
                self._drawn.append(item)
                return (value,)
        return None

    def _is_fed(self) -> bool:
        """Take the run forward until an item waits. False if none will come."""
        while not self._waiting:
            if self._surface.stopped:
                raise ChannelAborted("the run is cut")
            if not self._surface.one_before(self.position):
                return False
        if not self._wait_for_pace():
            raise ChannelAborted("the run is cut")
        return True

    def _arrived(self, value: Any) -> Any:
        return value if self._rehearsal is None else self._rehearsal.sent(value)

    def _lose(self, item: Any, error: NotPicklable) -> None:
        """An item cannot reach the stage: it fails, and the stage draws the next."""
        drawn, self._drawn = self._drawn, []
        self._settle(drawn)
        self._enter(
            [item], lost_item(self._worker.harvest(1), error, value_of(item), self.kernel.stages)
        )

    def _settle(self, items: list[Any]) -> None:
        """Enter what the stage did with items that it has taken."""
        harvest = self._worker.harvest(len(items))
        if self._rehearsal is not None:
            try:
                harvest = self._rehearsal.answered(harvest)
            except NotPicklable as error:
                self._surface.fail(self, error)
                self._surface.discard(self, len(items))
                return
        self._enter(items, harvest)

    def _enter(self, items: list[Any], harvest: Harvest) -> None:
        told = self._told(items, harvest)
        if told is not None:
            told.latest, self._latest.over = self._latest, self._worker.ended
        self._surface.settle(self, harvest, told)

    def put_out(self, way_out: int, values: list[Any]) -> None:
        """Not asked for: what such a stage gives is asked of it, one by one."""
        raise NotImplementedError

    flush, attempt = False, 1

    def running(self) -> int:
        """The only item of the turn."""
        return 0

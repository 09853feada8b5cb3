"""A worker that is called as if it were in another process: inline runs with ``strict=True``.

What goes in and what comes out is pickled and rebuilt, by the code that does it when there is a
process. So an item, a result or an error that cannot cross fails here as it would fail there, where
a debugger can look at it.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

from minigun_py.contexts.answer import Harvest
from minigun_py.contexts.crossing import (
    OneByOne,
    pack_each,
    pack_harvest,
    rebuilt,
    unpack_each,
    unpack_harvest,
    with_items,
)
from minigun_py.contexts.portable_errors import not_rebuilt, not_sent_back, unsendable
from minigun_py.contexts.registry import traits_of
from minigun_py.engine.bound_segment import BoundSegment
from minigun_py.engine.kernel import SegmentKernel
from minigun_py.placement import ContextSpec
from minigun_py.plan.segment import Segment
from minigun_py.record import replace

__all__ = ["Rehearsal", "rehearsal_of"]


def rehearsal_of(segment: Segment, kernel: SegmentKernel, worker: BoundSegment) -> Rehearsal | None:
    """The way to a worker that would be in another process, in earnest; None if it would not."""
    earnest = segment.rehearsed
    return None if earnest is None else Rehearsal(kernel, worker, earnest)


class Rehearsal:
    """The way in and out of a worker, for one that would be elsewhere."""

    def __init__(self, kernel: SegmentKernel, worker: BoundSegment, earnest: ContextSpec) -> None:
        self._kernel, self._worker = kernel, worker
        self._sends_code = not traits_of(earnest.kind).inherits_code

    def open(self) -> None:
        """Send the stages themselves, where they would be. Raises `NotPicklable`."""
        if self._sends_code:
            from minigun_py.contexts.portable_code import pack_code  # here: few rehearse

            pack_code(self._kernel)

    def sent(self, item: Any) -> Any:
        """An item as it would arrive. Raises `NotPicklable`."""
        return rebuilt(pack_each([item])[0])

    def left(self, values: list[Any]) -> list[Any]:
        """What leaves at once, as it would arrive. Raises `NotPicklable`."""
        try:
            blob = pickle.dumps(values, protocol=5)
        except Exception as error:
            raise not_sent_back(error) from error
        try:
            return list(pickle.loads(blob))
        except Exception as error:
            raise not_rebuilt(error) from error

    def answered(self, harvest: Harvest) -> Harvest:
        """A harvest of a stage that keeps items, as it would arrive. Raises `NotPicklable`."""
        head = self._kernel.stages[0]
        try:
            arrived = unpack_harvest(pickle.loads(pickle.dumps(pack_harvest(harvest, head))))
        except Exception as error:
            raise unsendable(head, error) from error
        pairs = zip(arrived.failures, harvest.failures, strict=True)
        arrived.failures = [replace(there, item=here.item) for there, here in pairs]
        return arrived

    def run(self, items: Sequence[Any]) -> Harvest:
        """Run every item; those that cannot cross fail.

        Raises:
            NotPicklable: What a stage that keeps items has emitted cannot cross.
        """
        turns = OneByOne(self._worker, pack_each(items), self._kernel)
        while (one := turns.next()) is not None:
            self._worker.run(one)
        return self._handed_in(turns, items)

    def finish(self) -> Harvest:
        """Emit what is held. Raises `NotPicklable` if that cannot cross."""
        turns = OneByOne(self._worker, (), self._kernel)
        self._worker.finish()
        return self._handed_in(turns, ())

    def _handed_in(self, turns: OneByOne, items: Sequence[Any]) -> Harvest:
        kernel = self._kernel
        harvest = unpack_each(turns.hand_in(), kernel.stages, kernel.exit_stages, kernel.holds)
        harvest.failures = with_items(harvest.failures, kernel.stages[0], items)
        return harvest

"""A run in which everything is inline: one caller, no thread, no queue, deterministic.

An item is followed to its end before the next one is drawn. Where segments meet (a join, a batch,
a dealt-out fan-out) a work list carries the items on, last in first out, so that depth comes
before breadth. A plan of one segment needs no work list: the source is drawn by the chunk,
lazily, and each item falls through the compiled stages before the next is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from minigun_py.contexts.context import BoundKernel, Control, Harvest
from minigun_py.engine.chunking import ChunkSizer
from minigun_py.engine.dispatch import Dispatch, dispatch_for
from minigun_py.engine.kernel import SegmentKernel
from minigun_py.engine.kernels import kernel_for
from minigun_py.engine.ledger import Ledger
from minigun_py.engine.source_lane import Source
from minigun_py.engine.verdict import Verdict
from minigun_py.errors import InternalError
from minigun_py.plan.segment import Segment
from minigun_py.primitives.cancel import CancelToken

__all__ = ["DepthFirstRun"]


class DepthFirstRun:
    """One inline run."""

    def __init__(
        self,
        segments: Sequence[Segment],
        ledger: Ledger,
        verdict: Verdict,
        token: CancelToken,
        outputs_wanted: bool,
    ) -> None:
        self._ledger, self._verdict, self._token = ledger, verdict, token
        self._draining = False
        control = Control(token, self.drain)
        self._steps = [_Step(s, outputs_wanted, verdict, control) for s in segments]
        self._by_name = {step.segment.head.name: step for step in self._steps}
        self._one_by_one = outputs_wanted or len(segments) > 1

    def drain(self) -> None:
        """Draw no more from the sources."""
        self._draining = True

    def outputs(self) -> Iterator[Any]:
        """Run, and give what the end stages emit. Stops early when the token is cancelled."""
        opened: list[_Step] = []
        try:
            for step in self._steps:
                if not self._token.cancelled:  # by a setup that has failed
                    opened.append(step)
                    with self._blaming(step):
                        step.open()
            yield from self._run_all()
        finally:
            for step in reversed(opened):
                with self._blaming(step):
                    step.close()
            for step in self._steps:
                self._verdict.stages_ended(step.kernel.stages)

    @contextmanager
    def _blaming(self, step: _Step) -> Iterator[None]:
        """What a setup or a teardown raises ends the run."""
        try:
            yield
        except Exception as error:
            self._verdict.lane_failed(step.segment.head.name, error)

    def _run_all(self) -> Iterator[Any]:
        for step in self._steps:
            if step.segment.is_source:
                yield from self._draw_all(step)
        for step in self._steps:
            if self._token.cancelled:
                return
            if not step.segment.is_source:
                yield from self._finish(step)

    def _draw_all(self, step: _Step) -> Iterator[Any]:
        sizer = ChunkSizer(1 if self._one_by_one else None)
        while not (step.source.ended or self._draining or self._token.cancelled):
            harvest = step.source.draw(sizer.limit)
            sizer.measured(sizer.limit, harvest.seconds)
            yield from self._follow(step, harvest)

    def _finish(self, step: _Step) -> Iterator[Any]:
        step.worker.finish()
        yield from self._follow(step, step.worker.harvest(0))

    def _follow(self, step: _Step, harvest: Harvest) -> Iterator[Any]:
        """Carry the outputs of a step on until nothing is left of them."""
        todo: list[tuple[_Step, list[Any]]] = []
        yield from self._settle(step, harvest, todo)
        while todo:
            step, items = todo.pop()
            if self._token.cancelled:
                self._ledger.cancelled(step.segment.head.name, len(items))
                continue
            step.worker.run(items)
            yield from self._settle(step, step.worker.harvest(len(items)), todo)

    def _settle(
        self, step: _Step, harvest: Harvest, todo: list[tuple[_Step, list[Any]]]
    ) -> list[Any]:
        """Enter a harvest in the books, put its outputs on the work list; return the run's own."""
        self._ledger.harvested(step.kernel.stages, harvest)
        if harvest.failures:
            self._verdict.items_failed(harvest.failures)
        given: list[Any] = []
        following: list[tuple[_Step, list[Any]]] = []
        for (targets, dispatch), outputs in zip(step.exits, harvest.outputs, strict=True):
            if not targets:
                given += outputs
            elif outputs:
                for target, share in dispatch.deal(outputs):
                    following.append((self._by_name[targets[target]], share))
        todo.extend(reversed(following))
        return given


class _Step:
    """A segment with its bound kernel."""

    def __init__(
        self, segment: Segment, outputs_wanted: bool, verdict: Verdict, control: Control
    ) -> None:
        self.segment = segment
        self.kernel = kernel_for(segment, outputs_wanted, verdict, control)
        self.exits: list[tuple[tuple[str, ...], Dispatch]] = [
            (way_out.targets, dispatch_for(way_out.routing, max(1, len(way_out.targets))))
            for way_out in segment.exits
            if way_out.targets or outputs_wanted
        ]
        self._source: Source | None = None
        self._worker: BoundKernel | None = None
        if segment.is_source:
            assert isinstance(self.kernel, SegmentKernel)
            self._source = Source(segment, self.kernel, None)
        else:
            self._worker = self.kernel.bind()

    def open(self) -> None:
        """Set up what the stages want."""
        (self._source or self.worker).open()

    def close(self) -> None:
        """Tear it down, and close the source."""
        (self._source or self.worker).close()

    @property
    def source(self) -> Source:
        """What a source is drawn from."""
        if self._source is None:
            raise InternalError(f"{self.segment.head.name} is no source")
        return self._source

    @property
    def worker(self) -> BoundKernel:
        """What any other segment runs."""
        if self._worker is None:
            raise InternalError(f"{self.segment.head.name} is a source")
        return self._worker

"""A run in which everything is inline: one caller, no thread, no queue, deterministic.

An item is followed to its end before the next one is drawn. Where segments meet (a join, a batch,
a dealt-out fan-out) a work list carries the items on, last in first out, so that depth comes
before breadth. A plan of one segment needs no work list: the source is drawn by the chunk,
lazily, and each item falls through the compiled stages before the next is drawn.

A stage that draws from an iterator turns this round: while it has no item it takes the run
forward from within, until there is one for it or none can come. When two such stages are fed by
the same one, the items of one wait in memory while the other draws.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from minigun_py.contexts.answer import Harvest
from minigun_py.contexts.kernel import Control
from minigun_py.engine.dispatch import Dispatch
from minigun_py.engine.kernel import kernel_for
from minigun_py.engine.ledger import Ledger
from minigun_py.engine.provenance import Provenance
from minigun_py.engine.step import PlainStep, SourceStep, Step
from minigun_py.engine.stream_step import StreamStep
from minigun_py.engine.verdict import Verdict
from minigun_py.plan.loops import ends_in_order
from minigun_py.plan.segment import Segment
from minigun_py.primitives.cancel import CancelToken
from minigun_py.primitives.spool import Values
from minigun_py.record import record

if TYPE_CHECKING:
    from minigun_py.engine.source_books import SourceBooks

__all__ = ["DepthFirstRun"]

DEEPEST: Final = 20
"""So many streams may take the run forward from within each other; Python's stack has an end."""


_Parcel = tuple[Step, list[Any]]
"""Items, and the step that takes them."""


@record
class _Large:
    """What is dealt out some at a time, when it is its turn."""

    dispatch: Dispatch
    steps: Sequence[Step]
    chunks: Iterator[list[Any]]

    def some(self) -> list[_Parcel]:
        """The next of it; nothing at the end."""
        chunk = next(self.chunks, [])
        return [(self.steps[n], share) for n, share in self.dispatch.deal(chunk)] if chunk else []

    def parcels(self) -> Iterator[_Parcel]:
        """All that is left."""
        while some := self.some():
            yield from some


class DepthFirstRun:
    """One inline run."""

    def __init__(
        self,
        segments: Sequence[Segment],
        ledger: Ledger,
        verdict: Verdict,
        token: CancelToken,
        outputs_wanted: bool,
        books: SourceBooks | None = None,
    ) -> None:
        self._ledger, self._verdict, self._token = ledger, verdict, token
        self._books = books
        self._wanted = outputs_wanted
        self._draining = False
        self._one_by_one = True
        in_order = enumerate(ends_in_order(segments))
        self._steps = [self._step(position, segment) for position, segment in in_order]
        self._sources = [step for step in self._steps if isinstance(step, SourceStep)]
        self._streams = [step for step in self._steps if isinstance(step, StreamStep)]
        self._retrying = [
            step
            for step in self._steps
            if isinstance(step, PlainStep) and step.segment.head.options.retry is not None
        ]
        self._by_name = {step.name: step for step in self._steps}
        self._depth = 0  # how many streams wait for items, each for what the next is to give
        self._halt: Callable[[], None] = _nothing
        self._todo: list[_Parcel | _Large] = []
        self._given: deque[Values] = deque()

    def drain(self) -> None:
        """Draw no more from the sources."""
        self._draining = True
        self._halt()

    def outputs(self, lazily: bool) -> Generator[Iterable[Any], None, None]:
        """Run, and give what the end stages emit, some at a time. Stops early after a cancel.

        Args:
            lazily: Whether the outputs of an item are given before the next one is drawn.
        """
        self._one_by_one = lazily or len(self._steps) > 1
        opened: list[Step] = []
        forget = _nothing
        try:
            for step in self._steps:
                if not self._token.cancelled:  # by a setup that has failed
                    opened.append(step)
                    with self._blaming(step):
                        step.open()
            lone = self._sources[0] if lazily and len(self._steps) == 1 else None
            if lone is not None:
                self._halt, forget = lone.halt, self._token.on_cancel(lone.halt)
            while self.one_before(len(self._steps)):
                while self._given:
                    yield self._given.popleft()
                if lone is not None and lone.may_give and not self._is_stopping():
                    has_no_deadline = self._token.remaining() is None
                    yield from lone.give(self._is_stopping, flows=has_no_deadline)
        finally:
            forget()
            for parcel in self._todo:
                for step, items in parcel.parcels() if isinstance(parcel, _Large) else [parcel]:
                    self.discard(step, len(items))
            self._todo.clear()
            for step in reversed(opened):
                with self._blaming(step):
                    step.close()
            for step in self._steps:
                self._verdict.stages_ended(step.kernel.stages)

    # ------------------------------------------------------------- for the steps

    @property
    def stopped(self) -> bool:
        """Whether the run is cut."""
        return self._token.cancelled

    def pause(self, seconds: float) -> None:
        """Wait, but for no longer than the run goes on."""
        self._token.wait(max(0.0, seconds))

    def one_before(self, position: int) -> bool:
        """Do one thing that may lead to items for the step there. False if there is none."""
        if self._token.cancelled:
            return False
        if self._todo:
            self._go_on(self._todo.pop())
            return True
        return (
            any(step.try_again() for step in self._retrying)
            or self._advanced(position)
            or self._drawn()
            or self._resumed(position)
            or self._waited()
            or any(self._finished(step) for step in self._steps[:position])
        )

    def settle(self, step: Step, harvest: Harvest, told: Provenance | None = None) -> None:
        """Enter a harvest in the books and put its outputs on the work list."""
        self._ledger.harvested(step.kernel.stages, harvest)
        decided = self._verdict.items_failed(harvest.failures) if harvest.failures else []
        outputs_by_exit: Sequence[Values] = harvest.outputs
        origins: Sequence[int] = ()
        if self._books is not None and told is not None:
            actions = step.letter_boxes.copies(decided)
            outputs_by_exit, origins = self._books.tracking.trace(
                told, harvest, step.copies, actions
            )
        following: list[_Parcel | _Large] = []
        for (targets, dispatch), outputs in zip(step.exits, outputs_by_exit, strict=True):
            if not targets:
                self._given.append(outputs)
            elif outputs:
                steps = [self._by_name[target] for target in targets]
                if isinstance(outputs, list):
                    following += [(steps[n], share) for n, share in dispatch.deal(outputs)]
                else:
                    following.append(_Large(dispatch, steps, outputs.chunks()))
        if decided:
            letters = step.letter_boxes.sort(decided, origins)
            boxes = zip(step.segment.dead_letters, letters, strict=True)
            following += [(self._by_name[t], s) for e, s in boxes for t in e.targets if s]
        self._todo.extend(reversed(following))

    def put_out(self, step: Step, way_out: int, values: list[Any], origin: int | None) -> None:
        """Let outputs go their way at once, while the step is still running."""
        targets, dispatch = step.exits[way_out]
        if self._books is not None and origin is not None:
            values = self._books.tracking.taken_along(values, origin, step.copies[way_out])
        if not targets:
            self._given.append(values)
            return
        steps = [self._by_name[target] for target in targets]
        before = len(self._todo)
        self._todo += reversed([(steps[n], share) for n, share in dispatch.deal(values)])
        while not self._token.cancelled and (parcel := self._free_parcel(before)) is not None:
            self._go_on(parcel)

    def _free_parcel(self, before: int) -> _Parcel | _Large | None:
        """The last parcel, of those that came after so many, for a step that is not running."""
        for place in reversed(range(before, len(self._todo))):
            parcel = self._todo[place]
            if isinstance(parcel, _Large) or not parcel[0].is_running:
                return self._todo.pop(place)
        return None

    def note_retried(
        self, step: Step, item: Any, error: Exception, attempt: int, wait: float
    ) -> None:
        """Enter an attempt that failed, after which there will be another."""
        self._ledger.retried(step.name)
        self._verdict.item_retried(step.name, item, error, attempt, wait)

    def discard(self, step: Step, items: int) -> None:
        """Enter items that will not be run, since the run was cut."""
        self._ledger.cancelled(step.name, items)

    def fail(self, step: Step, error: Exception) -> None:
        """End the run: something else than an item has failed in a step."""
        self._verdict.lane_failed(step.name, error)

    # ------------------------------------------------------------- inside

    def _step(self, position: int, segment: Segment) -> Step:
        control = Control(self._token, self.drain)
        books = self._books
        kernel = kernel_for(segment, self._wanted, self._verdict, control, books is not None)
        if segment.is_source:
            source = books.track(segment.head.name, self._is_stopping) if books else None
            return SourceStep(position, segment, kernel, self, source)
        return (StreamStep if segment.head.pulls else PlainStep)(position, segment, kernel, self)

    def _go_on(self, parcel: _Parcel | _Large) -> None:
        """Let a step take its items, or deal out some of what is too large for that."""
        if isinstance(parcel, _Large):
            some = parcel.some()
            if some:
                self._todo.append(parcel)
                self._todo.extend(reversed(some))
        else:
            step, items = parcel
            step.accept(items)

    def _is_stopping(self) -> bool:
        """Whether nothing more is to be drawn."""
        return self._draining or self._token.cancelled

    def _advanced(self, position: int) -> bool:
        """Let the last stream before the position go on, if one can.

        Where many wait for each other already, only one that has items: it need not ask others.
        """
        deep = self._depth >= DEEPEST
        for stream in reversed(self._streams):
            if stream.position < position and stream.wants and (stream.has_items or not deep):
                return self._advance(stream)
        return False

    def _resumed(self, position: int) -> bool:
        """Let the first stream before the position go on: no source has anything for it."""
        for stream in self._streams:
            if stream.position < position and stream.wants:
                return self._advance(stream)
        return False

    def _advance(self, stream: StreamStep) -> bool:
        self._depth += 1
        try:
            stream.advance()
        finally:
            self._depth -= 1
        return True

    def _drawn(self) -> bool:
        """Draw from the first source that has not ended, if there is one."""
        for source in self._sources:
            if not (source.ended or self._draining):
                source.draw(self._one_by_one)
                return True
        return False

    def _waited(self) -> bool:
        """Wait until an item is due for another attempt, if one waits for that."""
        due = [step.next_attempt for step in self._retrying]
        known = [at for at in due if at is not None]
        if known:
            self.pause(min(known) - self._verdict.clock.now())
        return bool(known)

    def _finished(self, step: Step) -> bool:
        """Let a step emit what it holds. What a flush raises ends the run."""
        try:
            return step.finish()
        except Exception as error:
            self._verdict.lane_failed(step.name, error)
            return False

    @contextmanager
    def _blaming(self, step: Step) -> Iterator[None]:
        """What a setup or a teardown raises ends the run."""
        try:
            yield
        except Exception as error:
            self._verdict.lane_failed(step.name, error)


def _nothing() -> None:
    """There is nothing to be halted, or to be forgotten."""

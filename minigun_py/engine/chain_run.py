"""An inline run in which every stage draws from the one before: a chain of iterators.

::

    source, as a generator ──> stage ──> stage ──> stage, and what follows it in its segment

Nothing stands between the stages but a generator that counts. As everywhere inline, nothing is
done before it is asked for; the books are kept by the chunk.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain
from typing import Any, Final

from minigun_py.contexts.answer import Harvest
from minigun_py.contexts.kernel import Control, Post
from minigun_py.engine.bound_stream import TurnsRaised
from minigun_py.engine.chained_stream import SAMPLED, ChainedStream
from minigun_py.engine.chunking import LARGEST_IN_PLACE, ChunkSizer
from minigun_py.engine.kernel import SegmentKernel, kernel_for
from minigun_py.engine.latency import SHORTEST
from minigun_py.engine.ledger import Ledger
from minigun_py.engine.source_lane import Source
from minigun_py.engine.verdict import Verdict
from minigun_py.errors import ChannelAborted
from minigun_py.plan.segment import Segment
from minigun_py.plan.stage import Producer
from minigun_py.primitives.cancel import CancelToken
from minigun_py.primitives.spool import Values

__all__ = ["ChainRun", "chain_of"]

WITH_A_DEADLINE: Final = 16
"""So many items are drawn before somebody looks at the time, where it matters."""


def chain_of(segments: Sequence[Segment], verdict: Verdict) -> list[Segment]:
    """The segments in order, if they are such a chain; else nothing."""
    if len(segments) < 2 or any(map(_stands_apart, segments)):
        return []
    by_name = {segment.head.name: segment for segment in segments}
    fed = {target for s in segments for way_out in s.exits for target in way_out.targets}
    here: Segment | None = next((s for s in segments if s.head.name not in fed), None)
    found: list[Segment] = []
    while here is not None and here not in found:
        found.append(here)
        targets = [target for way_out in here.exits for target in way_out.targets]
        if targets and len(here.exits) + len(targets) > 2:
            return []
        here = by_name[targets[0]] if targets else None
    if len(found) < len(segments):
        return []
    source, *streams = found
    whole = (
        isinstance(source.head, Producer)
        and not source.head.shape.pushes
        and all(segment.head.pulls for segment in streams)
        and all(len(segment.stages) == 1 and not segment.is_routed(0) for segment in streams[:-1])
        and not any(verdict.policy(segment.head.name).goes_on for segment in streams)
    )
    return found if whole else []


def _stands_apart(segment: Segment) -> bool:
    """Whether something is to be done between this segment and the others."""
    head = segment.head
    shape = getattr(head, "shape", None)
    return (
        shape is None
        or shape.coroutine
        or head.options.rate is not None
        or bool(segment.dead_letters)
        or segment.rehearsed is not None
        or any(way_out.references or way_out.feedback for way_out in segment.exits)
    )


class ChainRun:
    """One inline run of a chain."""

    def __init__(
        self,
        segments: Sequence[Segment],
        ledger: Ledger,
        verdict: Verdict,
        token: CancelToken,
        outputs_wanted: bool,
    ) -> None:
        self._ledger, self._verdict, self._token = ledger, verdict, token
        control = Control(token, self.drain)
        kernels = [kernel_for(s, outputs_wanted, verdict, control) for s in segments]
        self._kernels, first = kernels, kernels[0]
        self._source = Source(segments[0], first, None)
        self._links = [_link(kernel) for kernel in kernels[1:]]
        self._flow_sizer, self._sizer = (
            ChunkSizer(None, LARGEST_IN_PLACE),
            ChunkSizer(None, LARGEST_IN_PLACE),
        )
        self._draining = False
        self._flow: Any = None  # of the source, what gives now
        self._owed = 0.0  # seconds of the source
        self._received = [0] * len(self._links)  # of each link, as harvested
        self._given: deque[Values] = deque()

    @property
    def may_run(self) -> bool:
        """Whether nothing was planted in a stage, and the source's outputs can flow."""
        watched = any(kernel.rules.deeds or kernel.is_watched for kernel in self._kernels)
        return not watched and self._kernels[0].flow is not None

    def drain(self) -> None:
        """Draw no more from the source."""
        self._draining = True
        self._source.halt()

    def outputs(self, lazily: bool) -> Generator[Iterable[Any], None, None]:
        """Run, and give what the last stages emit, some at a time. Stops early after a cancel.

        Args:
            lazily: Whether each output is given before the stages go on.
        """
        opened: list[int] = []
        forget = self._token.on_cancel(self._source.halt)
        parts: list[Any] = [self._source, *self._links]
        try:
            for number, part in enumerate(parts):
                if not self._token.cancelled:  # by a setup that has failed
                    opened.append(number)
                    with self._blaming(number):
                        part.open()
            if not self._token.cancelled:
                self._join()
            while not (self._token.cancelled or self._last.ended):
                if lazily:
                    yield from self._flow_chunk(self._sizer.limit)
                else:
                    self._run_chunk(self._sizer.limit)
                    yield from self._taken()
        finally:
            forget()
            for number in reversed(opened):
                with self._blaming(number):
                    parts[number].close()
            self._end_flow()
            for kernel in self._kernels:
                self._verdict.stages_ended(kernel.stages)

    # ------------------------------------------------------------- inside

    @property
    def _last(self) -> ChainedStream:
        return self._links[-1]

    def _join(self) -> None:
        """Begin the source, and let every link draw from the one before it."""
        self._settle(0, self._source.draw(0))
        items: Iterator[Any] = chain.from_iterable(self._flows())
        blame: Callable[[Exception], None] = partial(self._verdict.lane_failed, self._name(0))
        for link in self._links:
            items = link.join(items, blame)
            blame = link.has_failed

    def _is_stopping(self) -> bool:
        """Whether nothing more is to be drawn."""
        return self._draining or self._token.cancelled

    def _flows(self) -> Iterator[Iterator[Any]]:
        """What the source gives, a chunk at a time."""
        source, clock = self._source, self._verdict.clock
        while not (source.ended or self._is_stopping()):
            has_deadline = self._token.remaining() is not None
            count = WITH_A_DEADLINE if has_deadline else self._flow_sizer.limit
            began = clock.now()
            self._flow = source.flow(count)
            if self._is_stopping():  # since somebody has looked: what was halted was not this
                source.halt()
            yield self._flow
            self._end_flow()
            self._flow_sizer.measured(count, clock.now() - began)
        if self._token.cancelled:
            raise TurnsRaised(ChannelAborted("the run is cut"))

    def _end_flow(self) -> None:
        """Enter what has come of the source."""
        flow, self._flow = self._flow, None
        if flow is not None:
            flow.close()
            owed, self._owed = self._owed, 0.0
            try:
                self._source.flowed(owed)
            finally:
                self._settle(0, self._source.rest())

    def _run_chunk(self, count: int) -> None:
        """Have the last stage give so many outputs."""
        try:
            self._advance(count)
            self._sizer.measured(count, self._last.seconds)
            self._take_the_rest()
        finally:
            self._enter()

    def _flow_chunk(self, count: int) -> Iterator[Iterable[Any]]:
        """The same, and each output is given before the stages go on.

        The time that is not sampled is shared out as the sample was, also to who takes them.
        """
        last, clock, began = self._last, self._verdict.clock, self._verdict.clock.now()
        sample = min(count, SAMPLED)
        count = count if last.may_flow else sample
        try:
            for _ in range(sample):
                if last.ended or self._token.cancelled:
                    break
                self._advance(1)
                yield from self._taken()
            middle = clock.now()
            if count > sample and last.may_flow and not (last.ended or self._token.cancelled):
                gate: list[None] = [None] * (count - sample)
                forget = self._token.on_cancel(gate.clear)
                share = last.seconds / max(middle - began, SHORTEST)
                try:
                    yield last.flow_on(gate)
                finally:
                    forget()
                    with suppress(ChannelAborted):  # the verdict knows why
                        last.flowed_on(gate, count - sample, (clock.now() - middle) * share)
            self._sizer.measured(count, clock.now() - began)
            self._take_the_rest()
        finally:
            self._enter()

    def _take_the_rest(self) -> None:
        """Once the last stage has ended, draw all that those before it still give."""
        if self._last.ended and not self._token.cancelled:
            for link in reversed(self._links):
                link.take_the_rest()

    def _taken(self) -> Iterator[Values]:
        """What the last stage has put out since the last time."""
        self._given.extend(filter(None, self._last.put_out_so_far()))
        while self._given:
            yield self._given.popleft()

    def _advance(self, count: int) -> None:
        with suppress(ChannelAborted):  # the verdict knows why
            self._last.go_on(count)

    def _enter(self) -> None:
        """Enter what all have done since the last time."""
        seconds = self._last.seconds
        drawn = [link.drawn_items for link in self._links]
        received = [now - before for now, before in zip(drawn, self._received, strict=True)]
        self._received = drawn
        waits = [min(seconds, k.waited(n)) for k, n in zip(self._links, received, strict=True)]
        self._owed += waits[0]
        for place, link in enumerate(self._links):
            last = link is self._last
            harvest = link.harvest_link(received[place], None if last else received[place + 1])
            harvest.seconds = max(0.0, (seconds if last else waits[place + 1]) - waits[place])
            self._settle(place + 1, harvest)

    def _settle(self, number: int, harvest: Harvest) -> None:
        self._ledger.harvested(self._kernels[number].stages, harvest)
        if harvest.failures:
            self._verdict.items_failed(harvest.failures)
        self._given.extend(filter(None, harvest.outputs))

    def _name(self, number: int) -> str:
        return self._kernels[number].stages[0]

    @contextmanager
    def _blaming(self, number: int) -> Iterator[None]:
        """What a setup or a teardown raises ends the run."""
        try:
            yield
        except Exception as error:
            self._verdict.lane_failed(self._name(number), error)


def _link(kernel: SegmentKernel) -> ChainedStream:
    return ChainedStream(kernel, [[] for _ in kernel.exit_stages], Post(1, kernel.control))

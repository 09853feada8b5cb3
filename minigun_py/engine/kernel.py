"""A segment's stages as one function over a chunk of items.

The stages are compiled into loops of plain Python, so that an item falls through a chain of
stages without a queue, a lock or a call of ours. For ``double`` then ``keep_even``, both giving
one value, and an exit::

    def loop_0(items):
        iterator_0 = iter(items)
        while True:
            try:
                for item_0 in iterator_0:
                    value_0 = call_0(item_0)
                    if value_0 is None:
                        nones[0] += 1
                        continue
                    value_1 = call_1(value_0)
                    ...
                    append_1(value_1)
                return
            except BaseException as error:
                if blame_0(error, (item_0, value_0), iterator_0):
                    return

One iterator drives the loop, so after a failed item it goes on with the next, and what has been
emitted stays. The line of the traceback tells the stage: blame costs nothing until it is needed.
A stage that gives many values, and every branch of a fan-out, has a loop of its own, so that a
failure in one branch takes nothing from its siblings. What a function yields or emits by ``output``
is gathered before anything follows: an item that fails has given nothing.

A failure that its stage's policy does not forgive ends the loops there and then. Items they had
not come to are counted as cancelled: each loop, as it unwinds, says what its iterator still held.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from minigun_py.clock import SYSTEM_CLOCK, Clock
from minigun_py.contexts.kernel import Control, Functions, Post
from minigun_py.contexts.registry import traits_of
from minigun_py.engine.bound_segment import BoundSegment
from minigun_py.engine.bound_source import BoundSource
from minigun_py.engine.codegen import generate
from minigun_py.engine.loops import Loops
from minigun_py.engine.verdict import Verdict
from minigun_py.engine.worker_rules import WorkerRules
from minigun_py.plan.segment import Segment, portable

if TYPE_CHECKING:
    from minigun_py.engine.bound_coroutines import BoundCoroutineSegment

__all__ = ["SegmentKernel", "kernel_for"]

_NOWHERE: Final[Mapping[int, int]] = {}


class SegmentKernel:
    """The kernel of a segment of functions. Bound once for each worker."""

    def __init__(
        self,
        segment: Segment,
        wanted: Sequence[int],
        going_on: Container[str] = (),
        clock: Clock = SYSTEM_CLOCK,
        control: Control | None = None,
        awaits: bool = False,
        at_birth: Functions = (),
        rules: WorkerRules = WorkerRules(),  # noqa: B008 - frozen
    ) -> None:
        """A kernel of a segment.

        Args:
            segment: The stages.
            wanted: Places in `segment.exits` whose outputs are kept; others are only counted.
            going_on: The stages whose failures do not end the work.
            clock: Measures the time of chunks.
            control: The line to the run.
            awaits: Whether it is for tasks on an event loop.
            at_birth: What a worker calls before anything else; for forks, and not sent to others.
            rules: What else is asked of its workers.
        """
        self.awaits, self.at_birth = awaits, at_birth
        self.segment, self.stages = segment, segment.names
        self.rules = rules
        self.goes_on = [name in going_on for name in self.stages]
        mine = frozenset(name for name in self.stages if name in going_on)
        self._made_of = segment, tuple(wanted), mine, awaits, rules
        self.clock, self.control = clock, control or Control()
        self.exits = tuple(segment.exits[place] for place in wanted)
        parts = {n: rules.forwards.get(place) for n, place in enumerate(wanted)}
        self.forwards: Mapping[int, int] = {n: some for n, some in parts.items() if some}
        self.exit_stages = tuple(way_out.stage for way_out in self.exits)
        usual = [way_out.stage for way_out in self.exits if not way_out.references]
        self.gathered = frozenset(filter(self._gathers, range(len(segment.stages))))
        self.loops: Loops = generate(segment, usual, awaits, self.gathered)
        self._bound = _bound(segment)

    @cached_property
    def flow(self) -> Loops | None:
        """Of a source: the loops as a generator, if they can be one."""
        from minigun_py.engine.flow import generate_flow  # here: for inline runs

        return generate_flow(self.segment, self.gathered) if len(self.exits) == 1 else None

    def __reduce__(self) -> tuple[Any, ...]:
        """What has to cross to a worker that has not inherited it: the code, not the run."""
        segment, *rest = self._made_of
        return _rebuilt, (portable(segment), *rest)

    @property
    def timeout(self) -> float | None:
        """Seconds that a worker may be at one item."""
        return self.rules.timeout

    @property
    def max_rss(self) -> int | None:
        """Bytes beyond which a worker process is replaced."""
        return self.rules.max_rss

    @property
    def streams(self) -> bool:
        """Whether outputs leave as they come."""
        return self.rules.streams

    @property
    def holds(self) -> bool:
        """Whether its workers may keep items between leases: its first stage can be flushed."""
        return self.segment.head.keeps_items

    @property
    def is_watched(self) -> bool:
        """Whether something is done before or behind each call of the first stage."""
        return self.rules.looks_at_time or self.stages[0] in self.rules.deeds

    def _gathers(self, index: int) -> bool:
        """Whether the loops gather what a stage emits; elsewhere whoever calls it does."""
        shape = getattr(self.segment.stages[index], "shape", None)
        watched = index == 0 and (self.holds or self.is_watched or self.segment.is_source)
        watched = watched or self.stages[index] in self.rules.deeds
        plain = shape is not None and shape.function is not None
        return plain and not watched and not self.segment.is_routed(index)

    @property
    def functions(self) -> tuple[Callable[..., Any], ...]:
        """What the user wrote: the functions of the stages, their setups and teardowns."""
        return self.segment.functions

    def bind(self, exits: Sequence[Any] | None = None, post: Post | None = None) -> BoundSegment:
        """A copy for one worker, with lists as exits unless others are given."""
        exits = [[] for _ in self.exit_stages] if exits is None else exits
        return self._bound(self, exits, post or Post(1, self.control))

    def bind_coroutines(self, post: Post) -> BoundCoroutineSegment:
        """A copy for the first task of an event loop."""
        from minigun_py.engine.bound_coroutines import BoundCoroutineSegment  # here: for few

        return BoundCoroutineSegment(self, [[] for _ in self.exit_stages], post)


def _bound(segment: Segment) -> type[BoundSegment]:
    """What a copy for a worker is. It is imported by now: who has been forked imports nothing."""
    if segment.is_source:
        return BoundSource
    if segment.head.pulls:
        from minigun_py.engine.bound_stream import BoundStream  # here: for few

        return BoundStream
    return BoundSegment


def kernel_for(
    segment: Segment,
    outputs_wanted: bool,
    verdict: Verdict,
    control: Control,
    shares: bool = False,
    forwards: Mapping[int, int] = _NOWHERE,
) -> SegmentKernel:
    """The kernel of a segment in a run. Outputs that nobody wants are counted and not kept.

    With `shares` its workers tell what came of each item. `forwards` tells, by their places, the
    exits of the segment whose outputs stay pickled, and in how many parts.
    """
    wanted = [n for n, way_out in enumerate(segment.exits) if way_out.targets or outputs_wanted]
    traits = traits_of(segment.spec.kind)
    going_on = {name for name in segment.names if verdict.policy(name).goes_on}
    if segment.head.options.retry is not None:  # its group may try again
        going_on.add(segment.head.name)
    at_birth = verdict.hooks.of("after_fork") if traits.forks else ()
    return SegmentKernel(
        segment,
        wanted,
        going_on,
        verdict.clock,
        control,
        traits.runs_coroutines,
        at_birth,
        WorkerRules.of(segment, traits, shares, forwards),
    )


def _rebuilt(
    segment: Segment,
    wanted: Sequence[int],
    going_on: Container[str],
    awaits: bool,
    rules: WorkerRules,
) -> SegmentKernel:
    return SegmentKernel(segment, wanted, going_on, awaits=awaits, rules=rules)

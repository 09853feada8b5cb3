"""A segment's stages as one function over a chunk of items.

The stages are compiled into loops of plain Python, so that an item falls through a chain of
stages without a queue, a lock or a call of ours. For ``double`` then ``keep_even``, both giving
one value, and an exit::

    def loop_0(items):
        iterator = iter(items)
        while True:
            try:
                for v in iterator:
                    v0 = call_0(v)
                    if v0 is None:
                        nones[0] += 1
                        continue
                    v1 = call_1(v0)
                    ...
                    append_1(v1)
                return
            except BaseException as error:
                if blame_0(error, (v, v0), iterator):
                    return

One iterator drives the loop, so after a failed item it goes on with the next, and what has been
emitted stays. The line of the traceback tells the stage: blame costs nothing until it is needed.
A stage that gives many values, and every branch of a fan-out, has a loop of its own, so that a
failure in one branch takes nothing from its siblings.

A failure that its stage's policy does not forgive ends the loops there and then. Items they had
not come to are counted as cancelled: each loop, as it unwinds, says what its iterator still held.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from minigun_py.clock import SYSTEM_CLOCK, Clock
from minigun_py.contexts.context import Control, Post
from minigun_py.engine.bound_segment import BoundCoroutineSegment, BoundSegment
from minigun_py.engine.codegen import Loops, generate
from minigun_py.plan.segment import Segment, portable

__all__ = ["SegmentKernel"]


class SegmentKernel:
    """The kernel of a segment of functions. Bound once for each worker."""

    holds = False
    due: float | None = None

    def __init__(
        self,
        segment: Segment,
        wanted: Sequence[int],
        policies: Mapping[str, str],
        clock: Clock = SYSTEM_CLOCK,
        control: Control | None = None,
        awaits: bool = False,
    ) -> None:
        """A kernel of a segment.

        Args:
            segment: The stages.
            wanted: Places in `segment.exits` whose outputs are kept; others are only counted.
            policies: By stage, what a failure means; see `engine.failure`.
            clock: Measures the time of chunks.
            control: The line to the run.
            awaits: Whether it is for tasks on an event loop.
        """
        self.awaits = awaits
        self._made_of = segment, tuple(wanted), dict(policies), awaits
        self.segment = segment
        self.policies = [policies.get(name, "fail") for name in segment.names]
        self.clock, self.control = clock, control or Control()
        self.stages = segment.names
        self.exit_stages = tuple(segment.exits[place].stage for place in wanted)
        self.loops: Loops = generate(segment, self.exit_stages, awaits)

    def __reduce__(self) -> tuple[Any, ...]:
        """What has to cross to a worker that has not inherited it: the code, not the run."""
        segment, wanted, policies, awaits = self._made_of
        return _rebuilt, (portable(segment), wanted, policies, awaits)

    @property
    def functions(self) -> tuple[Callable[..., Any], ...]:
        """What the user wrote: the functions of the stages, their setups and teardowns."""
        return self.segment.functions

    def bind(self, exits: Sequence[Any] | None = None, post: Post | None = None) -> BoundSegment:
        """A copy for one worker, with lists as exits unless others are given."""
        exits = [[] for _ in self.exit_stages] if exits is None else exits
        return BoundSegment(self, exits, post or Post(1, self.control))

    def bind_coroutines(self, post: Post) -> BoundCoroutineSegment:
        """A copy for the first task of an event loop."""
        return BoundCoroutineSegment(self, [[] for _ in self.exit_stages], post)


def _rebuilt(
    segment: Segment, wanted: Sequence[int], policies: Mapping[str, str], awaits: bool
) -> SegmentKernel:
    return SegmentKernel(segment, wanted, policies, awaits=awaits)

"""Workers and sources that are opened and closed around a test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from engine.growing import chain
from minigun_py.contexts.answer import Harvest
from minigun_py.contexts.kernel import Post
from minigun_py.engine.bound_coroutines import BoundCoroutineSegment
from minigun_py.engine.bound_segment import BoundSegment
from minigun_py.engine.kernel import SegmentKernel
from minigun_py.engine.source_lane import Source
from minigun_py.plan.segment import Segment

__all__ = ["Awaiting", "awaiting", "drawable", "opened", "opened_source"]


@contextmanager
def opened(
    kernel: SegmentKernel, exits: Sequence[Any] | None = None, post: Post | None = None
) -> Iterator[BoundSegment]:
    """A worker that is ready, and that is closed at the end of the block."""
    worker = kernel.bind(exits, post)
    try:
        worker.open()
        yield worker
    finally:
        worker.close()


class Awaiting:
    """A coroutine worker and its loop, which runs while the test waits and no longer."""

    def __init__(self, runner: asyncio.Runner, worker: BoundCoroutineSegment) -> None:
        self.runner, self.worker = runner, worker

    def run(self, items: Sequence[Any]) -> None:
        """Run a chunk to its end."""
        self.runner.run(self.worker.run(items))

    def harvest(self, received: int) -> Harvest:
        """As any worker."""
        return self.worker.harvest(received)


@contextmanager
def awaiting(kernel: SegmentKernel, post: Post | None = None) -> Iterator[Awaiting]:
    """A coroutine worker that is ready, and that is closed at the end of the block."""
    with asyncio.Runner() as runner:
        worker = kernel.bind_coroutines(post or Post())
        try:
            runner.run(worker.open())
            yield Awaiting(runner, worker)
        finally:
            runner.run(worker.close())


@contextmanager
def opened_source(segment: Segment, kernel: SegmentKernel | None = None) -> Iterator[Source]:
    """A source that can be drawn from, and that is closed at the end of the block."""
    source = Source(segment, kernel or SegmentKernel(segment, [0]), None)
    try:
        source.open()
        yield source
    finally:
        source.close()


@contextmanager
def drawable(items: Any, **functions: Callable[[Any], Any]) -> Iterator[Source]:
    """The same for a chain that begins with these items, or with a function that gives them."""
    with opened_source(chain(functions, items=items)) as source:
        yield source


def going_on(segment: Segment, policy: str) -> tuple[str, ...]:
    """The stages of a segment that go on after a failure, if all have this policy."""
    return segment.names if policy == "skip" else ()

"""The kernel of a batch stage: one lane that keeps items between chunks.

It `holds` items, so its group closes it with a last lease, and it is `due` at times, when its
group sends it an empty lease so that a batch goes although no item came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from minigun_py.clock import SYSTEM_CLOCK, Clock
from minigun_py.contexts.context import BoundCoroutines, Control, Harvest, Post, StageCounts
from minigun_py.engine.batcher import Batcher
from minigun_py.errors import InternalError
from minigun_py.plan.stage import Accumulator

__all__ = ["BatchKernel"]


class BatchKernel:
    """Kernel and worker in one, since there is but one lane."""

    holds = True
    functions: tuple[Callable[..., Any], ...] = ()
    control = Control()

    def __init__(self, stage: Accumulator, wanted: bool, clock: Clock = SYSTEM_CLOCK) -> None:
        self.stages = (stage.name,)
        self.exit_stages = (0,) if wanted else ()
        self._stage, self._wanted, self._clock = stage, wanted, clock
        self._batcher: Batcher[Any] = Batcher(stage.size, stage.max_wait)
        self._batches: list[list[Any]] = []

    @property
    def due(self) -> float | None:
        """When the group has to send an empty lease."""
        return self._batcher.due

    def bind(self, exits: Sequence[Any] | None = None, post: Post | None = None) -> BatchKernel:
        """Itself: a lane of one worker."""
        return self

    def bind_coroutines(self, post: Post) -> BoundCoroutines:
        """It is no coroutine, and the plan places it on none."""
        raise InternalError("a batch does not run on an event loop")

    def open(self) -> None:
        """Nothing is set up."""

    def close(self) -> None:
        """Nothing was set up."""

    def run(self, items: Iterable[Any], where: Callable[[], int] | None = None) -> None:
        """Take items in; full batches go out."""
        self._batches += self._batcher.add(items, self._clock.now())

    def finish(self) -> None:
        """What is left goes out."""
        self._batches += self._batcher.flush()

    def harvest(self, received: int) -> Harvest:
        """Batches since the last harvest. Items count as completed once they are held."""
        batches, self._batches = self._batches, []
        counts = StageCounts(received=received, completed=received, emitted=len(batches))
        return Harvest([batches] if self._wanted else [], [counts])

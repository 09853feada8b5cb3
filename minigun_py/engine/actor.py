"""What one worker calls for one stage.

A stage made of functions is called as it was declared. An instance of a `Stage` is copied for each
worker, so that workers, and runs, share nothing that it keeps.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from minigun_py.errors import UsageError
from minigun_py.plan.own_stage import NumberedStage, Stage, TimedStage
from minigun_py.plan.signature import Shape, shape_of_flush, shape_of_process
from minigun_py.plan.stage import DeclaredStage, OwnStage
from minigun_py.record import record

__all__ = ["Actor", "actor_of"]


@record
class Actor:
    """The functions of a stage for one worker."""

    shape: Shape
    setup: Callable[[], Any] | None = None
    teardown: Callable[[Any], Any] | None = None
    flush: Callable[[], Any] | None = None
    """Gives an iterable of what is still held."""
    timed: TimedStage | None = None
    """The instance itself, if it wants to know the time."""
    numbered: NumberedStage | None = None
    """The instance itself, if it tells which items it has finished with."""


def actor_of(stage: DeclaredStage) -> Actor:
    """What a worker calls for a stage. Raises `UsageError` for an instance that has no copy."""
    if not isinstance(stage, OwnStage):
        shape: Shape = stage.shape  # type: ignore[attr-defined]
        return Actor(shape, stage.options.setup, stage.options.teardown)
    mine = _copied(stage)
    return Actor(
        shape_of_process(mine.process, str(stage)),
        mine.setup,
        lambda _: mine.teardown(),
        _flush_of(mine, stage),
        mine if isinstance(mine, TimedStage) else None,
        mine if isinstance(mine, NumberedStage) else None,
    )


def _copied(stage: OwnStage) -> Stage:
    try:
        return copy.deepcopy(stage.instance)
    except Exception as error:
        raise UsageError(
            f"{stage}: each worker has a copy of it, and it cannot be copied ({error}); make in "
            "its setup what cannot"
        ) from error


def _flush_of(mine: Stage, stage: OwnStage) -> Callable[[], Any] | None:
    if type(mine).flush is Stage.flush:
        return None
    return shape_of_flush(mine.flush, f"{stage}, flush").call

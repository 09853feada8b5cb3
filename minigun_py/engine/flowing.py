"""A worker whose outputs flow out of a generator, value by value; see `flow` for its loops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from minigun_py.emission import Target
from minigun_py.engine.bound_segment import BoundSegment
from minigun_py.engine.current import Current
from minigun_py.engine.loops import Loops
from minigun_py.engine.segment_worker import Stopped

__all__ = ["Flowing"]


class Flowing(BoundSegment):
    """A worker that draws its items itself, and can let flow what comes of them."""

    _flow: Callable[[Iterator[Any]], Iterator[Any]] | None = None
    _gate: list[None]
    _caught: list[BaseException]

    @property
    def seconds(self) -> float:
        """The time in the stages since the last harvest."""
        return self._seconds

    @property
    def may_flow(self) -> bool:
        """Whether outputs can flow: not behind a failure, which has to be told of first."""
        return self._kernel.flow is not None and not self._failures

    def flow(self, items: Iterator[Any], gate: list[None]) -> Iterator[Any]:
        """What comes of items, value by value.

        There are as many items as `gate` has entries. None is drawn after it was cleared, as it is
        by a failure. `flowed` has to be called behind it.
        """
        self._items, self._gate = items, gate
        flow = self._flow = self._flow or self._built_flow()
        return flow(zip(gate, items, strict=False))

    def _built_flow(self) -> Callable[[Iterator[Any]], Iterator[Any]]:
        loops = self._kernel.flow
        assert loops is not None
        self._caught = []
        names = self._names(loops, _InFlow(self, loops))
        names["hold"] = self._caught.append
        exec(loops.code, names)
        flow: Callable[[Iterator[Any]], Iterator[Any]] = names["loop_0"]
        return flow

    def flowed(self, seconds: float) -> None:
        """Note the time in the stages. Raises what has ended the flow, if that was an error."""
        self._seconds += seconds
        while self._caught:
            error = self._caught.pop()
            if not isinstance(error, Stopped):
                raise error

    def _fail(self, index: int, item: Any, error: Exception | SystemExit) -> bool:
        if self._flow is not None:
            self._gate.clear()
        return super()._fail(index, item, error)


class _InFlow:
    """A worker in its flow, whose lines are not those of its other loops."""

    sets_up = False

    def __init__(self, worker: Flowing, loops: Loops) -> None:
        self._worker, self._loops = worker, loops

    def current_at(self, line: int | None) -> Current:
        """The stage on this line."""
        return self._worker.current_in(self._loops.stage_at(line))

    def check_targets(self, line: int, targets: Sequence[Target]) -> None:
        """Raise `UsageError` if what runs on this line may not send there."""
        self._worker.check_targets_of(self._loops.stage_at(line), targets)

"""Who is at the switchboard of a run: the loops of its processes and interpreters, and one visitor.

The visitor is who waits for what those loops bring about: whoever takes the outputs of a stream, if
they come from there; else the first stage in the caller's process that gets items from there.

But the thread of the user is not lent to what may keep it: to functions of his that the loops call,
or to anything at all if the run is to end at some time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from minigun_py.contexts import registry
from minigun_py.engine.verdict import Verdict
from minigun_py.placement import ContextKind
from minigun_py.plan.segment import Segment
from minigun_py.primitives.cancel import CancelToken

if TYPE_CHECKING:
    from minigun_py.contexts.switchboard import Switchboard
    from minigun_py.contexts.visitor import Visitor

__all__ = ["Seating", "may_be_lent"]


class Seating:
    """The board of a run, if it has one.

    Args:
        segments: The segments of the run.
        takes: Whether somebody takes the outputs, and his thread may be lent.
    """

    def __init__(self, segments: Sequence[Segment], takes: bool) -> None:
        polled = [segment for segment in segments if _is_polled(segment)]
        exits = [way_out for segment in polled for way_out in segment.exits]
        fed = {target for way_out in exits for target in way_out.targets}
        beside = [s.head.name for s in segments if s.head.name in fed and _is_inline(s)]
        self._taker_visits = takes and not all(way_out.targets for way_out in exits)
        self._seated = {segment.head.name for segment in polled}
        self._seated |= set() if self._taker_visits else set(beside[:1])
        self._board = _board() if polled else None

    def board_of(self, segment: Segment) -> Switchboard | None:
        """The board, if the context of this segment is at it."""
        return self._board if segment.head.name in self._seated else None

    def taker(self) -> Visitor | None:
        """As whom to visit it when taking outputs; None if they come from elsewhere."""
        if self._board is None or not self._taker_visits:
            return None
        from minigun_py.contexts.visitor import Visitor

        return Visitor(self._board)

    def hurry(self) -> None:
        """Have somebody see to the loops at once, wherever the visitor is."""
        if self._board is not None:
            self._board.hurry()

    def close(self) -> None:
        """All loops have ended. Idempotent."""
        if self._board is not None:
            self._board.close()


def may_be_lent(segments: Iterable[Segment], verdict: Verdict, token: CancelToken) -> bool:
    """Whether nothing is there that may keep the user's thread, but what pickling calls."""
    stages = [stage for segment in segments for stage in segment.stages]
    return not (
        token.remaining() is not None
        or verdict.observers
        or verdict.hooks.of("on_failure")
        or any(stage.worker_key is not None for stage in stages)
        or any(callable(verdict.policy(stage.name).on_error) for stage in stages)
    )


def _is_polled(segment: Segment) -> bool:
    """Whether its workers are behind sockets."""
    return not segment.is_source and registry.traits_of(segment.spec.kind).polled


def _is_inline(segment: Segment) -> bool:
    return not segment.is_source and segment.spec.kind is ContextKind.INLINE


def _board() -> Switchboard:
    from minigun_py.contexts.switchboard import Switchboard  # here: threads have no use for it

    return Switchboard()

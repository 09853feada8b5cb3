"""Outputs that leave at once, and what is said of an item that fails when some have left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from minigun_py.contexts.answer import ItemFailure
from minigun_py.contexts.kernel import PutOut
from minigun_py.engine.router import Router
from minigun_py.plan.segment import Exit

__all__ = ["Emitter", "with_note"]


class _PutsOut(Protocol):
    put_out: PutOut
    """Another one for each item, maybe."""


class Emitter:
    """What a stage of one worker is called with, to have each value leave at once.

    Args:
        router: Deals values out, if the stage says where they go.
        exits: The ways out, each with the list that a router puts values on.
        emitted, usual: Count the values, and those that flow on as usual.
        worker: Has values leave by an exit.
    """

    def __init__(
        self,
        router: Router | None,
        exits: Sequence[tuple[Exit, list[Any]]],
        emitted: list[int],
        usual: list[int],
        worker: _PutsOut,
    ) -> None:
        self._router, self._exits, self._worker = router, exits, worker
        self._emitted, self._usual = emitted, usual

    def __call__(self, value: Any) -> None:
        """Let a value leave."""
        count, usual = 1, [value]
        if self._router is not None:
            count, usual = self._router.deal((value,))
            self._usual[0] += len(usual)
        self._emitted[0] += count
        for number, (way_out, routed) in enumerate(self._exits):
            values = routed[:] if way_out.references else usual
            routed.clear()
            if values:
                self._worker.put_out(number, values)


def with_note(failure: ItemFailure, left: int) -> ItemFailure:
    """The failure; its error says how many outputs had left, if any had."""
    if left:
        failure.error.add_note(f"{left} of its outputs had left by then, and are not taken back")
    return failure

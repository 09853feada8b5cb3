"""Runs a stage again on the item that it failed on, from a failure capsule."""

from __future__ import annotations

import pdb
from collections.abc import Callable
from typing import Any

from minigun_py.engine.capsules import Capsule
from minigun_py.engine.kernel import SegmentKernel
from minigun_py.engine.report import shown
from minigun_py.plan.segment import Exit

__all__ = ["replay_capsule"]


def replay_capsule(
    capsule: Capsule, kernel: SegmentKernel, say: Callable[[str], None], debug: bool
) -> Exception | None:
    """Run the stage, inline, and say what it emits. Returns the error if it fails again.

    Args:
        capsule: Holds the item.
        kernel: The stage: that of the capsule, or as it is by now.
        say: Is given what is to be printed.
        debug: Whether to stop in the debugger where it fails.
    """
    item = capsule.item()
    say(f"{capsule.stage} on {capsule.told['item']}")
    worker = kernel.bind()
    worker.open()
    try:
        turns = _OneTurn(item)
        worker.work(turns)
        harvest = worker.harvest(1)
    finally:
        worker.close()
    for number, values in (*turns.emitted, *enumerate(harvest.outputs)):
        for value in values:
            say(f"emits {shown(value)}{_target(kernel.exits[number])}")
    if not harvest.failures:
        say("it did not fail this time")
        return None
    error = harvest.failures[0].error
    if debug:
        pdb.post_mortem(error.__traceback__)
    return error


class _OneTurn:
    """The turns of a worker that is given one item."""

    flush, attempt = False, 1

    def __init__(self, item: Any) -> None:
        self._turns = iter([[item]])
        self.emitted: list[tuple[int, list[Any]]] = []
        """What has left at once, with its exit."""

    def next(self) -> list[Any] | None:
        return next(self._turns, None)

    def running(self) -> int:
        return 0

    def put_out(self, way_out: int, values: list[Any]) -> None:
        self.emitted.append((way_out, values))


def _target(way_out: Exit) -> str:
    return f" to {', '.join(way_out.targets)}" if way_out.targets else ""

"""In which order a run stops: drain, then cancel, then kill, each with a deadline. Pure.

::

    RUNNING ──drain──> DRAINING ──cancel──> CANCELLING ──kill──> KILLING
        └───────────────cancel──────────────────^

A phase that takes longer than its patience gives way to the next. The orchestrator carries out
what a phase means; here is only which phase it is.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from minigun_py.clock import Clock, Deadline

__all__ = ["Phase", "Shutdown"]


class Phase(IntEnum):
    """How far the end of a run has come."""

    RUNNING = 0
    DRAINING = 1
    """Sources give nothing more; what is in flight ends."""
    CANCELLING = 2
    """Channels are cut; workers end after the item they run."""
    KILLING = 3
    """What can be ended by force is; threads that are stuck are left behind, by name."""


PATIENCE: Final = {Phase.DRAINING: 10.0, Phase.CANCELLING: 10.0, Phase.KILLING: 1.0}
"""Seconds that a phase may take before the next one begins."""


class Shutdown:
    """The phase of a run. It only goes forward."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.phase = Phase.RUNNING
        self._deadline = Deadline(None, clock)

    def enter(self, phase: Phase) -> bool:
        """Go forward to `phase`. False if the run is there already, or further."""
        if phase <= self.phase:
            return False
        self.phase = phase
        self._deadline = Deadline.after(PATIENCE[phase], self._clock)
        return True

    def remaining(self) -> float | None:
        """Seconds that this phase may still take; None while nothing ends."""
        return self._deadline.remaining()

    def overdue(self) -> Phase | None:
        """The phase to enter because this one took too long; None when there is none."""
        if not self._deadline.passed or self.phase is Phase.KILLING:
            return None
        return Phase(self.phase + 1)

    @property
    def given_up(self) -> bool:
        """Whether even the last phase took too long."""
        return self.phase is Phase.KILLING and self._deadline.passed

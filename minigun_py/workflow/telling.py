"""What is told of a step that has ended, as an event."""

from __future__ import annotations

from minigun_py.events import Event, StepCancelled, StepCompleted, StepFailed, StepSkipped
from minigun_py.workflow.result import StepResult, StepState

__all__ = ["ending_of"]


def ending_of(now: float, result: StepResult) -> Event:
    """The event that says how a step ended."""
    match result.state:
        case StepState.COMPLETED:
            return StepCompleted(now, result.name, result.duration, result.kept)
        case StepState.FAILED:
            return StepFailed(now, result.name, result.cause)
        case StepState.SKIPPED:
            return StepSkipped(now, result.name, result.cause)
        case StepState.CANCELLED:
            return StepCancelled(now, result.name, result.cause)

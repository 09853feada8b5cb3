"""What became of the steps of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from minigun_py.errors import JobCancelled
from minigun_py.outcome import Warned
from minigun_py.record import record

__all__ = ["Results", "StepResult", "StepState"]


class StepState(StrEnum):
    """How a step ended. Each ends in one of these ways."""

    COMPLETED = "completed"
    FAILED = "failed"
    """It raised, took too long or too much memory, or its worker died."""
    SKIPPED = "skipped"
    """Its condition did not hold, or a step that it depends on did not complete."""
    CANCELLED = "cancelled"
    """It was stopped before it ended, or never began, since the run was ended."""


@record(eq=False)
class StepResult:
    """What became of a step."""

    name: str
    state: StepState
    value: Any = None
    """What it returned; a list with an element for each instance of a mapped step."""
    cause: Any = None
    """Why it did not complete: the error of this step, or of the one that it would have followed;
    or in words the condition that did not hold; or the reason of the cancel."""
    chain: tuple[str, ...] = ()
    """The steps that led here, each of which waited for the one before; this one is the last."""
    start: float | None = None
    """When the first attempt began, in seconds since the epoch; None if it never did."""
    duration: float = 0.0
    """Seconds that the last attempt took; of a mapped step, all its instances together."""
    attempts: int = 0
    """How often it was tried."""
    peak_memory: int | None = None
    """The most bytes that its process ever had in memory meanwhile, if it had one of its own."""
    warnings: tuple[Warned, ...] = ()
    """What the last attempt warned of."""
    kept: bool = False
    """Whether the value is that of an earlier run."""
    why_run: str | None = None
    """Why no kept value was taken, if the values of this step are kept."""
    instances: tuple[StepResult, ...] = ()
    """Of a mapped step, one for each element."""

    @property
    def ok(self) -> bool:
        """Whether it completed."""
        return self.state is StepState.COMPLETED

    @property
    def type(self) -> type | None:
        """Of what type the value is; None if there is none."""
        return type(self.value) if self.ok else None

    @property
    def error(self) -> BaseException | None:
        """The error of this step, if it failed."""
        return self.cause if self.state is StepState.FAILED else None


class Results:
    """What became of every step of a run, by name and in the order of their definition."""

    def __init__(
        self,
        steps: Mapping[str, StepResult],
        total_duration: float,
        cleanup_errors: tuple[Exception, ...] = (),
    ) -> None:
        self.steps = dict(steps)
        """How each ended."""
        self.total_duration = total_duration
        """Seconds by the clock on the wall."""
        self.cleanup_errors = cleanup_errors
        """What the functions raised that clean up."""

    def __getitem__(self, name: str) -> StepResult:
        return self.steps[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def ok(self) -> bool:
        """Whether nothing failed and nothing was cancelled. A condition may skip what it likes."""
        bad = (StepState.FAILED, StepState.CANCELLED)
        return not (self.cleanup_errors or any(r.state in bad for r in self.steps.values()))

    @property
    def values(self) -> dict[str, Any]:
        """What the completed steps gave, by name."""
        return {name: result.value for name, result in self.steps.items() if result.ok}

    def in_state(self, state: StepState | str) -> tuple[str, ...]:
        """The names of the steps that ended so."""
        return tuple(name for name, result in self.steps.items() if result.state == state)

    def raise_failures(self) -> None:
        """Raise what went wrong, unless nothing did.

        Raises:
            ExceptionGroup: The errors of failed steps and of those that clean up, and a
                `JobCancelled` for each step that was cancelled.
        """
        errors = [error for name, result in self.steps.items() if (error := _error(name, result))]
        errors += self.cleanup_errors
        if errors:
            raise ExceptionGroup(f"{len(errors)} errors in {len(self)} steps", errors)

    def __repr__(self) -> str:
        told = (f"{name}: {result.state}" for name, result in self.steps.items())
        return f"<Results {', '.join(told)}>"


def _error(name: str, result: StepResult) -> Exception | None:
    if result.state is StepState.CANCELLED:
        return JobCancelled(name, result.cause)
    error = result.error
    return error if error is None or isinstance(error, Exception) else JobCancelled(name, error)

"""The instances of a mapped step: what each receives, and what became of all of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from minigun_py.record import replace
from minigun_py.workflow.result import StepResult, StepState
from minigun_py.workflow.step import Step

__all__ = ["elements_of", "joined", "with_rest"]


def elements_of(step: Step, arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What each instance receives in place of lists. None if there is no list.

    Raises:
        TypeError: What should be a list is none.
        ValueError: One list is longer than another.
    """
    each = step.options.each
    if not all(name in arguments for name in each):
        return
    columns = {name: _listed(arguments[name], source, step) for name, source in each.items()}
    lengths = {each[name]: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{count} of {source!r}" for source, count in lengths.items())
        raise ValueError(f"step {step.name!r} takes one element of each, and there are {told}")
    for row in zip(*columns.values(), strict=True):
        yield dict(zip(columns, row, strict=True))


def _listed(value: Any, source: str, step: Step) -> list[Any]:
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise TypeError(
            f"step {step.name!r} runs for each element of {source!r}, which is to be a list, and "
            f"not {value!r:.100}"
        )
    return list(value)


def joined(step: Step, parts: Sequence[StepResult], chain: tuple[str, ...]) -> StepResult:
    """What became of a mapped step, all of whose instances have ended."""
    errors = [part.error for part in parts if part.error is not None]
    cancelled = [part for part in parts if part.state is StepState.CANCELLED]
    peaks = [part.peak_memory for part in parts if part.peak_memory is not None]
    told: dict[str, Any] = {
        "start": min((part.start for part in parts if part.start is not None), default=None),
        "duration": sum(part.duration for part in parts),
        "attempts": max(part.attempts for part in parts),
        "peak_memory": max(peaks, default=None),
        "warnings": tuple(warning for part in parts for warning in part.warnings),
        "instances": tuple(parts),
    }
    if errors:
        cause = _as_one(step, errors, len(parts))
        return StepResult(step.name, StepState.FAILED, cause=cause, chain=chain, **told)
    if cancelled:
        cause = cancelled[0].cause
        return StepResult(step.name, StepState.CANCELLED, cause=cause, chain=chain, **told)
    values = [part.value for part in parts]
    kept = all(part.kept for part in parts)
    return StepResult(step.name, StepState.COMPLETED, value=values, kept=kept, **told)


def with_rest(step: Step, parts: Sequence[StepResult | None], rest: StepResult) -> list[StepResult]:
    """The same, with what became of those that have not ended."""
    return [p or replace(rest, name=f"{step.name}[{i}]") for i, p in enumerate(parts)]


def _as_one(step: Step, errors: list[BaseException], count: int) -> BaseException:
    if len(errors) == 1:
        return errors[0]
    return BaseExceptionGroup(f"{len(errors)} of {count} instances of {step.name!r}", errors)

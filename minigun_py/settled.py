"""How named jobs ended, all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from minigun_py.errors import JobCancelled
from minigun_py.outcome import Cancelled, Failure, Outcome, Success, TimedOut
from minigun_py.record import record

__all__ = ["Settled"]

T = TypeVar("T")


@record
class Settled(Generic[T]):
    """What became of every job, by name and in the order in which they were given."""

    results: Mapping[str, Outcome[T]]
    total_duration: float
    """Seconds by the clock on the wall, from the first beginning to the last end."""

    def __getitem__(self, name: str) -> Outcome[T]:
        return self.results[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    @property
    def ok(self) -> bool:
        """Whether all were successes."""
        return not self.failure_count

    @property
    def success_count(self) -> int:
        """How many were."""
        return sum(isinstance(result, Success) for result in self.results.values())

    @property
    def failure_count(self) -> int:
        """How many were not: they failed, took too long, or were cancelled."""
        return len(self.results) - self.success_count

    @property
    def all_completed(self) -> bool:
        """Whether each came to an end by itself, good or bad."""
        return not any(isinstance(r, Cancelled | TimedOut) for r in self.results.values())

    @property
    def values(self) -> dict[str, T]:
        """What the successes gave, by name."""
        return {n: r.value for n, r in self.results.items() if isinstance(r, Success)}

    def raise_failures(self) -> None:
        """Raise what went wrong, unless nothing did.

        Raises:
            ExceptionGroup: The errors in the order of the jobs, each with a note that names its
                job: what a job raised, a `TimeoutError`, or a `JobCancelled`.
        """
        errors: list[Exception] = []
        for name, result in self.results.items():
            if not isinstance(result, Success):
                error = _as_error(name, result)
                error.add_note(f"in job {name!r}")
                errors.append(error)
        if errors:
            count = f"{len(errors)} of {len(self.results)} jobs did not succeed"
            raise ExceptionGroup(count, errors)


def _as_error(name: str, result: Failure | TimedOut | Cancelled) -> Exception:
    if isinstance(result, Cancelled):
        return JobCancelled(name, result.reason)
    return result.error if isinstance(result.error, Exception) else JobCancelled(name, result.error)

"""How urgent each step is: how long the rest of the workflow takes at least once it begins. Pure.

It is the longest path to the end (J. E. Kelley, M. R. Walker, *Critical-Path Planning and
Scheduling*, 1959); to begin with the step on the longest one is list scheduling (R. L. Graham,
*Bounds on Multiprocessing Timing Anomalies*, 1969).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["critical_path", "urgencies"]


def urgencies(
    order: Iterable[int],
    successors: Sequence[Sequence[int]],
    durations: Sequence[float | None],
) -> list[float]:
    """Seconds from the beginning of each step to the end of the last that waits for it.

    A step of which no duration is known counts as one of middling length, and all as one second if
    none is known: then it is how many steps follow each other.

    Args:
        order: The numbers of the steps, each after those that it depends on.
        successors: For each step those that depend on it.
        durations: For each step how long it took before, in seconds.
    """
    known = [seconds for seconds in durations if seconds is not None]
    usual = sum(known) / len(known) if known else 1.0
    urgent = [0.0] * len(durations)
    for number in reversed(list(order)):
        own = durations[number]
        after = max([urgent[s] for s in successors[number]]) if successors[number] else 0.0
        urgent[number] = (usual if own is None else own) + after
    return urgent


def critical_path(
    order: Iterable[int], successors: Sequence[Sequence[int]], urgent: Sequence[float]
) -> list[int]:
    """The longest path: no run can be faster than what is on it."""
    path: list[int] = []
    following: Iterable[int] = order
    while (best := max(following, key=lambda n: urgent[n], default=None)) is not None:
        path.append(best)
        following = successors[best]
    return path

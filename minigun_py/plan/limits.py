"""The limits `max_threads` and `max_processes`: who gets fewer workers when there are too many.

A limit is a promise about the whole pipeline, a number of workers a wish of one stage. Wishes
that the user did not write are cut first, then written ones, and the user is told of those. If
not even one worker for each segment fits, segments have to merge: the cheapest pair first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from minigun_py.record import record

__all__ = ["Fitted", "Wanted", "cheapest_merge", "fit"]


@record
class Wanted:
    """The workers that a segment would like to have."""

    name: str
    """The stage at the head of the segment."""

    pool: str | None
    """Whose limit counts: "threads" or "processes". None: no limit does."""

    workers: int

    explicit: bool
    """Whether the user wrote the number; not so for "auto" and for hints."""


@record
class Fitted:
    """The workers that every segment gets."""

    workers: dict[str, int]
    """By the name of the head."""

    cuts: tuple[str, ...]
    """A sentence for each number that the user wrote and does not get."""

    too_many: str | None
    """The pool that has more segments than workers, so that some must merge; None if all fit."""


def fit(wanted: Sequence[Wanted], limits: Mapping[str, int | None]) -> Fitted:
    """Cut the wishes, given in flow order, to the limits by pool; None is no limit.

    One worker at a time is taken from the segment that has the most, the last in flow order
    among equals, and nobody is left without one. Costs a pass over the wishes for each worker
    that is taken.
    """
    workers = {want.name: want.workers for want in wanted}
    cuts: list[str] = []
    too_many: str | None = None
    for pool, limit in limits.items():
        if limit is None:
            continue
        members = [want for want in wanted if want.pool == pool]
        if len(members) > limit:
            too_many = too_many or pool
        _cut([want.name for want in members if not want.explicit], members, workers, limit)
        _cut([want.name for want in members], members, workers, limit)
        cuts.extend(
            _told_of(want, workers[want.name], f"max_{pool} is {limit}")
            for want in members
            if want.explicit and workers[want.name] < want.workers
        )
    return Fitted(workers, tuple(cuts), too_many)


def cheapest_merge(
    candidates: Sequence[tuple[str, str]], workers: Mapping[str, int], order: Sequence[str]
) -> tuple[str, str] | None:
    """The pair of neighbours, upstream and downstream, whose workers together are the fewest.

    Among equals the first in flow order `order`; None if there are no candidates.
    """
    place = {name: position for position, name in enumerate(order)}

    def cost(pair: tuple[str, str]) -> tuple[int, int, int]:
        upstream, downstream = pair
        return workers[upstream] + workers[downstream], place[upstream], place[downstream]

    return min(candidates, key=cost, default=None)


def _cut(names: list[str], members: list[Wanted], workers: dict[str, int], limit: int) -> None:
    """Take from `names` until all members fit, or until each of `names` has one worker left."""
    excess = sum(workers[want.name] for want in members) - limit
    spare = sum(workers[name] - 1 for name in names)
    for _ in range(min(excess, spare)):
        # `max` gives the first among equals, so it has to look from the end.
        richest = max(reversed(names), key=workers.__getitem__)
        workers[richest] -= 1


def _told_of(want: Wanted, gets: int, limit: str) -> str:
    return f"stage {want.name!r} wants {want.workers} workers and gets {gets}, since {limit}"

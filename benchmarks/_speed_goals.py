"""What is made of the measurements: ratios within a round, and whether a goal is met. Pure.

The machine is not idle while it is measured, so a time alone says little. A case is set against
another one of the same round, and the median of these ratios is what counts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

__all__ = [
    "Figure",
    "Goal",
    "Outcome",
    "Rounds",
    "amount",
    "at_speed_of",
    "faster_than_peers",
    "median_each",
    "minima_ratio",
    "no_dearer",
    "ratio",
]


@dataclass(frozen=True)
class Outcome:
    """How a case ended in one round."""

    each: float | None = None  # what an item cost; None: it came to no result
    also: Mapping[str, float] = field(default_factory=dict)
    trouble: str = ""  # what went wrong, if something did


Rounds = Mapping[str, Sequence[Outcome]]
"""The outcomes of cases by their names, round by round. What failed once was not tried again."""


@dataclass(frozen=True)
class Figure:
    """What was reached, and what it was set against if that was found out by measuring."""

    value: float
    against: str = ""


@dataclass(frozen=True)
class Goal:
    """A figure to be reached."""

    words: str
    limit: float
    figure: Callable[[Rounds], Figure | None]  # None: nothing was measured
    at_least: bool = False

    def met(self, figure: Figure) -> bool:
        """Whether a figure is good enough."""
        return figure.value >= self.limit if self.at_least else figure.value <= self.limit


def ratio(rounds: Rounds, case: str, reference: str) -> float | None:
    """How much dearer a case is than another: the median over rounds of their ratios."""
    ratios = [
        mine.each / its.each
        for mine, its in zip(rounds.get(case, ()), rounds.get(reference, ()), strict=False)
        if mine.each is not None and its.each is not None and its.each > 0
    ]
    return median(ratios) if ratios else None


def measured(rounds: Rounds, case: str) -> list[float]:
    """What an item cost in the rounds that a case came through."""
    return [outcome.each for outcome in rounds.get(case, ()) if outcome.each is not None]


def median_each(rounds: Rounds, case: str) -> float | None:
    """What an item cost, as the median of all rounds."""
    costs = measured(rounds, case)
    return median(costs) if costs else None


def minima_ratio(rounds: Rounds, case: str, reference: str) -> float | None:
    """The best round of a case against the best one of another; a cost below zero is noise."""
    mine = min(measured(rounds, case), default=None)
    its = min(measured(rounds, reference), default=None)
    return None if mine is None or its is None or min(mine, its) <= 0 else mine / its


def no_dearer(case: str, reference: str, times: float, words: str) -> Goal:
    """An item costs at most so many times what it costs the reference."""
    return Goal(f"{words}: at most {times:g} times", times, lambda r: beside(r, case, reference))


def at_speed_of(case: str, reference: str, share: float, words: str) -> Goal:
    """It has at least so much of the speed of the reference."""
    return Goal(
        f"{words}: at least {share:g} of the speed",
        share,
        lambda rounds: beside(rounds, reference, case),
        at_least=True,
    )


def beside(rounds: Rounds, case: str, reference: str) -> Figure | None:
    """A ratio as a figure."""
    value = ratio(rounds, case, reference)
    return None if value is None else Figure(value)


def faster_than_peers(
    case: str, times: float, words: str, but: Collection[str] = (), only: str = ""
) -> Goal:
    """So many times as fast as the best of all peers, or of those whose names begin so.

    Peers are all cases of the workload that are neither our own nor among those left out.
    """

    def figure(rounds: Rounds) -> Figure | None:
        ours = case.partition(",")[0]
        factors = [
            (factor, name)
            for name in rounds
            if name.startswith(only) and not name.startswith((ours, *but))
            if (factor := ratio(rounds, name, case)) is not None
        ]
        return Figure(*min(factors)) if factors else None

    return Goal(f"{words}: at least {times:g} times as fast", times, figure, at_least=True)


def amount(case: str, limit: float, words: str, of: str = "", scale: float = 1.0) -> Goal:
    """What an item costs, or another figure of that name, is at most so much."""

    def figure(rounds: Rounds) -> Figure | None:
        outcomes = [outcome for outcome in rounds.get(case, ()) if outcome.each is not None]
        values = [outcome.also[of] if of else (outcome.each or 0.0) for outcome in outcomes]
        return Figure(median(values) * scale) if values else None

    return Goal(f"{words}: at most {limit:g}", limit, figure)

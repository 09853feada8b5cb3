"""The kinds of context in which the programs of the original are tried.

All that is used of the library is its public door. A pipeline says the kind once, so its
processors go there; its producers and consumers stay with the test.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Final

import pytest

from minigun_py import Pipeline

__all__ = [
    "FORKING",
    "PROCESSES",
    "SINGLY",
    "SOAK",
    "forks",
    "in_every_kind",
    "in_kinds",
    "in_other_memory",
    "in_other_processes",
    "in_pairs_of_kinds",
    "in_quick_kinds",
    "in_quick_processes",
    "pipeline",
    "where",
]

PROCESSES: Final = ("fork", "cow_fork", "process")
FORKING: Final = ("fork", "cow_fork")
SINGLY: Final = "cow_fork"
"""Its workers live for one item."""

SOAK: Final = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
"""Whether time does not matter."""

HAS_INTERPRETERS: Final = sys.version_info >= (3, 14)
_FALLS_BACK: Final = pytest.mark.filterwarnings(
    "ignore:.*subinterpreter cannot run here:minigun_py.errors.PlanWarning"
)


def in_kinds(*kinds: str) -> pytest.MarkDecorator:
    """Try these kinds. Where there are no subinterpreters, what stands in for them is tried."""
    return pytest.mark.parametrize("kind", [_kind(kind) for kind in kinds])


def in_pairs_of_kinds(*pairs: tuple[str, str]) -> pytest.MarkDecorator:
    """Try these kinds, one after the other in one pipeline."""
    return pytest.mark.parametrize(
        ("first", "second"), [pytest.param(*pair, marks=_marks(*pair)) for pair in pairs]
    )


def _kind(kind: str) -> Any:
    return pytest.param(kind, marks=_marks(kind))


def _marks(*kinds: str) -> list[pytest.MarkDecorator]:
    return [_FALLS_BACK] if "subinterpreter" in kinds and not HAS_INTERPRETERS else []


EVERY: Final = ("inline", "thread", *PROCESSES, "subinterpreter")
QUICK: Final = EVERY if SOAK else ("inline", "thread", *FORKING)

in_every_kind = in_kinds(*EVERY)
in_quick_kinds = in_kinds(*QUICK)
"""For what is decided before any worker starts: workers that start slowly tell nothing more."""

in_other_memory = in_kinds(*PROCESSES, "subinterpreter")
in_other_processes = in_kinds(*PROCESSES)
in_quick_processes = in_kinds(*(PROCESSES if SOAK else FORKING))


def forks(kind: str) -> bool:
    """Whether workers of this kind are forked here."""
    return kind in FORKING or (kind == "subinterpreter" and not HAS_INTERPRETERS)


def where(kind: str, workers: int | None = None) -> dict[str, Any]:
    """The options by which a stage says that it runs there.

    With no number it has two workers, or one where they take long to start.
    """
    if kind == "inline":
        return {"execution": kind}
    slow = kind in ("process", "subinterpreter") and not SOAK
    return {"execution": kind, "workers": workers or (1 if slow else 2)}


def pipeline(kind: str, workers: int | None = None, **options: Any) -> Pipeline:
    """A pipeline whose processors run there."""
    return Pipeline("original", **where(kind, workers), **options)

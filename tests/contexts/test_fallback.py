"""Where a kind cannot run, the nearest that means the same does."""

from __future__ import annotations

import sys

import pytest

from minigun_py.clock import Deadline
from minigun_py.contexts import fallback
from minigun_py.contexts.call_kernel import CallKernel
from minigun_py.contexts.fallback import ATTEMPTS, nearest_spec, open_nearest
from minigun_py.contexts.inline import InlineContext
from minigun_py.errors import KindUnavailable, UsageError
from minigun_py.placement import ContextKind, ContextSpec

FORK = ContextSpec(ContextKind.FORK, 3)


@pytest.fixture
def unforkable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system whose libraries do not survive a fork."""
    monkeypatch.setattr(sys, "platform", "darwin")


def test_what_can_run_is_left_as_it_is() -> None:
    assert nearest_spec(FORK) == (FORK, None)


@pytest.mark.usefixtures("unforkable")
def test_fresh_processes_stand_in_for_forks() -> None:
    spec, why = nearest_spec(FORK)
    assert spec == ContextSpec(ContextKind.PROCESS, 3)
    assert why == (
        "fork cannot run here (the libraries of this system do not survive a fork), so process does"
    )


@pytest.mark.usefixtures("unforkable")
def test_what_stands_in_for_a_fork_per_item_runs_one_item_too() -> None:
    spec, _ = nearest_spec(ContextSpec(ContextKind.COW_FORK, 2))
    assert spec == ContextSpec(ContextKind.PROCESS, 2, max_items=1)


@pytest.mark.usefixtures("unforkable")
def test_where_nothing_means_the_same_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fallback, "obstacle_to", lambda kind, functions=(): "of the moon")
    with pytest.raises(UsageError, match=r"fork cannot run here \(of the moon\), and nothing"):
        nearest_spec(FORK)


class Fickle(InlineContext):
    """Cannot be opened although it just could."""

    attempts = 0

    def open(self, kernel: object, spec: ContextSpec) -> None:
        Fickle.attempts += 1
        raise KindUnavailable("not now")


def test_what_changes_all_the_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fallback, "create", lambda kind: Fickle())
    with pytest.raises(KindUnavailable, match="not now"):
        open_nearest(CallKernel(int, (), {}), ContextSpec(ContextKind.INLINE))
    assert Fickle.attempts == ATTEMPTS


def test_what_has_changed_since_the_question_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fickle = [Fickle()]
    real = fallback.create
    monkeypatch.setattr(fallback, "create", lambda kind: fickle.pop() if fickle else real(kind))
    context, why = open_nearest(CallKernel(int, (), {}), ContextSpec(ContextKind.INLINE))
    context.close(Deadline.after(0.0))
    assert why is None
    assert type(context) is InlineContext

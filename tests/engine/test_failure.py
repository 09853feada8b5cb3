"""The policy says what a failure means, and only so many workers may die by accident."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigun_py.engine.failure import Action, CrashBudget, decide
from minigun_py.errors import UsageError, WorkerDied


@pytest.mark.parametrize("error", [ValueError(), WorkerDied("gone")])
@pytest.mark.parametrize("action", list(Action))
def test_the_policy_decides(action: Action, error: Exception) -> None:
    assert decide(action.value, error) is action


@pytest.mark.parametrize("policy", ["fail", "skip"])
def test_wrong_use_of_the_library_always_ends_the_run(policy: str) -> None:
    assert decide(policy, UsageError("no such option")) is Action.FAIL


def test_a_few_deaths_are_accidents() -> None:
    budget = CrashBudget()
    assert all(budget.spend(0.0) for _ in range(CrashBudget.DEATHS))


def test_one_more_at_once_is_none() -> None:
    budget = CrashBudget()
    assert not [budget.spend(0.0) for _ in range(CrashBudget.DEATHS + 1)][-1]


def test_deaths_far_apart_are_accidents_for_ever() -> None:
    budget = CrashBudget()
    step = CrashBudget.SECONDS / CrashBudget.DEATHS + 0.1
    assert all(budget.spend(n * step) for n in range(100))


@given(st.lists(st.floats(0, 100), max_size=40))
def test_the_budget_counts_deaths_in_the_last_seconds(pauses: list[float]) -> None:
    budget, now, deaths = CrashBudget(), 0.0, []
    for pause in pauses:
        now += pause
        deaths.append(now)
        recent = [death for death in deaths if now - death <= CrashBudget.SECONDS]
        assert budget.spend(now) == (len(recent) <= CrashBudget.DEATHS)

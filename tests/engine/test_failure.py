"""The policy says what a failure means, and only so many workers may die by accident."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigun_py.engine.failure import Action, CrashBudget, Policy
from minigun_py.engine.report import FailedItem
from minigun_py.errors import UsageError, WorkerDied
from plan.drawing import processor, source


def failed(error: Exception | None = None) -> FailedItem[int]:
    return FailedItem("a", 7, error or ValueError("no"))


# --------------------------------------------------------------------------- one failure


@pytest.mark.parametrize("error", [ValueError(), WorkerDied("gone")])
@pytest.mark.parametrize("action", list(Action))
def test_the_policy_decides(action: Action, error: Exception) -> None:
    assert Policy(action.value).decide(failed(error)) is action


@pytest.mark.parametrize("action", list(Action))
def test_a_function_decides_by_the_item_and_its_error(action: Action) -> None:
    seen: list[FailedItem[int]] = []

    def decide(item: FailedItem[int]) -> str:
        seen.append(item)
        return action.value

    one = failed()
    assert Policy(decide).decide(one) is action
    assert seen == [one]


@pytest.mark.parametrize("policy", ["fail", "skip", "dead_letter", lambda _: "skip"])
def test_wrong_use_of_the_library_always_ends_the_run(policy: Any) -> None:
    assert Policy(policy).decide(failed(UsageError("no such option"))) is Action.FAIL


@pytest.mark.parametrize("word", [None, "ignore", 3])
def test_a_function_that_gives_no_word_is_told_which_there_are(word: Any) -> None:
    with pytest.raises(UsageError, match=f"gave {word!r}; it gives 'fail', 'skip' or 'dead_let"):
        Policy(lambda _: word).decide(failed())


@pytest.mark.parametrize(("policy", "goes_on"), [("fail", False), ("skip", True)])
def test_a_worker_goes_on_unless_the_run_ends(policy: Any, goes_on: bool) -> None:
    assert Policy(policy).goes_on is goes_on


def test_a_worker_goes_on_while_a_function_decides() -> None:
    assert Policy(lambda _: "fail").goes_on


# --------------------------------------------------------------------------- many failures


@pytest.mark.parametrize("received", [1, 1000])
@pytest.mark.parametrize(("failures", "forgiven"), [(2, True), (3, True), (4, False)])
def test_a_number_of_failures_is_forgiven(failures: int, received: int, forgiven: bool) -> None:
    assert Policy("skip", 3).forgives(failures, received) is forgiven


def test_no_failure_may_be_forgiven() -> None:
    assert Policy("skip", 0).forgives(0, 9)
    assert not Policy("skip", 0).forgives(1, 9)


@pytest.mark.parametrize(
    ("failures", "received", "forgiven"),
    [(99, 99, True), (5, 100, True), (6, 100, False), (50, 1000, True), (51, 1000, False)],
)
def test_a_share_is_judged_when_there_are_enough_items(
    failures: int, received: int, forgiven: bool
) -> None:
    assert Policy("skip", 0.05).forgives(failures, received) is forgiven


def test_without_a_bound_all_are_forgiven() -> None:
    assert Policy("skip").forgives(10**6, 10**6)


# --------------------------------------------------------------------------- of a stage


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, Policy("fail")),
        ({"on_error": "skip"}, Policy("skip")),
        ({"dead_letter": "b"}, Policy("dead_letter", delivers=True)),
        ({"max_failures": 3}, Policy("skip", 3)),
        ({"max_failures": 3, "dead_letter": "b"}, Policy("dead_letter", 3, delivers=True)),
        ({"max_failures": 3, "on_error": "dead_letter"}, Policy("dead_letter", 3)),
    ],
)
def test_a_policy_is_what_the_stage_says(options: dict[str, Any], wanted: Policy) -> None:
    assert Policy.of(processor("a", **options)) == wanted


def test_the_run_says_it_over_the_stage() -> None:
    stage = processor("a", on_error="skip", max_failures=3)
    assert Policy.of(stage, "fail") == Policy("fail", 3)


@pytest.mark.parametrize("over", [None, "skip"])
def test_what_cannot_go_on_ends_the_run(over: Any) -> None:
    assert Policy.of(source("s"), over) == Policy("fail")


# --------------------------------------------------------------------------- deaths


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

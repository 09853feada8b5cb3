"""The speed benchmark: what it makes of its measurements, and that it runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks._speed_goals import (
    Figure,
    Goal,
    Outcome,
    Rounds,
    amount,
    at_speed_of,
    faster_than_peers,
    median_each,
    minima_ratio,
    no_dearer,
    ratio,
)
from benchmarks._speed_model import LIBRARIES, Job, Workload
from benchmarks._speed_tables import digits, note, page, summary, table, verdict
from benchmarks._speed_workloads import WORKLOADS

ROOT = Path(__file__).parents[1]


def rounds(**costs: Sequence[float | None]) -> Rounds:
    """What items cost in each round; None is a failure."""
    return {
        name: [Outcome(each, trouble="" if each else "failed: KeyError: 1") for each in each_round]
        for name, each_round in costs.items()
    }


MEASURED = rounds(loop=[1.0, 2.0, 10.0], ours=[1.1, 2.6, 12.0], slow=[9.0, 30.0, None])


def test_a_ratio_is_the_median_of_ratios_within_rounds() -> None:
    assert ratio(MEASURED, "ours", "loop") == pytest.approx(1.2)
    assert ratio(MEASURED, "slow", "loop") == pytest.approx(12.0)
    assert median_each(MEASURED, "ours") == 2.6
    assert minima_ratio(MEASURED, "ours", "loop") == pytest.approx(1.1)


@pytest.mark.parametrize("name", ["absent", "broken"])
def test_nothing_is_made_of_nothing(name: str) -> None:
    measured = {**MEASURED, **rounds(broken=[None])}
    assert ratio(measured, name, "loop") is None
    assert median_each(measured, name) is None
    assert minima_ratio(measured, name, "loop") is None
    assert no_dearer(name, "loop", 2, "it").figure(measured) is None


@pytest.mark.parametrize(
    ("goal", "value", "met"),
    [
        (no_dearer("ours", "loop", 1.25, ""), 1.2, True),
        (no_dearer("ours", "loop", 1.1, ""), 1.2, False),
        (at_speed_of("ours", "loop", 0.8, ""), 1 / 1.2, True),
        (at_speed_of("ours", "loop", 0.95, ""), 1 / 1.2, False),
        (amount("ours", 3000, "", scale=1e3), 2600, True),
        (amount("ours", 2, ""), 2.6, False),
    ],
)
def test_a_goal_is_met_or_not(goal: Goal, value: float, met: bool) -> None:
    figure = goal.figure(MEASURED)
    assert figure is not None
    assert figure.value == pytest.approx(value)
    assert goal.met(figure) is met


def test_a_cost_below_zero_is_noise() -> None:
    measured = rounds(loop=[-1.0, 2.0], ours=[3.0, 4.0])
    assert ratio(measured, "ours", "loop") == 2.0
    assert minima_ratio(measured, "ours", "loop") is None


def test_the_best_peer_counts() -> None:
    measured = {
        **rounds(ours=[1.0, 1.0], broken=[None]),
        "ours, streamed": [Outcome(0.1)],
        "by hand, loop": [Outcome(0.5)],
        "slow": [Outcome(9.0), Outcome(7.0)],
        "fast, chunk 10": [Outcome(3.0), Outcome(5.0)],
    }
    goal = faster_than_peers("ours", 4, "", but=("by hand",))
    assert goal.figure(measured) == Figure(4.0, "fast, chunk 10")
    assert faster_than_peers("ours", 4, "", only="slow").figure(measured) == Figure(8.0, "slow")
    assert faster_than_peers("ours", 4, "", only="none").figure(measured) is None


def test_a_further_figure_can_be_a_goal() -> None:
    measured = {"ours": [Outcome(1.0, {"growth": growth}) for growth in (1.0, 7.0, 2.0)]}
    goal = amount("ours", 5, "", of="growth")
    assert goal.figure(measured) == Figure(2.0)
    assert verdict(goal, measured) == ("2.00", "yes")
    assert verdict(amount("ours", 1, "", of="growth"), measured) == ("2.00", "**no**")


def example() -> Workload:
    workload = Workload("work", "the work", 1000, goals=(no_dearer("ours", "loop", 1.25, "it"),))
    for name in ("loop", "slow", "ours"):
        workload.add(name, "", lambda library, job: None)
    return workload


def test_a_table_has_a_line_for_each_case_and_the_reference_first() -> None:
    lines = table(example(), MEASURED).splitlines()
    assert lines[2:] == [
        "| loop | 1,000 | 2,000,000 | 1.00 | 1.00 |  |",
        "| ours | 1,000 | 2,600,000 | 1.20 | 1.10 |  |",
        "| slow | 1,000 | 19,500,000 | 12.0 | 9.00 | failed: KeyError: 1 |",
    ]


def test_the_summary_says_what_was_not_measured_and_why() -> None:
    elsewhere = example()
    elsewhere.name, elsewhere.obstacle = "elsewhere", lambda: "needs another Python"
    workloads = {"work": example(), "elsewhere": elsewhere}
    assert summary(workloads, {"work": MEASURED}).splitlines()[2:] == [
        "| work | it: at most 1.25 times | 1.20 | yes |",
        "| elsewhere | it: at most 1.25 times | needs another Python | - |",
    ]
    assert "| work | it: at most 1.25 times | not asked for | - |" in summary(workloads, {})
    assert "nothing to compare" in summary(workloads, {"work": rounds(loop=[1.0])})


def test_a_page_has_goals_and_tables() -> None:
    text = page({"work": example()}, {"work": MEASURED}, 3, quick=False)
    assert text.startswith("# Speed\n")
    assert text.index("## Goals") < text.index("## work\n\nThe work.")


def test_further_figures_are_noted() -> None:
    outcomes = [Outcome(1.0, {"p95 µs": p95}) for p95 in (1.0, 3.0, 2.0)]
    assert note({"it": outcomes}, "it") == "p95 µs 2.00"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0.01234, "0.0123"), (1.234, "1.23"), (12.34, "12.3"), (12345.6, "12,346")],
)
def test_numbers_have_three_digits(value: float | None, text: str) -> None:
    assert digits(value) == text


def test_every_goal_is_of_cases_that_exist() -> None:
    for workload in WORKLOADS.values():
        costs = {case: [Outcome(1.0, Everything())] for case in workload.cases}
        assert all(goal.figure(costs) is not None for goal in workload.goals), workload.name
        assert {case.library for case in workload.cases.values()} <= set(LIBRARIES)


class Everything(dict[str, float]):
    """Further figures of any name."""

    def __missing__(self, name: str) -> float:
        return 1.0


def test_a_quick_job_is_small() -> None:
    assert example().job("ours", 1, quick=True) == Job(20, 1, quick=True)
    assert example().job("ours", 1, quick=False) == Job(1000, 1)


def test_a_quick_run_of_our_own_writes_a_page(tmp_path: Path) -> None:
    target = tmp_path / "RESULTS.md"
    workloads = ["threads"]
    command = [sys.executable, "benchmarks/speed.py", "--quick", "--only", "minigun_py"]
    subprocess.run(
        [*command, "--workload", *workloads, "--write", target], cwd=ROOT, check=True, timeout=50
    )
    text = target.read_text(encoding="utf-8")
    for line in ("by hand, loop", "minigun_py, run and a consumer", "minigun_py, stream"):
        assert f"\n| {line} | " in text
    assert "failed: " not in text
    assert "hung: " not in text


def test_the_benchmark_of_workflows_runs() -> None:
    command = [sys.executable, "benchmarks/workflow.py", "--quick"]
    ended = subprocess.run(
        command, cwd=ROOT, check=True, timeout=50, capture_output=True, text=True
    )
    lines = [line.split() for line in ended.stdout.splitlines() if line.startswith("  minigun_py")]
    assert len(lines) == 4
    assert not any("failed," in line for line in lines)

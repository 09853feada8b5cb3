"""The number of usable processors is the least of three bounds, and never the machine's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from minigun_py.contexts.cpus import usable_cpus
from minigun_py.errors import UsageError


@pytest.fixture(autouse=True)
def _sixteen_to_run_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)), raising=False)
    monkeypatch.delenv("MINIGUN_MAX_WORKERS", raising=False)


def write_v1(root: Path, quota: str, period: str = "100000") -> Path:
    (root / "cpu").mkdir()
    (root / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (root / "cpu" / "cpu.cfs_period_us").write_text(period)
    return root


def write_v2(root: Path, text: str) -> Path:
    (root / "cpu.max").write_text(text)
    return root


def test_without_limits_it_is_what_the_process_may_run_on(tmp_path: Path) -> None:
    assert usable_cpus(tmp_path) == 16


def test_where_affinity_is_unknown_it_is_the_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert usable_cpus(tmp_path) == 3
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cpus(tmp_path) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [("max 100000\n", 16), ("200000 100000\n", 2), ("150000 100000\n", 2), ("1000 100000\n", 1)],
)
def test_a_quota_of_the_control_group_counts_rounded_up(
    tmp_path: Path, text: str, expected: int
) -> None:
    assert usable_cpus(write_v2(tmp_path, text)) == expected


@pytest.mark.parametrize(("quota", "expected"), [("-1", 16), ("300000", 3), ("50000", 1)])
def test_so_does_one_of_the_first_version(tmp_path: Path, quota: str, expected: int) -> None:
    assert usable_cpus(write_v1(tmp_path, quota)) == expected


def test_a_quota_above_the_affinity_changes_nothing(tmp_path: Path) -> None:
    assert usable_cpus(write_v2(tmp_path, "6400000 100000")) == 16


@pytest.mark.parametrize(("text", "expected"), [("4", 4), ("64", 16), ("", 16)])
def test_the_environment_may_ask_for_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: int
) -> None:
    monkeypatch.setenv("MINIGUN_MAX_WORKERS", text)
    assert usable_cpus(tmp_path) == expected


@pytest.mark.parametrize("text", ["0", "-2", "many", "2.5", "²"])
def test_the_environment_is_refused_where_it_is_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("MINIGUN_MAX_WORKERS", text)
    with pytest.raises(UsageError, match="MINIGUN_MAX_WORKERS is a whole number from 1 on"):
        usable_cpus(tmp_path)

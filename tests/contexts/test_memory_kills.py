"""Kills are counted wherever the system tells of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from minigun_py.contexts.memory_kills import memory_kills


def told(root: Path, file: str, text: str) -> None:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_where_nothing_is_told_there_are_none(tmp_path: Path) -> None:
    assert memory_kills(tmp_path) == 0


def test_the_machine_tells(tmp_path: Path) -> None:
    told(tmp_path, "proc/vmstat", "nr_free_pages 5\noom_kill 3\n")
    assert memory_kills(tmp_path) == 3


@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("0::/jobs/one", "sys/fs/cgroup/jobs/one/memory.events"),
        ("0::/", "sys/fs/cgroup/memory.events"),
        ("4:memory:/jobs/one", "sys/fs/cgroup/memory/jobs/one/memory.oom_control"),
    ],
)
def test_the_control_group_tells(tmp_path: Path, line: str, file: str) -> None:
    told(tmp_path, "proc/self/cgroup", f"3:cpuset:/elsewhere\n{line}\n")
    told(tmp_path, file, "low 0\noom 2\noom_kill 7\n")
    assert memory_kills(tmp_path) == 7


def test_a_group_of_other_controllers_is_not_asked(tmp_path: Path) -> None:
    told(tmp_path, "proc/self/cgroup", "3:cpuset:/one\n")
    told(tmp_path, "sys/fs/cgroup/cpuset/one/memory.events", "oom_kill 7\n")
    assert memory_kills(tmp_path) == 0


def test_here_they_are_counted() -> None:
    assert memory_kills() >= 0

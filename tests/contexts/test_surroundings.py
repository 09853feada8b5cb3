"""What there is to work with is the least of what is told, and never more than what is granted."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from minigun_py.contexts.cpus import usable_cpus
from minigun_py.contexts.surroundings import Surroundings, look_around

MEBIBYTE = 2**20
MEMINFO = "MemTotal:       8192 kB\nMemFree:         512 kB\nMemAvailable:   {} kB\nCached: 9 kB\n"


class Machine:
    """A machine of files, as Linux would show them."""

    def __init__(self, root: Path) -> None:
        self.cgroup = root / "cgroup"
        self.statistics = root / "meminfo"
        self.devices = root / "dev"
        (self.cgroup / "memory").mkdir(parents=True)
        self.devices.mkdir()

    def grants(self, text: str) -> None:
        (self.cgroup / "memory.max").write_text(text)

    def grants_as_of_old(self, text: str) -> None:
        (self.cgroup / "memory" / "memory.limit_in_bytes").write_text(text)

    def has_left(self, mebibytes: int) -> None:
        self.statistics.write_text(MEMINFO.format(mebibytes * 1024))

    def has_devices(self, *names: str) -> None:
        for name in names:
            (self.devices / name).touch()

    def look(self) -> Surroundings:
        return look_around(self.cgroup, self.statistics, self.devices)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("MINIGUN_MAX_WORKERS", raising=False)
    return Machine(tmp_path)


def test_the_real_surroundings_can_be_looked_at() -> None:
    seen = look_around()
    assert seen.cpus == usable_cpus() >= 1
    assert seen.gpus >= 0
    assert seen.memory is None or seen.memory > 0


# --------------------------------------------------------------------------- python and platform


def test_processors_are_those_of_the_same_control_group(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)), raising=False)
    (machine.cgroup / "cpu.max").write_text("300000 100000")
    assert machine.look().cpus == 3


@pytest.mark.parametrize("enabled", [True, False])
def test_a_python_that_knows_of_its_global_lock_is_asked(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, enabled: bool
) -> None:
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: enabled, raising=False)
    assert machine.look().gil is enabled


def test_an_older_python_has_a_global_lock(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(sys, "_is_gil_enabled", raising=False)
    assert machine.look().gil is True


@pytest.mark.parametrize(
    ("platform", "expected"),
    [("linux", True), ("freebsd14", True), ("darwin", False), ("win32", False)],
)
def test_forking_is_only_for_platforms_where_it_is_safe(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, platform: str, expected: bool
) -> None:
    monkeypatch.setattr(os, "fork", lambda: 0, raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    assert machine.look().can_fork is expected


def test_without_a_fork_there_is_no_forking(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delattr(os, "fork", raising=False)
    assert machine.look().can_fork is False


@pytest.mark.parametrize(
    ("version", "expected"), [((3, 11, 0), False), ((3, 13, 9), False), ((3, 14, 0), True)]
)
def test_interpreters_came_with_python_3_14(
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    version: tuple[int, int, int],
    expected: bool,
) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    assert machine.look().can_subinterpret is expected


# --------------------------------------------------------------------------- memory


def test_where_nobody_tells_memory_is_unknown(machine: Machine) -> None:
    assert machine.look().memory is None


def test_without_a_limit_memory_is_what_the_machine_has_left(machine: Machine) -> None:
    machine.grants("max\n")
    machine.has_left(100)
    assert machine.look().memory == 100 * MEBIBYTE


@pytest.mark.parametrize(("granted", "left", "least"), [(30, 100, 30), (300, 100, 100)])
def test_memory_is_the_less_of_what_is_granted_and_what_is_left(
    machine: Machine, granted: int, left: int, least: int
) -> None:
    machine.grants(f"{granted * MEBIBYTE}\n")
    machine.has_left(left)
    assert machine.look().memory == least * MEBIBYTE


def test_a_limit_alone_is_enough(machine: Machine) -> None:
    machine.grants("5000")
    assert machine.look().memory == 5000


def test_a_limit_of_the_first_version_counts_too(machine: Machine) -> None:
    machine.grants_as_of_old("7000\n")
    assert machine.look().memory == 7000


def test_the_first_version_says_no_limit_with_a_number_beyond_all_machines(
    machine: Machine,
) -> None:
    machine.grants_as_of_old("9223372036854771712\n")
    assert machine.look().memory is None


@pytest.mark.parametrize("text", ["", "MemTotal: 8192 kB\n", "MemAvailable: lots\n"])
def test_statistics_that_do_not_tell_are_no_bound(machine: Machine, text: str) -> None:
    machine.statistics.write_text(text)
    assert machine.look().memory is None


# --------------------------------------------------------------------------- devices


def test_devices_are_counted_and_their_controls_are_not(machine: Machine) -> None:
    machine.has_devices("nvidia0", "nvidia1", "nvidia10", "nvidiactl", "nvidia-uvm", "null")
    assert machine.look().gpus == 3


def test_without_devices_there_are_none(machine: Machine) -> None:
    assert machine.look().gpus == 0


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("0", 1),
        ("0,1", 2),
        (" 2 , 3 ,", 2),
        ("GPU-8932f937,MIG-7c3f", 2),
        ("", 0),
        ("-1", 0),
        ("0,-1,1", 1),
        ("NoDevFiles", 0),
    ],
)
def test_the_environment_has_the_last_word_on_devices(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, visible: str, expected: int
) -> None:
    machine.has_devices("nvidia0", "nvidia1", "nvidia2", "nvidia3")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert machine.look().gpus == expected

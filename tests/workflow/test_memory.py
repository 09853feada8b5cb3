"""Memory is a limit: of all steps together, and of each that has a process of its own."""

from __future__ import annotations

import resource
import threading
from typing import Any

import pytest

from minigun_py import Memory, MemoryExceeded, UsageError, Workflow
from minigun_py.tasks import memory
from minigun_py.tasks.memory import Watch, memory_watched

MIB = 1024 * 1024


def hold(mebibytes: int) -> int:
    """Use so much, a part after the other."""
    return sum(len(part) for part in [b"x" * MIB + bytes([n % 256]) for n in range(mebibytes)])


def test_a_step_that_needs_more_than_it_says_is_stopped_and_its_siblings_are_whole() -> None:
    wf = Workflow("wf")
    wf.step(lambda: hold(300), name="greedy", resources=Memory("50MiB"))
    wf.step(lambda: hold(20), name="modest", resources=Memory("50MiB"))
    wf.step(lambda greedy: greedy, name="uses")
    results = wf.run()
    error = results["greedy"].error
    assert isinstance(error, MemoryExceeded)
    assert error.limit == 50 * MIB
    assert isinstance(error, MemoryError)
    assert "it needed more than the 52428800 bytes of memory" in str(error)
    assert (results["greedy"].peak_memory or 0) > 20 * MIB
    assert results["modest"].value == 20 * (MIB + 1)
    assert (results["modest"].peak_memory or 0) > 20 * MIB
    assert results["uses"].cause is error


def test_together_they_stay_within_the_budget_of_the_run() -> None:
    wf, running, most, lock = Workflow("wf"), set[str](), list[int](), threading.Lock()

    def count(name: str) -> None:
        with lock:
            running.add(name)
            most.append(len(running))
        threading.Event().wait(0.001)
        with lock:
            running.remove(name)

    for number in range(6):
        name = f"step{number}"
        options: Any = {"resources": Memory("40MB"), "execution": "thread"}
        wf.step(lambda name=name: count(name), name=name, **options)
    assert wf.run(memory="100MB", max_cpu=6).ok
    assert max(most) <= 2


def test_a_step_that_needs_more_than_the_budget_is_refused() -> None:
    wf = Workflow("wf")
    wf.step(lambda: 1, name="large", resources=Memory(2000))
    with pytest.raises(UsageError, match="it needs 2000 bytes of memory, and there are never more"):
        wf.run(memory=1000)


def test_without_a_budget_a_step_that_asks_for_more_than_there_is_runs_alone() -> None:
    wf = Workflow("wf")
    wf.step(lambda: 1, name="large", resources=Memory("9TiB"))
    assert wf.run()["large"].value == 1


def test_what_was_allowed_before_is_allowed_again() -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with pytest.raises(MemoryExceeded), memory_watched(20 * MIB, Watch()):
        hold(200)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    with memory_watched(200 * MIB, watch := Watch()):
        hold(20)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    assert (watch.peak or 0) > 20 * MIB


def test_memory_that_python_has_in_reserve_is_not_used_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = memory._told

    def reserved(name: str) -> int | None:
        found = told(name)
        return found if name != "VmData" or found is None else found + 1024 * MIB

    monkeypatch.setattr(memory, "_told", reserved)
    with pytest.raises(MemoryExceeded), memory_watched(50 * MIB, Watch()):
        held = [b"x" * MIB + bytes([n % 256]) for n in range(300)]
        while len(held) == 300:  # until it is noticed
            pass
    with memory_watched(200 * MIB, Watch()):
        hold(20)


def test_an_error_within_passes_as_it_is() -> None:
    with (
        pytest.raises(MemoryExceeded, match="more than the 7 bytes"),
        memory_watched(20 * MIB, Watch()),
    ):
        raise MemoryExceeded(7)
    with pytest.raises(MemoryError) as raised, memory_watched(0, Watch()):
        raise MemoryError
    assert not isinstance(raised.value, MemoryExceeded)


def test_where_the_system_does_not_tell_nothing_is_held(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(memory, "_STATUS", tmp_path / "status")
    monkeypatch.setattr(memory, "_FORGET", tmp_path / "nothing" / "refs")
    with memory_watched(1, watch := Watch()):
        hold(20)
    assert watch.peak is None


def test_a_narrower_limit_of_somebody_else_stays() -> None:
    soft, hard = before = resource.getrlimit(resource.RLIMIT_DATA)
    granted = memory._told("VmData")
    assert granted is not None
    resource.setrlimit(resource.RLIMIT_DATA, (granted + 100 * MIB, hard))
    try:
        with memory_watched(10**15, Watch()):
            assert resource.getrlimit(resource.RLIMIT_DATA)[0] == granted + 100 * MIB
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)
    assert soft == before[0]

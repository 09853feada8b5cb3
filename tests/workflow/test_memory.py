"""Memory is a limit: of all steps together, and of each that has a process of its own."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from minigun_py import Memory, MemoryExceeded, UsageError, Workflow
from minigun_py.tasks import memory
from minigun_py.tasks.memory import Watch, memory_watched
from support.untraced import printed_by

MIB = 1024 * 1024

HOLDING = """
import resource
from minigun_py import Memory, MemoryExceeded, Workflow
from minigun_py.tasks import memory
from minigun_py.tasks.memory import Watch, memory_watched

MIB = 1024 * 1024

def hold(mebibytes):
    return sum(len(part) for part in parts(mebibytes)) // MIB

def parts(mebibytes):
    return [b"x" * MIB + bytes([n % 256]) for n in range(mebibytes)]

def refused(limit, function, *arguments):
    watch = Watch()
    try:
        with memory_watched(limit, watch):
            function(*arguments)
    except MemoryExceeded as error:
        return error.limit == limit, watch.peak > 20 * MIB
    return "it went well"
"""


def test_a_step_that_needs_more_than_it_says_is_stopped_and_its_siblings_are_whole() -> None:
    printed = printed_by(
        HOLDING
        + """
wf = Workflow("wf")
wf.step(lambda: hold(300), name="greedy", resources=Memory("50MiB"))
wf.step(lambda: hold(20), name="modest", resources=Memory("50MiB"))
wf.step(lambda greedy: greedy, name="uses")
results = wf.run()
error = results["greedy"].error
print(type(error).__name__, error.limit // MIB, isinstance(error, MemoryError))
print(error)
print(results["greedy"].peak_memory > 20 * MIB)
print(results["modest"].value, results["modest"].peak_memory > 20 * MIB)
print(results["uses"].state, results["uses"].cause is error)
"""
    )
    assert printed == [
        "MemoryExceeded 50 True",
        "it needed more than the 52428800 bytes of memory that it had said; say more, as in "
        "resources=Memory('2GiB'), or hold less at once",
        "True",
        "20 True",
        "skipped True",
    ]


def test_what_was_allowed_before_is_allowed_again() -> None:
    printed = printed_by(
        HOLDING
        + """
before = resource.getrlimit(resource.RLIMIT_DATA)
print(refused(20 * MIB, hold, 200), resource.getrlimit(resource.RLIMIT_DATA) == before)
print(refused(200 * MIB, hold, 20), resource.getrlimit(resource.RLIMIT_DATA) == before)
print(hold(200))
"""
    )
    assert printed == ["(True, True) True", "it went well True", "200"]


def test_memory_that_python_has_in_reserve_is_not_used_either() -> None:
    printed = printed_by(
        HOLDING
        + """
told = memory._told

def reserved(name):
    return told(name) + 1024 * MIB if name == "VmData" else told(name)

def hold_on():
    held = parts(300)
    while len(held) == 300:  # until it is noticed
        pass

memory._told = reserved
print(refused(50 * MIB, hold_on))
print(refused(200 * MIB, hold, 20))
"""
    )
    assert printed == ["(True, True)", "it went well"]


def test_a_narrower_limit_of_somebody_else_stays() -> None:
    printed = printed_by(
        HOLDING
        + """
narrow = memory._told("VmData") + 100 * MIB
hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
resource.setrlimit(resource.RLIMIT_DATA, (narrow, hard))
with memory_watched(10**15, Watch()):
    print(resource.getrlimit(resource.RLIMIT_DATA)[0] == narrow)
"""
    )
    assert printed == ["True"]


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


def test_an_error_within_passes_as_it_is() -> None:
    with pytest.raises(MemoryExceeded, match="7 bytes"), memory_watched(10**15, Watch()):
        raise MemoryExceeded(7)
    with pytest.raises(MemoryExceeded), memory_watched(10**15, Watch()):
        raise MemoryError
    with pytest.raises(MemoryError) as raised, memory_watched(0, Watch()):
        raise MemoryError
    assert not isinstance(raised.value, MemoryExceeded)


def test_where_the_system_does_not_tell_nothing_is_held(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(memory, "_STATUS", tmp_path / "status")
    monkeypatch.setattr(memory, "_FORGET", tmp_path / "nothing" / "refs")
    with memory_watched(1, watch := Watch()):
        assert len(b"x" * MIB) == MIB
    assert watch.peak is None

"""Each worker notes what it is about to run where its parent reads it, whatever becomes of it."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from minigun_py.contexts.running_items import RunningItems

NOTHING = (-1, -1)


@contextmanager
def closing(notes: RunningItems) -> Iterator[RunningItems]:
    try:
        yield notes
    finally:
        notes.close()


@pytest.fixture(params=["shared", "private"])
def notes(request: pytest.FixtureRequest) -> Iterator[RunningItems]:
    """The notes of three workers."""
    make = RunningItems.shared if request.param == "shared" else RunningItems.private
    with closing(make(3)) as notes:
        yield notes


def test_at_first_nobody_runs_anything(notes: RunningItems) -> None:
    assert [notes.read(slot) for slot in range(3)] == [NOTHING] * 3


def test_the_index_is_noted_before_the_item_is_given(notes: RunningItems) -> None:
    read = [(item, notes.read(1)) for item in notes.each(1, 40, "ab")]
    assert read == [("a", (40, 0)), ("b", (40, 1))]


def test_between_leases_a_worker_runs_no_item(notes: RunningItems) -> None:
    for _ in notes.each(1, 40, "ab"):
        pass
    assert notes.read(1) == (40, -1)


def test_a_lease_that_is_not_begun_notes_no_index(notes: RunningItems) -> None:
    assert list(notes.each(1, 40, [])) == []
    assert notes.read(1) == (40, -1)


def test_of_a_lease_that_is_left_the_last_index_stays(notes: RunningItems) -> None:
    for item in notes.each(1, 40, "abc"):
        if item == "b":
            break
    assert notes.read(1) == (40, 1)


def test_the_index_of_an_earlier_lease_is_never_taken_for_one_of_the_next(
    notes: RunningItems,
) -> None:
    left = notes.each(1, 40, "abc")
    next(left)
    next(left)

    def items() -> Iterator[str]:
        assert notes.read(1) == (41, -1)
        yield "a"

    list(notes.each(1, 41, items()))


def test_workers_note_nothing_for_each_other(notes: RunningItems) -> None:
    first, second = notes.each(0, 40, "ab"), notes.each(2, 50, "ab")
    next(first)
    next(second)
    next(second)
    assert [notes.read(slot) for slot in range(3)] == [(40, 0), NOTHING, (50, 1)]


def test_what_is_cleared_is_forgotten_for_that_worker_alone(notes: RunningItems) -> None:
    for slot in (0, 1):
        next(notes.each(slot, 40, "a"))
    notes.clear(0)
    assert [notes.read(0), notes.read(1)] == [NOTHING, (40, 0)]


def test_large_places_and_indexes_are_noted_whole(notes: RunningItems) -> None:
    next(notes.each(0, 2**40, "a"))
    assert notes.read(0) == (2**40, 0)


def test_whoever_has_the_descriptor_reads_and_writes_the_same() -> None:
    with closing(RunningItems.shared(2)) as ours:
        with closing(RunningItems.attached(ours.fileno())) as theirs:
            next(theirs.each(1, 40, "a"))
            assert ours.read(1) == (40, 0)
            next(ours.each(0, 50, "a"))
            assert theirs.read(0) == (50, 0)
        assert ours.read(1) == (40, 0)  # their end takes nothing away


def test_what_a_forked_worker_noted_outlives_it() -> None:
    with closing(RunningItems.shared(1)) as notes:
        pid = os.fork()
        if not pid:
            try:
                for item in notes.each(0, 40, "abc"):
                    if item == "b":
                        os.kill(os.getpid(), signal.SIGKILL)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
        assert notes.read(0) == (40, 1)


def test_memory_without_a_name_is_shared_where_the_system_has_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    with (
        closing(RunningItems.shared(2)) as ours,
        closing(RunningItems.attached(ours.fileno())) as theirs,
    ):
        assert theirs.read(1) == NOTHING
        next(theirs.each(1, 40, "a"))
        assert ours.read(1) == (40, 0)


def test_private_memory_has_no_descriptor() -> None:
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    with closing(RunningItems.private(2)) as notes:
        assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
        with pytest.raises(AssertionError, match="private"):
            notes.fileno()


# --------------------------------------------------------------------------- tearing down


def test_a_worker_that_tears_down_runs_no_item_and_says_so(notes: RunningItems) -> None:
    next(notes.each(1, 40, "a"))
    assert not notes.died_tearing_down(1)
    with notes.tearing_down(1):
        assert notes.died_tearing_down(1)
        assert not notes.died_tearing_down(0)
    assert not notes.died_tearing_down(1)
    assert notes.read(1) == (40, -1)


# --------------------------------------------------------------------------- last words


def test_who_has_not_crashed_has_said_nothing(notes: RunningItems) -> None:
    assert [notes.last_words(slot) for slot in range(3)] == ["", "", ""]


@pytest.mark.parametrize("slot", [0, 2])
def test_a_worker_that_crashes_leaves_its_stack(slot: int) -> None:
    with closing(RunningItems.shared(3)) as notes:
        pid = os.fork()
        if not pid:
            try:
                notes.keep_last_words(slot)
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
                os.kill(os.getpid(), signal.SIGSEGV)
            finally:
                os._exit(1)
        os.waitpid(pid, 0)
        words = notes.last_words(slot)
        assert words.startswith("Fatal Python error: Segmentation fault")
        assert "test_running_items" in words
        assert not any(notes.last_words(other) for other in {0, 1, 2} - {slot})
        notes.clear(slot)
        assert notes.last_words(slot) == ""


def test_memory_of_ones_own_keeps_no_last_words() -> None:
    with closing(RunningItems.private(1)) as notes:
        notes.keep_last_words(0)
        assert notes.last_words(0) == ""

"""What there is, what is ready, and what is urgent: the small decisions."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from minigun_py.workflow.admission import Admission
from minigun_py.workflow.critical_path import critical_path, urgencies
from minigun_py.workflow.ready_set import ReadySet

TWO = (("slots", 1),)
BIG = (("bytes", 6), ("slots", 1))


def test_the_most_urgent_that_fits_begins() -> None:
    admission, ready = Admission({"slots": 2, "bytes": 10}), ReadySet[str]()
    for name, needs, urgency in [
        ("small", TWO, 1.0),
        ("big", BIG, 3.0),
        ("bigger", BIG, 2.0),
        ("smaller", TWO, 1.0),
    ]:
        ready.add(name, needs, urgency)
    assert [ready.take(admission) for _ in range(3)] == ["big", "small", None]
    admission.give(TWO)
    assert ready.take(admission) == "smaller"
    admission.give(TWO)
    admission.give(BIG)
    assert [ready.take(admission) for _ in range(2)] == ["bigger", None]


def test_what_came_first_begins_first_where_all_are_alike() -> None:
    admission, ready = Admission({"slots": 9}), ReadySet[int]()
    for number in range(5):
        ready.add(number, TWO, 1.0)
    assert [ready.take(admission) for _ in range(5)] == list(range(5))


@given(st.data(), st.integers(1, 8))
def test_urgency_is_the_longest_path_to_the_end(data: st.DataObject, count: int) -> None:
    successors = [
        data.draw(st.lists(st.integers(n + 1, count), unique=True)) if n < count else []
        for n in range(count + 1)
    ]
    seconds = st.integers(1, 9).map(float)
    durations = [data.draw(seconds) for _ in range(count + 1)]

    def longest(number: int) -> float:
        return durations[number] + max(map(longest, successors[number]), default=0.0)

    urgent = urgencies(range(count + 1), successors, durations)
    assert urgent == [longest(number) for number in range(count + 1)]
    path = critical_path(range(count + 1), successors, urgent)
    assert sum(durations[number] for number in path) == max(urgent)
    assert all(after in successors[before] for before, after in pairwise(path))


def test_an_unknown_duration_counts_as_a_middling_one() -> None:
    assert urgencies([0, 1], [[1], []], [None, None]) == [2.0, 1.0]
    assert urgencies([0, 1, 2], [[], [], []], [4.0, None, 2.0]) == [4.0, 3.0, 2.0]
    assert critical_path([], [], []) == []

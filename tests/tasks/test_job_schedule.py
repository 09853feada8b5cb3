"""Jobs begin in their order as places become free, and each ends in exactly one way."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from minigun_py import Retry
from minigun_py.events import Event, TaskEnded, TaskRetried, TaskStarted
from minigun_py.outcome import Cancelled, Failure, Success, TimedOut
from minigun_py.tasks.job_schedule import JobSchedule
from minigun_py.tasks.task import Lane, Task
from minigun_py.testing import VirtualClock

LANE = Lane("thread")
WALL = 1_000_000.0


class Jobs:
    """A schedule of jobs that do nothing, on a clock of its own."""

    def __init__(self, count: int, places: int, retry: Retry | None = None) -> None:
        self.clock, self.told, self.stopped = VirtualClock(), list[Event](), list[object]()
        tasks = [Task(f"job {n}", LANE, int) for n in range(count)]
        began = self.clock.now()
        self.schedule = JobSchedule(
            tasks,
            places,
            retry,
            self.stopped.append,
            self.clock,
            lambda: WALL + self.clock.now() - began,
            self.told.append,
        )

    def begin(self) -> int | None:
        """The number of a job that begins, if any may."""
        begun = self.schedule.next()
        return None if begun is None else begun[1].number

    def begin_all(self) -> list[int]:
        """All that may begin."""
        return list(iter(self.begin, None))

    def end(self, number: int, error: Exception | None = None) -> None:
        """Let an attempt end."""
        outcome: Any = Success(number) if error is None else Failure(error)
        self.schedule.ended(number, outcome)


def test_as_many_begin_as_there_are_places_and_one_more_when_one_ends() -> None:
    jobs = Jobs(4, places=2)
    assert jobs.begin_all() == [0, 1]
    jobs.end(1)
    assert jobs.begin_all() == [2]
    jobs.end(2)
    assert jobs.begin_all() == [3]
    assert not jobs.schedule.finished
    jobs.end(0)
    jobs.end(3)
    assert jobs.schedule.finished


def test_a_job_that_waits_for_another_attempt_takes_no_place() -> None:
    jobs = Jobs(2, places=1, retry=Retry(2, backoff=5, jitter=False))
    assert jobs.begin_all() == [0]
    jobs.end(0, ValueError())
    assert jobs.begin_all() == [1]
    assert jobs.schedule.wait_time() is None
    jobs.end(1)
    assert jobs.begin_all() == []
    assert jobs.schedule.wait_time() == 5
    jobs.clock.advance(5)
    assert jobs.begin_all() == [0]


def test_an_outcome_says_when_the_job_began_how_long_it_took_and_how_often_it_was_tried() -> None:
    jobs = Jobs(3, places=1, retry=Retry(2, backoff=5, jitter=False))
    jobs.begin()
    jobs.clock.advance(2)
    jobs.end(0, ValueError("a"))
    jobs.clock.advance(5)
    jobs.begin()
    jobs.clock.advance(3)
    jobs.end(0, (last := ValueError("b")))
    jobs.begin()
    jobs.clock.advance(1)
    assert jobs.schedule.outcomes("why") == [
        Failure(last, start=WALL, duration=3, attempts=2),
        Cancelled("why", start=WALL + 10, duration=1, attempts=1),
        Cancelled("why"),
    ]


def test_after_too_long_a_time_those_that_run_have_timed_out() -> None:
    jobs = Jobs(2, places=1)
    jobs.begin()
    jobs.clock.advance(4)
    running, waiting = jobs.schedule.outcomes("late", too_long=4)
    assert running == TimedOut(4, start=WALL, duration=4)
    assert waiting == Cancelled("late")


def test_the_first_failure_for_good_is_told() -> None:
    jobs = Jobs(3, places=3, retry=Retry(2, on=KeyError, backoff=0))
    jobs.begin_all()
    jobs.end(0, KeyError())
    jobs.end(1)
    assert jobs.stopped == []
    jobs.end(2, (error := ValueError()))
    assert jobs.stopped == [error]


def test_what_happens_is_told() -> None:
    jobs = Jobs(1, places=1, retry=Retry(2, backoff=5, jitter=False))
    jobs.begin()
    jobs.end(0, (error := ValueError()))
    jobs.clock.advance(5)
    jobs.begin()
    jobs.end(0)
    now = jobs.clock.now()
    [outcome] = jobs.schedule.outcomes(None)
    assert jobs.told == [
        TaskStarted(now - 5, "job 0", 1),
        TaskRetried(now - 5, "job 0", 1, error, 5),
        TaskStarted(now, "job 0", 2),
        TaskEnded(now, "job 0", outcome),
    ]


@given(st.data(), st.integers(0, 8), st.integers(1, 4), st.integers(1, 3))
def test_whatever_happens_each_job_ends_once_and_places_are_kept(
    data: st.DataObject, count: int, places: int, attempts: int
) -> None:
    jobs = Jobs(count, places, Retry(attempts, backoff=1, jitter=False))
    running: list[int] = []
    tried = dict.fromkeys(range(count), 0)
    first: list[int] = []
    ended = dict[int, bool]()
    while not jobs.schedule.finished:
        while (number := jobs.begin()) is not None:
            assert number not in running
            tried[number] += 1
            first += [number] if tried[number] == 1 else []
            running.append(number)
        assert len(running) <= places
        if not running:
            wait = jobs.schedule.wait_time()
            assert wait is not None
            jobs.clock.advance(wait)
            continue
        number = running.pop(data.draw(st.integers(0, len(running) - 1)))
        well = data.draw(st.booleans())
        jobs.end(number, None if well else ValueError())
        if well or tried[number] == attempts:
            assert number not in ended
            ended[number] = well
    assert first == list(range(count))
    outcomes = jobs.schedule.outcomes("nobody")
    assert [isinstance(o, Success) for o in outcomes] == [ended[n] for n in range(count)]
    assert [o.attempts for o in outcomes] == [tried[n] for n in range(count)]

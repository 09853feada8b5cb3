"""Random graphs with random failures, retries, skips and limits, against a simple model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigun_py import Retry
from minigun_py.events import Event, StepRetried, StepStarted
from minigun_py.outcome import Failure, Success, TimedOut
from minigun_py.record import record
from minigun_py.tasks.task import Lane, Ticket
from minigun_py.testing import VirtualClock
from minigun_py.workflow.admission import Admission
from minigun_py.workflow.graph import Group, StepGraph
from minigun_py.workflow.piece import Piece
from minigun_py.workflow.placing import Placed
from minigun_py.workflow.result import StepResult, StepState
from minigun_py.workflow.step import DeclaredStep, Parameter, Step, StepOptions
from minigun_py.workflow.step_schedule import StepSchedule

LANE = Lane("thread")
CAPACITIES = {"slots": 3, "bytes": 5}


@record(eq=False)
class Told:
    """What a step of a random graph is, and how it will go."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    optional: tuple[int, ...]
    mapped: bool
    holds: bool
    fails: int
    """So many attempts at it fail."""
    attempts: int
    needs: tuple[tuple[str, int], ...]


@st.composite
def graphs(draw: st.DrawFn) -> list[Told]:
    """Steps, each of which depends on some before it."""
    told: list[Told] = []
    for number in range(draw(st.integers(1, 8))):
        some = st.lists(st.integers(0, number - 1), unique=True, max_size=3).map(tuple)
        before = draw(some) if number else ()
        needs = {"slots": draw(st.integers(1, 2)), "bytes": draw(st.integers(0, 5))}
        told.append(
            Told(
                before=before,
                after=draw(some) if number else (),
                optional=tuple(n for n in before if draw(st.booleans())),
                mapped=bool(before) and draw(st.integers(0, 3)) == 0,
                holds=draw(st.integers(0, 4)) > 0,
                fails=draw(st.integers(0, 4)) * draw(st.integers(0, 1)),
                attempts=draw(st.integers(1, 3)),
                needs=tuple(needs.items()),
            )
        )
    return told


def graph_of(told: list[Told]) -> StepGraph:
    """The same as the library has it."""
    members = {}
    for number, step in enumerate(told):
        parameters = tuple(Parameter(f"s{n}", n in step.optional) for n in step.before)
        each = {f"s{step.before[0]}": f"s{step.before[0]}"} if step.mapped else {}
        options = StepOptions(
            after=tuple(f"s{n}" for n in step.after),
            each=each,
            when=lambda: True,
            retry=Retry(step.attempts, backoff=1, jitter=False),
        )
        name = f"s{number}"
        members[name] = DeclaredStep(name, lambda: None, parameters, (), options, False, name)
    return StepGraph(Group("wf", members, {}, {}))


class Conditions:
    """The gate of a run that keeps nothing."""

    def __init__(self, told: list[Told]) -> None:
        self.told = told

    def closed_to(self, step: Step, arguments: Mapping[str, Any]) -> str | None:
        assert arguments == {}
        return None if self.told[step.number].holds else "it does not hold"

    def kept(self, piece: Piece) -> tuple[Any] | None:
        return None

    def keep(self, piece: Piece, result: StepResult) -> None: ...


VALUE = [1, 2]
"""What every step gives, so that others can be mapped over it."""


def model(told: list[Told]) -> list[StepState]:
    """How each step ends, found one after the other."""
    states: list[StepState] = []
    closed: set[int] = set()
    """Those that were skipped since a condition did not hold, and nothing failed."""
    empty: set[int] = set()
    """Those that gave an empty list."""
    for number, step in enumerate(told):
        needed = {n for n in step.before if n not in step.optional} | set(step.after)
        missing = {n for n in {*step.before, *step.after} if states[n] is not StepState.COMPLETED}
        if missing - closed:
            states.append(StepState.SKIPPED)
        elif missing & needed or not step.holds:
            states.append(StepState.SKIPPED)
            closed.add(number)
        else:
            # a mapped step whose list is empty, or was skipped, has no instances
            nothing = step.mapped and step.before[0] in closed | empty
            empty |= {number} if nothing else set()
            failed = step.fails >= step.attempts and not nothing
            states.append(StepState.FAILED if failed else StepState.COMPLETED)
    return states


class Runner:
    """Runs a schedule on a clock of its own, and watches it."""

    def __init__(self, told: list[Told], fail_fast: bool = False) -> None:
        self.told, self.clock, self.graph = told, VirtualClock(), graph_of(told)
        self.events: list[Event] = []
        self.stopped: list[object] = []
        self.tried: Counter[str] = Counter()
        self.running: dict[int, Ticket] = {}
        self.begun: set[str] = set()
        self.names: dict[int, str] = {}
        """Of what runs, which tell instances apart."""
        placed = [Placed(LANE, step.needs, None, "") for step in told]
        self.schedule = StepSchedule(
            self.graph,
            placed,
            [float(len(told) - n) for n in range(len(told))],
            Admission(CAPACITIES),
            {},
            Conditions(told),
            lambda result: fail_fast,
            self.stopped.append,
            self.clock,
            lambda: 0.0,
            self.events.append,
        )
        self.schedule.open()

    def begin_all(self) -> None:
        while (begun := self.schedule.next()) is not None:
            ticket = begun[1]
            self.running[ticket.number] = ticket
            started = self.events[-1]
            assert isinstance(started, StepStarted)
            self.names[ticket.number] = started.step
            self.begun.add(f"s{ticket.task}")
            step = self.told[ticket.task]
            for before in (*step.before, *step.after):
                assert self.schedule.result(f"s{before}") is not None
            used: Counter[str] = Counter()
            for other in self.running.values():
                used.update(dict(self.told[other.task].needs))
            assert all(used[name] <= most for name, most in CAPACITIES.items())

    def end(self, number: int) -> None:
        ticket = self.running.pop(number)
        step = self.told[ticket.task]
        name = self.names[number]
        self.tried[name] += 1
        outcome: Any = Success(VALUE)
        if self.tried[name] <= step.fails:
            outcome = TimedOut(1) if step.fails % 2 else Failure(ValueError(name))
        self.schedule.ended(number, outcome)

    def wait(self) -> None:
        seconds = self.schedule.wait_time()
        assert seconds is not None
        self.clock.advance(seconds)


NOTHING = (("slots", 1), ("bytes", 0))
CLOSED = Told((), (), (), mapped=False, holds=False, fails=0, attempts=1, needs=NOTHING)
MAY_USE_BOTH = Told(
    (0, 1), (), (0, 1), mapped=False, holds=True, fails=0, attempts=1, needs=NOTHING
)


def test_a_step_that_may_go_on_without_two_others_begins_once() -> None:
    runner = Runner([CLOSED, CLOSED, MAY_USE_BOTH])
    runner.begin_all()
    assert len(runner.running) == 1


FAILS = Told((), (), (), mapped=False, holds=True, fails=1, attempts=1, needs=NOTHING)
NEEDS_BOTH = Told((0, 1), (), (), mapped=False, holds=True, fails=0, attempts=1, needs=NOTHING)
MAY_USE_IT = Told((2,), (), (2,), mapped=False, holds=True, fails=0, attempts=1, needs=NOTHING)


@pytest.mark.parametrize("first", [[CLOSED, FAILS], [FAILS, CLOSED]])
def test_whatever_ends_first_a_failure_counts_for_more_than_a_condition(first: list[Told]) -> None:
    runner = Runner([*first, NEEDS_BOTH, MAY_USE_IT])
    runner.begin_all()
    assert not runner.schedule.finished
    runner.end(1)
    results = runner.schedule.results("nobody")
    assert [results[name].state for name in ("s2", "s3")] == [StepState.SKIPPED] * 2
    assert isinstance(results["s3"].cause, TimeoutError)


@given(st.data(), graphs())
def test_each_step_ends_as_in_the_model_and_nothing_ever_exceeds_its_limit(
    data: st.DataObject, told: list[Told]
) -> None:
    runner = Runner(told)
    while not runner.schedule.finished:
        runner.begin_all()
        if runner.running:
            runner.end(data.draw(st.sampled_from(sorted(runner.running))))
        else:
            runner.wait()
    assert runner.schedule.next() is None
    results = runner.schedule.results("nobody")
    assert [results[f"s{n}"].state for n in range(len(told))] == model(told)
    check_told(runner, results)


@given(st.data(), graphs())
def test_wherever_it_is_cut_off_each_step_has_one_ending(
    data: st.DataObject, told: list[Told]
) -> None:
    runner = Runner(told, fail_fast=True)
    for _ in range(data.draw(st.integers(0, 12))):
        if runner.schedule.finished or runner.stopped:
            break
        runner.begin_all()
        if runner.running:
            runner.end(data.draw(st.sampled_from(sorted(runner.running))))
        else:
            runner.wait()
    too_long = data.draw(st.sampled_from([None, 5.0]))
    results = runner.schedule.results("cut", too_long)
    for number, expected in enumerate(model(told)):
        result = results[f"s{number}"]
        if result.state not in (expected, StepState.CANCELLED):
            # it ran out of time, or waited for one that did
            assert too_long is not None
            assert result.state in (StepState.FAILED, StepState.SKIPPED)
        if result.state is StepState.CANCELLED:
            assert result.cause == "cut"
        assert (result.attempts > 0) <= (result.name in runner.begun)
    check_told(runner, results)


def check_told(runner: Runner, results: Mapping[str, StepResult]) -> None:
    """Every step was told to end once, and to start as often as it was tried."""
    ends = [e for e in runner.events if not isinstance(e, StepStarted | StepRetried)]
    assert Counter(e.step for e in ends) == Counter(results.keys())  # type: ignore[attr-defined]
    for result in results.values():
        if result.state is StepState.FAILED:
            assert result.error is not None
            assert result.chain[-1] == result.name
            assert any("in step" in note for note in _notes(result.error))
        if result.state is StepState.SKIPPED:
            assert result.cause is not None
            assert result.chain[-1] == result.name


def _notes(error: BaseException) -> list[str]:
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return [*getattr(error, "__notes__", []), *(note for e in inner for note in _notes(e))]

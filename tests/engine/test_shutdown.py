"""A run drains, then cancels, then kills; it never goes back, and gives up in the end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigun_py.engine.shutdown import PATIENCE, Phase, Shutdown
from minigun_py.testing.clock import VirtualClock


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


def test_a_run_that_nobody_ends_has_no_deadline(clock: VirtualClock) -> None:
    shutdown = Shutdown(clock)
    clock.advance(1e9)
    assert shutdown.phase is Phase.RUNNING
    assert (shutdown.remaining(), shutdown.overdue(), shutdown.given_up) == (None, None, False)


@pytest.mark.parametrize("phase", list(PATIENCE))
def test_every_phase_has_its_patience(clock: VirtualClock, phase: Phase) -> None:
    shutdown = Shutdown(clock)
    assert shutdown.enter(phase)
    clock.advance(0.25)
    assert shutdown.remaining() == PATIENCE[phase] - 0.25


@pytest.mark.parametrize(
    ("phase", "following"),
    [(Phase.DRAINING, Phase.CANCELLING), (Phase.CANCELLING, Phase.KILLING)],
)
def test_a_phase_that_takes_too_long_gives_way_to_the_next(
    clock: VirtualClock, phase: Phase, following: Phase
) -> None:
    shutdown = Shutdown(clock)
    shutdown.enter(phase)
    assert shutdown.overdue() is None
    clock.advance(PATIENCE[phase])
    assert shutdown.overdue() is following


def test_to_be_overdue_changes_nothing_by_itself(clock: VirtualClock) -> None:
    shutdown = Shutdown(clock)
    shutdown.enter(Phase.DRAINING)
    clock.advance(60.0)
    shutdown.overdue()
    assert shutdown.phase is Phase.DRAINING


def test_the_last_phase_ends_in_giving_up(clock: VirtualClock) -> None:
    shutdown = Shutdown(clock)
    shutdown.enter(Phase.KILLING)
    assert not shutdown.given_up
    clock.advance(PATIENCE[Phase.KILLING])
    assert shutdown.given_up
    assert shutdown.overdue() is None


def test_a_phase_is_entered_once(clock: VirtualClock) -> None:
    shutdown = Shutdown(clock)
    shutdown.enter(Phase.DRAINING)
    clock.advance(4.0)
    assert not shutdown.enter(Phase.DRAINING)
    assert shutdown.remaining() == PATIENCE[Phase.DRAINING] - 4.0


def test_a_cancelled_run_does_not_drain_any_more(clock: VirtualClock) -> None:
    shutdown = Shutdown(clock)
    shutdown.enter(Phase.CANCELLING)
    assert not shutdown.enter(Phase.DRAINING)
    assert shutdown.phase is Phase.CANCELLING


@given(st.lists(st.sampled_from([*PATIENCE]) | st.floats(0, 30)))
def test_it_only_goes_forward(steps: list[Phase | float]) -> None:
    clock = VirtualClock()
    shutdown, highest = Shutdown(clock), Phase.RUNNING
    for step in steps:
        if isinstance(step, Phase):
            assert shutdown.enter(step) == (step > highest)
            highest = max(highest, step)
        else:
            clock.advance(step)
        assert shutdown.phase is highest


def test_from_the_first_wish_to_the_end_it_takes_a_bounded_time(clock: VirtualClock) -> None:
    shutdown = Shutdown(clock)
    shutdown.enter(Phase.DRAINING)
    while not shutdown.given_up:
        clock.advance(shutdown.remaining() or 0.0)
        if (following := shutdown.overdue()) is not None:
            shutdown.enter(following)
    assert clock.now() == sum(PATIENCE.values())

"""Steps happen in the order of their numbers, whichever thread takes them."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigun_py.testing import Sequencer


@given(st.permutations(range(6)))
def test_threads_take_their_steps_in_order(order: list[int]) -> None:
    step, taken = Sequencer(), list[int]()

    def take(number: int) -> None:
        with step(number):
            taken.append(number)

    threads = [threading.Thread(target=take, args=(number,)) for number in order]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken == sorted(order)


def test_a_step_is_taken_once() -> None:
    step = Sequencer()
    with step(0):
        pass
    with pytest.raises(ValueError, match="step 0 was taken before"), step(0):
        pass


def test_a_step_whose_turn_never_comes_says_whom_it_waits_for() -> None:
    with pytest.raises(TimeoutError, match="step 2 waits for step 0"), Sequencer(limit=0.01)(2):
        pass


def test_a_step_that_raises_ends_the_wait_of_all() -> None:
    step, errors = Sequencer(), list[BaseException]()

    def wait() -> None:
        try:
            with step(1):
                pass
        except TimeoutError as error:
            errors.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    with pytest.raises(KeyError), step(0):
        raise KeyError("broken")
    thread.join()
    assert len(errors) == 1

"""A group knows what its workers keep, and asks each of them for it at the right time."""

from __future__ import annotations

import pytest

from minigun_py.contexts.answer import Harvest
from minigun_py.engine.keeping import Keeping
from minigun_py.engine.loop import Loop


def harvest(held: int = 0, due: float | None = None) -> Harvest:
    """What a worker answers that keeps so many items."""
    return Harvest([], [], held=held, due=due)


def entered(items: int) -> Loop:
    """A loop with so many items in it, and nothing that feeds it."""
    loop = Loop()
    loop.enter(items)
    return loop


# --------------------------------------------------------------------------- the last lease


def test_each_worker_is_asked_once_for_the_last_time() -> None:
    keeping = Keeping(holds=True, together=False, loop=None)
    assert [keeping.finish(worker) for worker in (1, 2, 1, 2)] == [True, True, False, False]


def test_workers_that_keep_together_are_asked_once() -> None:
    keeping = Keeping(holds=True, together=True, loop=None)
    assert [keeping.finish(worker) for worker in (2, 1)] == [True, False]


def test_workers_that_keep_nothing_are_not_asked() -> None:
    assert not Keeping(holds=False, together=False, loop=None).finish(1)


# --------------------------------------------------------------------------- when it is time


def test_nobody_is_due_who_has_not_said_so() -> None:
    keeping = Keeping(holds=True, together=False, loop=None)
    keeping.answered(1, 2, harvest(2))
    assert (keeping.due(1), keeping.next_due, keeping.is_due(1, 1e9)) == (None, None, False)


def test_a_worker_is_due_when_it_says() -> None:
    keeping = Keeping(holds=True, together=False, loop=None)
    keeping.answered(1, 2, harvest(2, due=5.0))
    assert keeping.due(1) == 5.0
    assert not keeping.is_due(1, 4.9)
    assert keeping.is_due(1, 5.0)


def test_the_first_of_all_workers_counts() -> None:
    keeping = Keeping(holds=True, together=False, loop=None)
    keeping.answered(1, 2, harvest(2, due=5.0))
    keeping.answered(2, 2, harvest(2, due=3.0))
    assert keeping.next_due == 3.0


def test_a_worker_that_got_a_lease_says_anew_when_it_is_due() -> None:
    keeping = Keeping(holds=True, together=False, loop=None)
    keeping.answered(1, 2, harvest(2, due=5.0))
    keeping.lent(1)
    assert keeping.due(1) is None


# --------------------------------------------------------------------------- what it keeps


def test_a_worker_keeps_what_it_says() -> None:
    keeping = Keeping(holds=True, together=False, loop=None)
    keeping.answered(1, 2, harvest(2))
    assert [keeping.holds(1), keeping.holds(2)] == [True, False]


def test_a_worker_that_took_items_may_keep_one_whatever_it_has_emitted() -> None:
    keeping = Keeping(holds=True, together=False, loop=None)
    keeping.answered(1, 2, harvest(0))
    assert keeping.holds(1)


def test_a_worker_keeps_nothing_after_a_flush() -> None:
    keeping = Keeping(holds=True, together=False, loop=None)
    keeping.answered(1, 2, harvest(2))
    keeping.answered(1, 0, harvest(0), emptied=True)
    assert not keeping.holds(1)


def test_workers_that_cannot_keep_items_keep_none() -> None:
    keeping = Keeping(holds=False, together=False, loop=None)
    keeping.answered(1, 2, harvest(2))
    assert not keeping.holds(1)


def test_what_workers_keep_together_all_of_them_keep() -> None:
    keeping = Keeping(holds=True, together=True, loop=None)
    keeping.answered(1, 2, harvest(2))
    assert keeping.holds(2)


def test_a_worker_that_is_gone_keeps_nothing() -> None:
    keeping = Keeping(holds=True, together=False, loop=None)
    keeping.answered(1, 2, harvest(2, due=5.0))
    keeping.vanished(1)
    assert (keeping.holds(1), keeping.due(1)) == (False, None)


# --------------------------------------------------------------------------- within a loop


def test_items_that_have_ended_leave_the_loop() -> None:
    loop = entered(3)
    Keeping(holds=False, together=False, loop=loop).answered(1, 3, harvest())
    assert loop.over


def test_items_that_are_kept_stay_in_the_loop_and_stall_it() -> None:
    loop = entered(3)
    Keeping(holds=True, together=False, loop=loop).answered(1, 3, harvest(2))
    assert not loop.over
    assert loop.stalled


def test_a_flush_lets_them_leave() -> None:
    loop = entered(3)
    keeping = Keeping(holds=True, together=False, loop=loop)
    keeping.answered(1, 3, harvest(2))
    keeping.answered(1, 0, harvest(0), emptied=True)
    assert loop.over


def test_items_that_end_without_an_answer_leave_the_loop() -> None:
    loop = entered(2)
    keeping = Keeping(holds=False, together=False, loop=loop)
    keeping.ended()
    assert not loop.over
    keeping.ended()
    assert loop.over


def test_what_a_worker_that_is_gone_had_kept_is_within_and_not_held() -> None:
    loop = entered(2)
    keeping = Keeping(holds=True, together=False, loop=loop)
    keeping.answered(1, 2, harvest(2))
    keeping.vanished(1)
    assert not loop.stalled
    assert not loop.over


@pytest.mark.parametrize("held", [1, 2, 3])
def test_what_is_kept_from_several_answers_is_counted_once(held: int) -> None:
    loop = entered(4)
    keeping = Keeping(holds=True, together=False, loop=loop)
    keeping.answered(1, 2, harvest(min(held, 2)))
    keeping.answered(1, 2, harvest(held))
    keeping.answered(1, 0, harvest(0), emptied=True)
    assert loop.over

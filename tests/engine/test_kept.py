"""A worker tells which items its stage has finished with, as its leases number them."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from minigun_py.engine.kept import Kept
from minigun_py.plan.own_stage import NumberedStage


def told(kept: Kept, received: int) -> list[int]:
    return sorted(number for span in kept.tell(received) for number in span)


def taking(count: int, stage: NumberedStage | None = None) -> Kept:
    kept = Kept(stage)
    take(kept, count)
    return kept


def take(kept: Kept, count: int) -> None:
    for _ in range(count):
        kept.take()


class Numbered(NumberedStage):
    """Finishes with what it is told to."""

    def __init__(self) -> None:
        self.let_go = []


# --------------------------------------------------------------------------- by its emissions


def test_nothing_is_finished_with_before_something_was_emitted() -> None:
    kept = taking(2)
    assert (told(kept, 2), kept.held) == ([], 2)


def test_an_emission_finishes_with_all_that_was_taken_in() -> None:
    kept = taking(2)
    kept.emitted()
    take(kept, 1)
    assert (told(kept, 3), kept.held) == ([0, 1], 1)


def test_items_of_earlier_leases_are_below_zero() -> None:
    kept = taking(2)
    kept.tell(2)
    take(kept, 1)
    kept.emitted()
    assert (told(kept, 1), kept.held) == ([-2, -1, 0], 0)


def test_nothing_is_told_twice() -> None:
    kept = taking(2)
    kept.emitted()
    kept.tell(2)
    assert told(kept, 0) == []


def test_items_that_follow_each_other_are_one_span() -> None:
    kept = taking(3)
    kept.emitted()
    assert kept.tell(3) == [range(3)]


def test_a_flush_finishes_with_all() -> None:
    kept = taking(2)
    kept.tell(2)
    kept.flushed()
    assert (told(kept, 0), kept.held) == ([-2, -1], 0)


def test_an_item_that_failed_is_not_kept() -> None:
    kept = taking(2)
    kept.failed()
    take(kept, 1)
    assert (told(kept, 3), kept.held) == ([1], 2)


def test_items_that_it_was_not_given_it_does_not_keep() -> None:
    kept = taking(1)
    assert (told(kept, 3), kept.held) == ([1, 2], 1)
    take(kept, 1)
    assert (told(kept, 1), kept.held) == ([], 2)


# --------------------------------------------------------------------------- by number


def test_a_stage_that_tells_by_number_is_told_the_numbers() -> None:
    stage = Numbered()
    kept = taking(3, stage)
    assert stage.number == 2
    kept.tell(3)
    kept.take()
    assert stage.number == 3


@pytest.mark.parametrize("emitted", [True, False])
def test_of_such_a_stage_only_what_it_says_is_finished_with(emitted: bool) -> None:
    stage = Numbered()
    kept = taking(3, stage)
    stage.let_go += [range(1), range(2, 3)]
    if emitted:
        kept.emitted()
    assert (told(kept, 3), kept.held, stage.let_go) == ([0, 2], 1, [])


def test_a_flush_of_such_a_stage_finishes_with_all() -> None:
    stage = Numbered()
    kept = taking(3, stage)
    stage.let_go += [range(3)]
    kept.flushed()
    assert ({*told(kept, 3)}, kept.held) == ({0, 1, 2}, 0)


class Keeping(RuleBasedStateMachine):
    """A stage that emits, fails and is flushed, beside a set of what it keeps."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = Numbered() if self.numbered else None
        self.kept = Kept(self.stage)
        self.taken = self.base = 0
        self.mine: set[int] = set()
        self.book: set[int] = set()
        """What the other side of the lease knows to be kept."""

    numbered = False

    @rule(count=st.integers(1, 3))
    def take(self, count: int) -> None:
        take(self.kept, count)
        self.mine.update(range(self.taken, self.taken + count))
        self.taken += count

    @rule(data=st.data())
    def emit(self, data: st.DataObject) -> None:
        if self.stage is None:
            self.mine.clear()
        elif self.mine:
            gone = data.draw(st.sets(st.sampled_from(sorted(self.mine))))
            self.stage.let_go += [range(number, number + 1) for number in sorted(gone)]
            self.mine -= gone
        self.kept.emitted()

    @rule()
    def fail(self) -> None:
        take(self.kept, 1)
        self.kept.failed()
        self.taken += 1

    @rule()
    def flush(self) -> None:
        if self.stage is not None:
            self.stage.let_go += [range(number, number + 1) for number in sorted(self.mine)]
        self.kept.flushed()
        self.mine.clear()

    @rule(unwanted=st.integers(0, 2))
    def answer(self, unwanted: int) -> None:
        start, self.base = self.base, self.taken + unwanted
        self.taken = self.base
        self.book.update(range(start, self.base))
        self.book -= {start + number for number in told(self.kept, self.base - start)}
        assert self.book == self.mine
        assert self.kept.held == len(self.mine)

    @invariant()
    def it_has_the_next_number(self) -> None:
        assert self.kept.taken == self.taken


class NumberedKeeping(Keeping):
    """The same with a stage that tells by number."""

    numbered = True


TestKeeping = Keeping.TestCase
TestNumberedKeeping = NumberedKeeping.TestCase

"""Every item that left the inbox is in exactly one lease until it is answered for."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from minigun_py.contexts.context import Lease
from minigun_py.engine.lease import LeaseBook


def test_places_count_up() -> None:
    book = LeaseBook()
    assert [book.lend([n]).place for n in range(3)] == [0, 1, 2]
    assert book.next_place == 3


def test_a_lease_that_is_done_is_gone() -> None:
    book = LeaseBook()
    book.done(book.lend([1, 2]))
    assert (book.outstanding, book.items) == (0, 0)
    assert book.lend_again() is None


def test_a_lease_that_came_back_is_lent_again_with_its_place() -> None:
    book = LeaseBook()
    lease = book.lend([1, 2])
    book.returned(lease)
    assert book.outstanding == 1
    assert book.lend_again() is lease
    assert book.lend_again() is None


def test_leases_that_came_back_are_lent_in_that_order() -> None:
    book = LeaseBook()
    first, second = book.lend([1]), book.lend([2])
    book.returned(second)
    book.returned(first)
    assert [book.lend_again(), book.lend_again()] == [second, first]


def test_after_a_death_only_the_item_to_blame_is_taken_out() -> None:
    book = LeaseBook()
    lease = book.lend(["a", "b", "c"])
    assert book.died(lease, 1) == "b"
    assert book.lend_again() is lease
    assert lease.items == ["a", "c"]


def test_a_death_leaves_the_list_that_was_lent_as_it_was() -> None:
    book, items = LeaseBook(), ["a", "b"]
    book.died(book.lend(items), 0)
    assert items == ["a", "b"]


def test_a_lease_emptied_by_death_keeps_its_place() -> None:
    book = LeaseBook()
    lease = book.lend(["a"])
    book.died(lease, 0)
    assert (book.outstanding, book.items) == (1, 0)
    assert book.lend_again() is lease


def test_nothing_is_answered_for_twice() -> None:
    book = LeaseBook()
    lease = book.lend([1])
    book.done(lease)
    with pytest.raises(KeyError):
        book.done(lease)


def test_what_came_back_cannot_be_done_before_it_is_lent_again() -> None:
    book = LeaseBook()
    lease = book.lend([1])
    book.returned(lease)
    with pytest.raises(KeyError):
        book.done(lease)


class Leases(RuleBasedStateMachine):
    """Items go through a book; each is waiting, out, done or to blame, and never two of these."""

    out = Bundle("out")

    def __init__(self) -> None:
        super().__init__()
        self.book = LeaseBook()
        self.taken = 0
        self.lent: list[Lease] = []
        self.back: list[Lease] = []
        self.ended: list[int] = []
        self.places: list[int] = []

    @rule(target=out, count=st.integers(0, 4))
    def lend(self, count: int) -> Lease:
        lease = self.book.lend(list(range(self.taken, self.taken + count)))
        self.taken += count
        self.lent.append(lease)
        self.places.append(lease.place)
        return lease

    @rule(target=out)
    def lend_again(self) -> Lease:
        lease = self.book.lend_again()
        if lease is None:
            assert not self.back
            return self.lend(0)
        assert lease is self.back.pop(0)
        self.lent.append(lease)
        return lease

    @rule(lease=consumes(out))
    def done(self, lease: Lease) -> None:
        self.book.done(lease)
        self.lent.remove(lease)
        self.ended += lease.items

    @rule(lease=consumes(out))
    def returned(self, lease: Lease) -> None:
        self.book.returned(lease)
        self.lent.remove(lease)
        self.back.append(lease)

    @rule(lease=consumes(out), data=st.data())
    def died(self, lease: Lease, data: st.DataObject) -> None:
        if not lease.items:
            return self.returned(lease)
        index = data.draw(st.integers(0, len(lease.items) - 1))
        self.ended.append(self.book.died(lease, index))
        self.lent.remove(lease)
        self.back.append(lease)
        return None

    @invariant()
    def every_item_is_in_one_place(self) -> None:
        held = [item for lease in (*self.lent, *self.back) for item in lease.items]
        assert sorted(held + self.ended) == list(range(self.taken))

    @invariant()
    def the_book_knows_how_many_are_held(self) -> None:
        assert self.book.items == self.taken - len(self.ended)
        assert self.book.outstanding == len(self.lent) + len(self.back)

    @invariant()
    def no_place_is_given_twice(self) -> None:
        assert self.places == list(range(self.book.next_place))


TestLeases = Leases.TestCase

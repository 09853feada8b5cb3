"""Whatever happens to workers that keep items, each item is lent, kept or ended, and one of these.

Leases are bound to workers here. Items that a worker keeps come back when it vanishes, and those
that it has emitted for do not.
"""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from minigun_py.contexts.answer import Lease
from minigun_py.engine.lease import LeaseBook

WORKERS = (1, 2, 3)


def held(book: LeaseBook, worker: int = 1) -> list[object]:
    """What comes back when a worker vanishes, in the order in which it does."""
    book.vanished(worker)
    items: list[object] = []
    while (lease := book.lend_again(worker)) is not None:
        items += lease.items
    return items


def test_items_that_are_kept_count_as_held() -> None:
    book = LeaseBook(bound=True)
    book.hold(book.lend([1, 2, 3]), pending=2)
    assert (book.outstanding(), book.items) == (0, 2)


def test_the_items_that_came_last_are_kept() -> None:
    book = LeaseBook(bound=True)
    book.hold(book.lend([1, 2, 3]), pending=2)
    assert held(book) == [2, 3]


def test_without_anything_kept_nothing_comes_back() -> None:
    book = LeaseBook(bound=True)
    book.hold(book.lend([1, 2, 3]), pending=0)
    assert held(book) == []


def test_an_emission_settles_what_was_kept_before() -> None:
    book = LeaseBook(bound=True)
    assert book.hold(book.lend([1, 2]), pending=2) == 0
    assert book.hold(book.lend([3, 4]), pending=1) == 2
    assert held(book) == [4]


def test_without_an_emission_all_that_was_kept_stays() -> None:
    book = LeaseBook(bound=True)
    book.hold(book.lend([1, 2]), pending=2)
    assert book.hold(book.lend([3]), pending=3) == 0
    assert held(book) == [1, 2, 3]


def test_a_flush_without_items_settles_all() -> None:
    book = LeaseBook(bound=True)
    book.hold(book.lend([1, 2]), pending=2)
    assert book.hold(book.lend([]), pending=0) == 2
    assert book.items == 0


def test_what_one_worker_keeps_is_not_settled_by_another() -> None:
    book = LeaseBook(bound=True)
    book.hold(book.lend([1], worker=1), pending=1)
    book.hold(book.lend([2], worker=2), pending=0)
    assert held(book, 1) == [1]


def test_what_a_worker_kept_comes_back_to_the_worker_of_its_number() -> None:
    book = LeaseBook(bound=True)
    book.hold(book.lend([1], worker=1), pending=1)
    book.vanished(1)
    assert book.lend_again(2) is None
    again = book.lend_again(1)
    assert again is not None
    assert (again.items, again.place) == ([1], 0)


def test_what_comes_back_comes_in_the_order_of_its_places() -> None:
    book = LeaseBook(bound=True)
    first = book.lend([1])
    book.hold(first, pending=1)
    second = book.lend([2])
    book.returned(second)
    book.vanished(1)
    assert [book.lend_again(1), book.lend_again(1)] == [first, second]


@pytest.mark.parametrize("bound", [True, False])
def test_what_is_out_is_counted_for_the_worker_where_leases_are_bound(bound: bool) -> None:
    book = LeaseBook(bound)
    book.lend([1], worker=1)
    book.lend([2], worker=2)
    assert (book.outstanding(), book.outstanding(1)) == (2, 1 if bound else 2)


class Books(RuleBasedStateMachine):
    """A book beside lists: what is out, what came back, what each worker keeps, and what ended."""

    def __init__(self) -> None:
        super().__init__()
        self.book = LeaseBook(bound=True)
        self.taken = 0
        self.out: list[Lease] = []
        self.back: list[Lease] = []
        self.kept: dict[int, list[int]] = {worker: [] for worker in WORKERS}
        self.ended: list[int] = []

    def some_lease(self, data: st.DataObject) -> Lease:
        lease: Lease = data.draw(st.sampled_from(self.out))
        self.out.remove(lease)
        return lease

    @rule(worker=st.sampled_from(WORKERS), count=st.integers(0, 4))
    def lend(self, worker: int, count: int) -> None:
        items = list(range(self.taken, self.taken + count))
        self.taken += count
        self.out.append(self.book.lend(items, worker=worker))

    @rule(worker=st.sampled_from(WORKERS))
    def lend_again(self, worker: int) -> None:
        mine = sorted((x for x in self.back if x.worker == worker), key=lambda x: x.place)
        lease = self.book.lend_again(worker)
        assert lease is (mine[0] if mine else None)
        if lease is not None:
            self.back.remove(lease)
            self.out.append(lease)

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def answered_after_an_emission(self, data: st.DataObject) -> None:
        lease = self.some_lease(data)
        items, kept = list(lease.items), self.kept[lease.worker]
        pending = data.draw(st.integers(0, len(items)))
        assert self.book.hold(lease, pending) == len(kept)
        self.ended += kept + items[: len(items) - pending]
        self.kept[lease.worker] = items[len(items) - pending :]

    @precondition(lambda self: any(x.items for x in self.out))
    @rule(data=st.data())
    def answered_without_an_emission(self, data: st.DataObject) -> None:
        lease = self.some_lease(data)
        kept = self.kept[lease.worker] + lease.items
        assert self.book.hold(lease, len(kept)) == 0
        self.kept[lease.worker] = kept

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def returned(self, data: st.DataObject) -> None:
        lease = self.some_lease(data)
        self.book.returned(lease)
        self.back.append(lease)

    @precondition(lambda self: any(x.items for x in self.out))
    @rule(data=st.data())
    def died(self, data: st.DataObject) -> None:
        lease = data.draw(st.sampled_from([x for x in self.out if x.items]))
        self.out.remove(lease)
        index = data.draw(st.integers(0, len(lease.items) - 1))
        blamed = lease.items[index]
        assert self.book.died(lease, index) == blamed
        self.ended.append(blamed)
        self.back.append(lease)

    @rule(worker=st.sampled_from(WORKERS))
    def vanished(self, worker: int) -> None:
        for lease in [x for x in self.out if x.worker == worker]:  # told before that it is gone
            self.out.remove(lease)
            self.book.returned(lease)
            self.back.append(lease)
        before = {id(x) for x in self.back}
        self.book.vanished(worker)
        came = [x for x in self.book._again if id(x) not in before]
        assert [item for x in came for item in x.items] == self.kept[worker]
        self.kept[worker] = []
        self.back += came

    @invariant()
    def every_item_is_in_one_place(self) -> None:
        lent = [item for lease in (*self.out, *self.back) for item in lease.items]
        kept = [item for items in self.kept.values() for item in items]
        assert sorted(lent + kept + self.ended) == list(range(self.taken))

    @invariant()
    def the_book_knows_how_many_have_not_ended(self) -> None:
        assert self.book.items == self.taken - len(self.ended)
        for worker in WORKERS:
            mine = [lease for lease in (*self.out, *self.back) if lease.worker == worker]
            assert self.book.outstanding(worker) == len(mine)


TestBooks = Books.TestCase

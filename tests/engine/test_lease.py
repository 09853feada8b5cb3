"""Every item that left the inbox is in exactly one lease until it is answered for."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from minigun_py.contexts.answer import Lease
from minigun_py.engine.lease import LeaseBook


def test_places_count_up() -> None:
    book = LeaseBook()
    assert [book.lend([n]).place for n in range(3)] == [0, 1, 2]
    assert book.next_place == 3


def test_a_lease_that_is_done_is_gone() -> None:
    book = LeaseBook()
    book.done(book.lend([1, 2]))
    assert (book.outstanding(), book.items) == (0, 0)
    assert book.lend_again() is None


def test_a_lease_that_came_back_is_lent_again_with_its_place() -> None:
    book = LeaseBook()
    lease = book.lend([1, 2])
    book.returned(lease)
    assert book.outstanding() == 1
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
    assert (book.outstanding(), book.items) == (1, 0)
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


# --------------------------------------------------------------------------- for one worker


def test_a_lease_that_is_bound_is_lent_again_to_its_own_worker() -> None:
    book = LeaseBook(bound=True)
    lease = book.lend([1], worker=2)
    book.returned(lease)
    assert book.lend_again(1) is None
    assert book.lend_again(2) is lease


def test_leases_that_are_bound_are_lent_again_in_the_order_of_their_places() -> None:
    book = LeaseBook(bound=True)
    first, second = book.lend([1]), book.lend([2])
    book.returned(second)
    book.returned(first)
    assert [book.lend_again(), book.lend_again()] == [first, second]


def test_leases_that_are_bound_are_outstanding_for_their_worker_alone() -> None:
    book = LeaseBook(bound=True)
    book.lend([1], worker=1)
    book.returned(book.lend([2], worker=2))
    assert [book.outstanding(worker) for worker in (1, 2, 3, None)] == [1, 1, 0, 2]


def test_leases_that_are_not_bound_are_outstanding_for_all() -> None:
    book = LeaseBook()
    book.lend([1], worker=1)
    assert book.outstanding(2) == 1


# --------------------------------------------------------------------------- kept by a worker


def kept(book: LeaseBook, worker: int = 1) -> list[object]:
    """What comes back when a worker vanishes, in the order in which it does."""
    book.vanished(worker)
    items: list[object] = []
    while (lease := book.lend_again(worker)) is not None:
        items += lease.items
    return items


def test_items_that_are_kept_are_in_the_book_though_no_lease_is_out() -> None:
    book = LeaseBook(bound=True)
    assert book.hold(book.lend([1, 2, 3]), [range(1)]) == 2
    assert (book.outstanding(), book.items) == (0, 2)
    assert book.lend_again() is None


def test_items_that_are_kept_come_back_when_their_worker_has_vanished() -> None:
    book = LeaseBook(bound=True)
    book.hold(book.lend(["a", "b", "c"]), [range(1, 2)])
    assert kept(book) == ["a", "c"]


def test_items_of_earlier_leases_are_below_zero() -> None:
    book = LeaseBook(bound=True)
    book.hold(book.lend(["a", "b"]), [])
    assert book.hold(book.lend(["c"]), [range(-1, 1)]) == -1
    assert kept(book) == ["a"]


def test_a_lease_without_items_can_finish_with_all() -> None:
    book = LeaseBook(bound=True)
    book.hold(book.lend(["a", "b"]), [])
    assert book.hold(book.lend([]), [range(-2, 0)]) == -2
    assert book.items == 0


def test_an_item_can_be_finished_with_twice() -> None:
    book = LeaseBook(bound=True)
    book.hold(book.lend(["a", "b"]), [range(1)])
    book.hold(book.lend([]), [range(-2, -1)])
    assert kept(book) == ["b"]


def test_what_one_worker_keeps_another_does_not_finish_with() -> None:
    book = LeaseBook(bound=True)
    book.hold(book.lend([1], worker=1), [])
    assert book.hold(book.lend([2], worker=2), [range(-1, 1)]) == 0
    assert kept(book, 1) == [1]


def test_what_a_worker_kept_comes_back_to_the_worker_of_its_number() -> None:
    book = LeaseBook(bound=True)
    book.hold(book.lend([1], worker=1), [])
    book.vanished(1)
    assert book.lend_again(2) is None
    again = book.lend_again(1)
    assert again is not None
    assert (again.items, again.place) == ([1], 0)


def test_what_comes_back_comes_in_the_order_of_its_places() -> None:
    book = LeaseBook(bound=True)
    first = book.lend([1])
    book.hold(first, [])
    second = book.lend([2])
    book.returned(second)
    book.vanished(1)
    assert [book.lend_again(1), book.lend_again(1)] == [first, second]


def test_the_worker_that_follows_counts_anew() -> None:
    book = LeaseBook(bound=True)
    book.hold(book.lend(["a", "b"]), [])
    book.vanished(1)
    again = book.lend_again(1)
    assert again is not None
    assert book.hold(again, [range(1)]) == 1
    assert kept(book) == ["b"]


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
        assert self.book.outstanding() == len(self.lent) + len(self.back)

    @invariant()
    def no_place_is_given_twice(self) -> None:
        assert self.places == list(range(self.book.next_place))


TestLeases = Leases.TestCase


class KeptItems(RuleBasedStateMachine):
    """Workers keep some items and give others; they die, and every item is given once."""

    WORKERS = (1, 2, 3)

    def __init__(self) -> None:
        super().__init__()
        self.book = LeaseBook(bound=True)
        self.taken = 0
        self.given: list[int] = []
        self.blamed: list[int] = []
        self.answered: dict[int, list[int]] = {worker: [] for worker in self.WORKERS}
        self.kept: dict[int, set[int]] = {worker: set() for worker in self.WORKERS}
        self.running: dict[int, Lease | None] = dict.fromkeys(self.WORKERS)

    @rule(worker=st.sampled_from(WORKERS), count=st.integers(0, 4))
    def take(self, worker: int, count: int) -> None:
        if self.running[worker] is not None:
            return
        lease = self.book.lend_again(worker)
        if lease is None:
            lease = self.book.lend(list(range(self.taken, self.taken + count)), worker=worker)
            self.taken += count
        assert lease.worker == worker
        self.running[worker] = lease

    @rule(worker=st.sampled_from(WORKERS), data=st.data())
    def answer(self, worker: int, data: st.DataObject) -> None:
        lease, kept = self.running[worker], self.kept[worker]
        if lease is None:
            return
        self.running[worker] = None
        before, start = len(kept), len(self.answered[worker])
        self.answered[worker] += lease.items
        kept.update(lease.items)
        gone = data.draw(st.sets(st.sampled_from(sorted(kept)))) if kept else set()
        numbers = [self.answered[worker].index(item) - start for item in sorted(gone)]
        kept -= gone
        self.given += gone
        more = self.book.hold(lease, [range(number, number + 1) for number in numbers])
        assert more == len(kept) - before

    @rule(worker=st.sampled_from(WORKERS))
    def come_back(self, worker: int) -> None:
        lease, self.running[worker] = self.running[worker], None
        if lease is not None:
            self.book.returned(lease)

    @rule(worker=st.sampled_from(WORKERS), data=st.data())
    def die(self, worker: int, data: st.DataObject) -> None:
        lease, self.running[worker] = self.running[worker], None
        self.kept[worker], self.answered[worker] = set(), []
        if lease is not None and lease.items:
            index = data.draw(st.integers(0, len(lease.items) - 1))
            self.blamed.append(self.book.died(lease, index))
        elif lease is not None:
            self.book.returned(lease)
        self.book.vanished(worker)

    @invariant()
    def what_was_not_given_is_in_the_book(self) -> None:
        assert self.book.items == self.taken - len(self.given) - len(self.blamed)

    def teardown(self) -> None:
        for worker in self.WORKERS:
            lease = self.running[worker]
            if lease is not None:
                self.book.returned(lease)
            self.given += kept(self.book, worker)
        assert sorted(self.given + self.blamed) == list(range(self.taken))


TestKeptItems = KeptItems.TestCase

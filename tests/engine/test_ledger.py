"""The ledger counts every item, and finds what does not balance."""

from __future__ import annotations

import threading

from minigun_py.contexts.answer import Harvest, StageCounts
from minigun_py.engine.ledger import Ledger, StageBook
from minigun_py.primitives.channel import ChannelStatistics, open_channel
from plan.drawing import processor, source


def ledger() -> Ledger:
    return Ledger([source("s"), processor("a"), processor("b")])


def counts(received: int, **ends: int) -> StageCounts:
    return StageCounts(received=received, **ends)


def channel(sent: int, received: int, *, aborted: bool = False) -> ChannelStatistics:
    """The books of a channel through which so many went."""
    sender, receiver = open_channel(max(1, sent))
    sender.send_many(list(range(sent)))
    if received:
        receiver.receive_many(received)
    if aborted:
        receiver.abort()
    return receiver.statistics()


def test_the_counts_of_chunks_add_up() -> None:
    books = ledger()
    for _ in range(2):
        books.harvested(
            ("a", "b"),
            Harvest([], [counts(3, completed=2, failed=1, emitted=2), counts(2, filtered=2)]),
        )
    page = books.snapshot()
    assert (page["a"].received, page["a"].completed, page["a"].failed) == (6, 4, 2)
    assert (page["a"].emitted, page["b"].received, page["b"].filtered) == (4, 4, 4)


def test_the_time_of_a_chunk_is_that_of_the_first_stage() -> None:
    books = ledger()
    books.harvested(("a", "b"), Harvest([], [counts(0), counts(0)], seconds=2.5))
    assert (books.snapshot()["a"].busy, books.snapshot()["b"].busy) == (2.5, 0.0)


def test_an_item_whose_worker_died_was_received_and_failed() -> None:
    books = ledger()
    books.failed("a")
    page = books.snapshot()["a"]
    assert (page.received, page.failed) == (1, 1)
    assert books.imbalances() == []


def test_a_skipped_item_did_not_fail() -> None:
    books = ledger()
    books.failed("a")
    books.failed("a")
    books.put_aside("a", skipped=1)
    page = books.snapshot()["a"]
    assert (page.failed, page.skipped) == (1, 1)
    assert books.imbalances() == []


def test_an_item_that_was_lent_out_at_a_cut_is_cancelled() -> None:
    books = ledger()
    books.cancelled("a", 3)
    assert (books.snapshot()["a"].received, books.snapshot()["a"].cancelled) == (3, 3)
    assert books.imbalances() == []


def test_waits_add_up() -> None:
    books = ledger()
    books.waited("a", blocked=1.0)
    books.waited("a", blocked=0.5, starved=2.0)
    assert (books.snapshot()["a"].blocked, books.snapshot()["a"].starved) == (1.5, 2.0)


def test_workers_are_noted_for_each_stage() -> None:
    books = ledger()
    books.employ(["a", "b"], 4)
    assert [page.workers for page in books.snapshot().values()] == [1, 4, 4]


def test_a_snapshot_is_a_copy() -> None:
    books = ledger()
    before = books.snapshot()
    books.failed("a")
    assert before["a"].received == 0


# --------------------------------------------------------------------------- imbalances


def test_a_run_of_nothing_balances() -> None:
    assert ledger().imbalances() == []


def test_an_item_without_an_end_is_found() -> None:
    books = ledger()
    books.harvested(("a",), Harvest([], [counts(3, completed=2)]))
    assert books.imbalances() == ["a received 3 items, 1 unended"]


def test_an_item_with_two_ends_is_found() -> None:
    books = ledger()
    books.harvested(("a",), Harvest([], [counts(1, completed=1, failed=1)]))
    assert books.imbalances() == ["a received 1 items, -1 unended"]


def test_an_item_lost_between_channel_and_stage_is_found() -> None:
    books = ledger()
    books.harvested(("a",), Harvest([], [counts(2, completed=2)]))
    books.inbox_closed("a", channel(sent=3, received=3))
    assert books.imbalances() == ["3 items were sent to a, which received 2 and discarded 0"]


def test_what_a_cut_discarded_is_accounted_for() -> None:
    books = ledger()
    books.harvested(("a",), Harvest([], [counts(2, completed=2)]))
    books.inbox_closed("a", channel(sent=5, received=2, aborted=True))
    assert books.imbalances() == []
    assert books.snapshot()["a"].discarded == 3


def test_the_inbox_tells_how_many_ever_waited() -> None:
    books = ledger()
    books.inbox_closed("a", channel(sent=5, received=5))
    assert books.snapshot()["a"].peak_queue == 5


def test_a_source_receives_nothing_and_has_nothing_to_balance() -> None:
    books = ledger()
    books.harvested(("s",), Harvest([], [StageCounts(emitted=3, failed=1)]))
    assert books.imbalances() == []


def test_threads_lose_no_count() -> None:
    books = ledger()

    def count() -> None:
        for _ in range(200):
            books.harvested(("a",), Harvest([], [counts(1, completed=1)], seconds=1.0))
            books.failed("a")
            books.put_aside("a", skipped=1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    page = books.snapshot()["a"]
    assert (page.received, page.completed, page.skipped, page.busy) == (1600, 800, 800, 800.0)


def test_every_way_to_end_counts() -> None:
    book = StageBook(received=5, completed=1, filtered=1, failed=1, cancelled=1, skipped=1)
    assert book.imbalance() == 0

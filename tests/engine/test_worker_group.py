"""A worker group hands out every item, sends every result on, and loses none to a death."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.growing import grow
from engine.standing import Scripted, Stand
from minigun_py.contexts.answer import Answer, Died, Lease, Returned
from minigun_py.contexts.context import LeaseReceiver
from minigun_py.engine.worker_group import EXIT_SECONDS, OPEN_PLACES
from minigun_py.errors import ChannelAborted, EndOfChannel, WorkerDied, WouldBlock
from minigun_py.plan.options import checked_options
from minigun_py.plan.own_stage import Stage
from minigun_py.plan.stage import OwnStage
from minigun_py.testing.clock import VirtualClock
from plan.drawing import batch

PATIENCE = 20.0

Answering = Callable[[Answer], None]


def work_off(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
    """What a worker thread does."""
    while True:
        try:
            lease = leases.receive(1)
        except EndOfChannel:
            return
        answer(context.run(lease))


def poll(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
    """What a poll loop does that is never told to wait."""
    while True:
        try:
            lease = leases.receive_nowait(1)
        except EndOfChannel:
            return
        answer(context.run(lease))


def three(item: int) -> int:
    if item == 3:
        raise ValueError("three")
    return item


# --------------------------------------------------------------------------- the plain way


@pytest.mark.parametrize("script", [work_off, poll])
def test_every_item_is_run_and_sent_on(script: Any) -> None:
    stand = Stand(script, lambda n: 2 * n, items=range(10))
    assert stand.run() == [2 * n for n in range(10)]
    assert (stand.page.received, stand.page.completed, stand.page.emitted) == (10, 10, 10)
    assert stand.ledger.imbalances() == []


def test_the_end_of_the_inbox_is_passed_on() -> None:
    stand = Stand(work_off)
    stand.run()
    with pytest.raises(EndOfChannel):
        stand.receiver.receive_nowait()


def test_at_the_end_workers_have_a_while_to_end_by_themselves() -> None:
    stand = Stand(work_off)
    stand.run()
    assert (stand.context.closed, stand.context.patience) == (1, EXIT_SECONDS)


def test_a_fixed_chunk_travels_together() -> None:
    lent: list[int] = []

    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        for _ in range(3):
            lease = leases.receive(1)
            lent.append(len(lease.items))
            answer(context.run(lease))

    Stand(script, items=range(10), chunk=4).run()
    assert lent == [4, 4, 2]


def test_what_one_worker_takes_leaves_some_to_the_others() -> None:
    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        lease = leases.receive(1)
        assert len(lease.items) == 10
        answer(context.run(lease))
        work_off(context, leases, answer)

    Stand(script, items=range(40), chunk=100, workers=2).run()


def test_a_poll_loop_is_told_when_there_is_nothing_now() -> None:
    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        with pytest.raises(WouldBlock):
            leases.receive_nowait(1)

    stand = Stand(script)
    stand.group.run()
    stand.sender.close()


def test_a_poll_loop_is_woken_by_an_item() -> None:
    woken: list[bool] = []

    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        leases.on_ready(lambda: woken.append(True))
        woken.clear()  # there is room downstream already
        stand.sender.send(1)

    stand = Stand(script)
    stand.group.run()
    stand.sender.close()
    assert woken == [True]


# --------------------------------------------------------------------------- failures


def test_a_failure_that_is_forgiven_takes_nothing_from_the_rest() -> None:
    stand = Stand(work_off, three, items=range(6), policy="skip")
    assert stand.run() == [0, 1, 2, 4, 5]
    assert (stand.page.skipped, stand.page.failed) == (1, 0)
    assert stand.ledger.imbalances() == []


def test_a_failure_that_is_not_forgiven_cuts_the_stream() -> None:
    stand = Stand(work_off, three, items=range(6), chunk=1)
    stand.sender.close()
    stand.group.run()
    with pytest.raises(ChannelAborted):
        stand.receiver.receive_nowait()
    page = stand.page
    assert (page.completed, page.failed, page.discarded) == (3, 1, 2)
    assert stand.ledger.imbalances() == []


def test_a_context_that_raises_ends_the_run_with_its_error() -> None:
    error = OSError("no more processes")

    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        leases.receive(1)
        raise error

    stand = Stand(script, items=range(3), chunk=2)
    stand.sender.close()
    stand.group.run()
    assert stand.verdict.errors == (error,)
    assert (stand.page.cancelled, stand.page.discarded) == (2, 1)
    assert stand.context.patience == 0.0
    assert stand.ledger.imbalances() == []


# --------------------------------------------------------------------------- death


def dying(*deaths: tuple[int, int]) -> Any:
    """A poll loop whose worker dies: (n, index) at item `index` of the n-th lease."""
    at = dict(deaths)

    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        count = 0
        while True:
            try:
                lease = leases.receive_nowait(1)
            except EndOfChannel:
                return
            if count in at:
                answer(Died(lease, at[count], WorkerDied("killed", -9)))
            else:
                answer(context.run(lease))
            count += 1

    return script


def test_after_a_death_all_but_the_item_to_blame_are_run_again() -> None:
    stand = Stand(dying((0, 1)), items=["a", "b", "c"], chunk=3, policy="skip")
    assert stand.run() == ["a", "c"]
    (failed,) = stand.verdict.failures
    assert (failed.stage, failed.item, type(failed.error)) == ("a", "b", WorkerDied)
    assert (stand.page.received, stand.page.completed, stand.page.skipped) == (3, 2, 1)
    assert stand.ledger.imbalances() == []


def test_a_lease_that_a_death_has_emptied_is_still_answered_for() -> None:
    stand = Stand(dying((0, 0)), items=["a", "b"], chunk=1, policy="skip")
    assert stand.run() == ["b"]
    assert stand.ledger.imbalances() == []


def test_a_death_ends_the_run_where_failures_do() -> None:
    stand = Stand(dying((0, 0)), items=["a", "b"], chunk=1)
    stand.sender.close()
    stand.group.run()
    (error,) = stand.verdict.errors
    assert isinstance(error, WorkerDied)
    assert stand.ledger.imbalances() == []


def test_a_lease_that_was_not_started_is_lent_again_before_a_new_one() -> None:
    places: list[int] = []

    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        first, second = leases.receive_nowait(1), leases.receive_nowait(1)
        answer(Returned(first))
        answer(Returned(second))
        for _ in range(3):
            lease = leases.receive_nowait(1)
            places.append(lease.place)
            answer(context.run(lease))

    stand = Stand(script, items=[0, 1, 2], chunk=1)
    assert stand.run() == [0, 1, 2]
    assert places == [0, 1, 2]


def test_the_stream_does_not_end_while_a_lease_may_come_back() -> None:
    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        lease = leases.receive_nowait(1)
        with pytest.raises(WouldBlock, match="leases may come back"):
            leases.receive_nowait(1)
        answer(Returned(lease))
        answer(context.run(leases.receive_nowait(1)))
        with pytest.raises(EndOfChannel):
            leases.receive_nowait(1)

    assert Stand(script, items=[1]).run() == [1]


def test_too_many_deaths_end_the_run_though_no_item_is_to_blame() -> None:
    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        while True:
            answer(Returned(leases.receive_nowait(1), WorkerDied("killed", -9)))

    stand = Stand(script, items=[1], policy="skip")
    stand.sender.close()
    thread = threading.Thread(target=stand.group.run, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    (error,) = stand.verdict.errors
    assert "more than 5 workers of a died" in str(error)
    assert stand.ledger.imbalances() == []


# --------------------------------------------------------------------------- order


def test_order_is_kept_whatever_ends_first() -> None:
    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        lent = [leases.receive_nowait(1) for _ in range(4)]
        for lease in reversed(lent):
            answer(context.run(lease))

    stand = Stand(script, items=range(4), chunk=1, ordered=True, workers=4)
    assert stand.run() == [0, 1, 2, 3]


def test_order_is_not_kept_unless_it_is_asked_for() -> None:
    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        lent = [leases.receive_nowait(1) for _ in range(4)]
        for lease in reversed(lent):
            answer(context.run(lease))

    stand = Stand(script, items=range(4), chunk=1, workers=4)
    assert stand.run() == [3, 2, 1, 0]


def test_order_is_kept_over_a_death() -> None:
    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        first, second = leases.receive_nowait(1), leases.receive_nowait(1)
        answer(context.run(second))
        answer(Died(first, 0, WorkerDied("killed")))
        answer(context.run(leases.receive_nowait(1)))

    stand = Stand(script, items=range(4), chunk=2, ordered=True, policy="skip")
    assert stand.run() == [1, 2, 3]


def test_only_so_many_leases_may_be_open_for_the_sake_of_order() -> None:
    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        lent = [leases.receive_nowait(1) for _ in range(OPEN_PLACES)]
        with pytest.raises(WouldBlock, match="earlier leases"):
            leases.receive_nowait(1)
        for lease in lent[1:]:
            answer(context.run(lease))
        with pytest.raises(WouldBlock, match="earlier leases"):
            leases.receive_nowait(1)
        answer(context.run(lent[0]))
        poll(context, leases, answer)

    stand = Stand(script, items=range(20), chunk=1, ordered=True)
    assert stand.run() == list(range(20))


def test_a_thread_that_waits_for_its_turn_goes_on_when_earlier_leases_are_answered() -> None:
    got: list[Lease] = []

    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        lent = [leases.receive(1) for _ in range(OPEN_PLACES)]
        thread = threading.Thread(target=lambda: got.append(leases.receive(1)))
        thread.start()
        for lease in lent:
            answer(context.run(lease))
        thread.join(PATIENCE)
        answer(context.run(got[0]))

    stand = Stand(script, items=range(OPEN_PLACES + 1), chunk=1, ordered=True)
    assert stand.run() == list(range(OPEN_PLACES + 1))


def test_places_follow_the_inbox_though_threads_are_slow_to_take_them() -> None:
    lent: dict[str, Lease] = {}

    entered, other_lent = threading.Event(), threading.Event()

    def when_taken() -> None:
        if threading.current_thread().name == "slow":
            entered.set()
            other_lent.wait(0.2)  # the race that must not happen: bounded, since it does not

    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        def take(worker: int) -> None:
            lent[threading.current_thread().name] = leases.receive(worker)
            other_lent.set()

        slow = threading.Thread(target=take, args=(1,), name="slow")
        quick = threading.Thread(target=take, args=(2,), name="quick")
        slow.start()
        entered.wait(PATIENCE)
        quick.start()
        slow.join(PATIENCE)
        quick.join(PATIENCE)
        for lease in lent.values():
            answer(context.run(lease))

    stand = Stand(script, items=[0, 1], chunk=1, ordered=True, workers=2, when_taken=when_taken)
    assert stand.run() == [0, 1]


# --------------------------------------------------------------------------- back-pressure


def test_no_lease_is_given_while_results_wait_for_room() -> None:
    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        answer(context.run(leases.receive_nowait(1)))
        with pytest.raises(WouldBlock, match="downstream is full"):
            leases.receive_nowait(1)
        assert stand.taken() == [0]
        with pytest.raises(EndOfChannel):
            leases.receive_nowait(1)

    stand = Stand(script, items=range(2), chunk=2, room=1)
    assert stand.run() == [1]


def test_an_answer_never_waits_for_room() -> None:
    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        answer(context.run(leases.receive(1)))
        stand.token.cancel("seen enough")

    stand = Stand(script, items=range(9), chunk=9, room=1)
    stand.sender.close()
    stand.group.run()
    assert stand.page.completed == 9


def test_the_time_without_room_is_noted() -> None:
    clock = VirtualClock()

    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        answer(context.run(leases.receive(1)))
        clock.advance(2.5)
        assert stand.taken() == [0]
        leases.receive(1)
        stand.token.cancel()

    stand = Stand(script, items=range(3), chunk=2, room=1, clock=clock)
    stand.sender.close()
    stand.group.run()
    assert stand.page.blocked == 2.5


# --------------------------------------------------------------------------- a kernel that holds


class Keep(Stage):
    """Keeps all items until it is flushed, and gives them one by one; fails on "bad"."""

    def setup(self) -> None:
        self.kept: list[Any] = []

    def process(self, item: Any) -> None:
        if item == "bad":
            raise ValueError(item)
        self.kept.append(item)

    def flush(self) -> Iterator[Any]:
        yield from self.kept
        self.kept = []


def keeping(**options: Any) -> Any:
    """A segment of one stage that keeps what it gets."""
    return grow([OwnStage("a", checked_options(options, "a"), "", Keep())], [[]])


def serve(context: Scripted, leases: LeaseReceiver, answer: Answering, worker: int = 1) -> None:
    """Be one worker to the end."""
    while True:
        try:
            lease = leases.receive_nowait(worker)
        except EndOfChannel:
            return
        answer(context.run(lease))


def test_what_a_batch_holds_goes_with_a_last_lease() -> None:
    leases_seen: list[tuple[int, bool]] = []

    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        while True:
            try:
                lease = leases.receive(1)
            except EndOfChannel:
                return
            leases_seen.append((len(lease.items), lease.last))
            answer(context.run(lease))

    segment = grow([batch("a", 2, chunk=3)], [[]])
    stand = Stand(script, segment=segment, items=range(3))
    assert stand.run() == [[0, 1], [2]]
    assert leases_seen == [(3, False), (0, True)]


@pytest.mark.parametrize("wait", [True, False])
def test_each_worker_that_may_hold_items_gets_one_last_lease(wait: bool) -> None:
    last: list[int] = []

    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        take = leases.receive if wait else leases.receive_nowait
        for worker in (1, 2, 1):
            answer(context.run(take(worker)))
        for worker in (2, 1):
            lease = take(worker)
            assert (lease.items, lease.last) == ([], True)
            last.append(lease.worker)
            answer(context.run(lease))
            with pytest.raises(EndOfChannel):
                take(worker)

    stand = Stand(script, segment=grow([batch("a", 9, chunk=1)], [[]]), items=range(3), workers=2)
    assert stand.run() == [[1], [0, 2]]
    assert last == [2, 1]


def test_a_lease_that_may_come_back_to_one_worker_keeps_no_other_from_its_end() -> None:
    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        first = leases.receive_nowait(1)
        assert leases.receive_nowait(2).last
        with pytest.raises(WouldBlock, match="leases may come back"):
            leases.receive_nowait(1)
        answer(context.run(first))
        assert leases.receive_nowait(1).last

    Stand(script, segment=keeping(), items=["a"], workers=2).run()


def test_a_batch_that_is_due_gets_an_empty_lease() -> None:
    clock = VirtualClock()

    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        answer(context.run(leases.receive(1)))
        clock.advance(3.0)
        tick = leases.receive(1)
        assert tick.items == []
        answer(context.run(tick))

    stand = Stand(script, segment=grow([batch("a", 9, 2.0)], [[]]), items=[1], clock=clock)
    stand.group.run()
    stand.sender.close()
    assert stand.taken() == [[1]]


def test_a_poll_loop_is_told_when_a_batch_will_be_due() -> None:
    clock = VirtualClock()

    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        assert leases.wait_time() is None
        answer(context.run(leases.receive_nowait(1)))
        clock.advance(0.5)
        assert leases.wait_time() == 1.5
        with pytest.raises(WouldBlock):
            leases.receive_nowait(1)
        clock.advance(1.5)
        assert leases.wait_time() == 0.0
        answer(context.run(leases.receive_nowait(1)))
        assert leases.wait_time() is None

    stand = Stand(script, segment=grow([batch("a", 9, 2.0)], [[]]), items=[1], clock=clock)
    stand.group.run()
    stand.sender.close()
    assert stand.taken() == [[1]]


# --------------------------------------------------------------------------- a worker vanishes


def test_what_a_worker_has_kept_is_run_again_when_it_has_vanished() -> None:
    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        for _ in range(2):
            answer(context.run(leases.receive_nowait(1)))
        answer(context.lose(1))
        serve(context, leases, answer)

    stand = Stand(script, segment=keeping(chunk=2), items=range(5))
    assert stand.run() == [0, 1, 2, 3, 4]
    assert (stand.page.received, stand.page.completed) == (5, 5)
    assert stand.ledger.imbalances() == []


def test_what_it_has_emitted_before_is_not_run_again() -> None:
    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        answer(context.run(leases.receive_nowait(1)))
        answer(context.lose(1))
        serve(context, leases, answer)

    stand = Stand(script, segment=grow([batch("a", 2, chunk=5)], [[]]), items=range(6))
    assert stand.run() == [[0, 1], [2, 3], [4, 5]]
    assert stand.ledger.imbalances() == []


def test_what_it_has_emitted_because_it_was_due_is_not_run_again() -> None:
    clock = VirtualClock()

    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        answer(context.run(leases.receive_nowait(1)))
        clock.advance(2.0)
        answer(context.run(leases.receive_nowait(1)))
        answer(context.lose(1))
        serve(context, leases, answer)

    stand = Stand(script, segment=grow([batch("a", 9, 2.0)], [[]]), items=[1], clock=clock)
    assert stand.run() == [[1]]
    assert stand.ledger.imbalances() == []


def test_what_it_has_taken_in_since_is_run_again() -> None:
    clock = VirtualClock()

    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        answer(context.run(leases.receive_nowait(1)))
        clock.advance(2.0)
        stand.sender.send(2)
        while (lease := leases.receive_nowait(1)).items != [2]:
            answer(context.run(lease))
        answer(context.run(lease))
        answer(context.lose(1))
        stand.sender.close()
        serve(context, leases, answer)

    stand = Stand(script, segment=grow([batch("a", 9, 2.0)], [[]]), items=[1], clock=clock)
    stand.group.run()
    assert stand.taken() == [[1], [2]]
    assert stand.ledger.imbalances() == []


def test_what_another_worker_keeps_stays_with_it() -> None:
    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        for worker in (1, 2):
            answer(context.run(leases.receive_nowait(worker)))
        answer(context.lose(1))
        with pytest.raises(WouldBlock):
            leases.receive_nowait(2)
        again = leases.receive_nowait(1)
        assert again.items == [0]
        answer(context.run(again))
        stand.sender.close()
        for worker in (1, 2):
            serve(context, leases, answer, worker)

    stand = Stand(script, segment=keeping(chunk=1), items=range(2), workers=2)
    stand.group.run()
    assert stand.taken() == [0, 1]
    assert stand.ledger.imbalances() == []


def test_an_item_that_has_failed_is_not_run_again_when_its_worker_vanishes() -> None:
    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        answer(context.run(leases.receive_nowait(1)))
        answer(context.lose(1))
        serve(context, leases, answer)

    items = ["a", "bad", "b"]
    stand = Stand(script, segment=keeping(chunk=3), items=items, policy="skip")
    assert stand.run() == ["a", "b"]
    assert [failed.item for failed in stand.verdict.failures] == ["bad"]
    assert (stand.page.received, stand.page.completed, stand.page.skipped) == (3, 2, 1)
    assert stand.ledger.imbalances() == []


def test_what_is_kept_at_a_cut_is_cancelled() -> None:
    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        answer(context.run(leases.receive_nowait(1)))
        stand.token.cancel("enough")

    stand = Stand(script, segment=keeping(chunk=3), items=range(5))
    stand.sender.close()
    stand.group.run()
    assert (stand.page.cancelled, stand.page.discarded) == (3, 2)
    assert stand.ledger.imbalances() == []


@given(st.lists(st.sampled_from(["take", "die", "lose"]), max_size=30), st.integers(0, 12))
def test_whatever_dies_nothing_is_lost_that_was_kept(fates: list[str], count: int) -> None:
    blamed: list[int] = []

    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        for fate in fates:
            if fate == "lose" and context.keeps(1):
                answer(context.lose(1))
                continue
            lease = leases.receive_nowait(1)
            if lease.last:
                answer(context.run(lease))
                return
            if fate != "die" or not lease.items or len(blamed) > 3:
                answer(context.run(lease))
                continue
            blamed.append(lease.items[-1])
            answer(Died(lease, len(lease.items) - 1, WorkerDied("killed")))
            if context.keeps(1):
                answer(context.lose(1))
        serve(context, leases, answer)

    stand = Stand(script, segment=keeping(chunk=2), items=range(count), policy="skip")
    assert sorted(stand.run() + blamed) == list(range(count))
    assert stand.ledger.imbalances() == []


# --------------------------------------------------------------------------- any order of answers


FATES = st.tuples(st.sampled_from(["take", "done", "returned", "died"]), st.integers(0, 9))


@given(st.lists(FATES, max_size=40), st.integers(0, 12), st.booleans(), st.integers(1, 4))
def test_whatever_the_context_does_no_item_is_lost(
    fates: list[tuple[str, int]], count: int, ordered: bool, chunk: int
) -> None:
    blamed: list[int] = []
    coming = iter(fates)

    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        held: list[Lease] = []
        while True:
            fate, number = next(coming, ("done", 0))
            try:
                held.append(leases.receive_nowait(1))
            except EndOfChannel:
                return
            except WouldBlock:
                assert held  # with nothing lent out there is always a lease, or the end
                fate = "done" if fate == "take" else fate
            if fate == "take":
                continue
            lease = held.pop(number % len(held))
            if fate == "died" and lease.items and len(blamed) < 4:
                index = number % len(lease.items)
                blamed.append(lease.items[index])
                answer(Died(lease, index, WorkerDied("killed")))
            elif fate == "returned":
                answer(Returned(lease))
            else:
                answer(context.run(lease))

    stand = Stand(
        script, items=range(count), policy="skip", ordered=ordered, chunk=chunk, workers=3
    )
    out = stand.run()
    if ordered:
        assert out == sorted(out)
    assert sorted(out + blamed) == list(range(count))
    assert stand.ledger.imbalances() == []

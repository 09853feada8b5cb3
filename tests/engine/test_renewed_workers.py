"""A worker takes no more than its share and is renewed; one that breaks ends the run at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.growing import chain, grow
from engine.standing import Scripted, Stand
from minigun_py.contexts.answer import Answer, Broken, Died
from minigun_py.contexts.context import LeaseReceiver
from minigun_py.contexts.inline import InlineContext
from minigun_py.contexts.thread import ThreadContext
from minigun_py.engine.current import current
from minigun_py.errors import ChannelAborted, EndOfChannel, WorkerDied
from minigun_py.placement import ContextKind, ContextSpec
from minigun_py.plan.segment import Segment
from plan.drawing import batch

PATIENCE = 20.0

Answering = Callable[[Answer], None]


def threads(workers: int = 1, max_items: int | None = None) -> Any:
    """A script in which real threads do the work."""

    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        real = ThreadContext()
        real.open(context.kernel, ContextSpec(ContextKind.THREAD, workers, max_items))
        real.serve(leases, answer)

    return script


class Workers:
    """A setup that numbers the workers that are made, and notes their ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.made = 0
        self.ended: list[int] = []

    def segment(self, function: Callable[..., Any], **options: Any) -> Segment:
        return chain({"a": function}, setup=self.one_more, teardown=self.ended.append, **options)

    def one_more(self) -> int:
        with self._lock:
            self.made += 1
            return self.made


def by_worker(item: int, state: int) -> tuple[int, int]:
    return state, item


# --------------------------------------------------------------------------- at most so many


def test_a_lease_has_no_more_new_items_than_are_asked_for() -> None:
    lent: list[int] = []

    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        for take in (leases.receive, leases.receive_nowait, leases.receive):
            lease = take(1, 3)
            lent.append(len(lease.items))
            answer(context.run(lease))
        with pytest.raises(EndOfChannel):
            leases.receive(1, 3)

    stand = Stand(script, items=range(8), chunk=100)
    assert stand.run() == list(range(8))
    assert lent == [3, 3, 2]


def test_a_lease_that_asks_for_more_than_its_share_gets_its_share() -> None:
    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        for take in (leases.receive, leases.receive_nowait):
            lease = take(1, 100)
            assert len(lease.items) == 2
            answer(context.run(lease))

    assert Stand(script, items=range(4), chunk=2).run() == [0, 1, 2, 3]


def test_a_lease_that_comes_back_is_lent_as_it_is() -> None:
    """Its items are no new ones: they count where they were first lent."""

    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        answer(Died(leases.receive_nowait(1), 0, WorkerDied("killed")))
        again = leases.receive_nowait(1, 1)
        assert again.items == [1, 2]
        answer(context.run(again))

    assert Stand(script, items=range(3), chunk=3, policy="skip").run() == [1, 2]


# --------------------------------------------------------------------------- renewed workers


def test_a_worker_is_renewed_after_its_share_of_items() -> None:
    workers = Workers()
    stand = Stand(threads(max_items=3), segment=workers.segment(by_worker), items=range(7))
    assert stand.run() == [(1, 0), (1, 1), (1, 2), (2, 3), (2, 4), (2, 5), (3, 6)]
    assert workers.ended == [1, 2, 3]


def test_without_a_share_a_worker_stays() -> None:
    workers = Workers()
    stand = Stand(threads(), segment=workers.segment(by_worker), items=range(100))
    assert {state for state, _ in stand.run()} == {1}
    assert workers.ended == [1]


def test_a_worker_of_the_caller_is_renewed_too() -> None:
    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        inline = InlineContext()
        inline.open(context.kernel, ContextSpec(ContextKind.INLINE, 1, 1))
        inline.serve(leases, answer)

    stand = Stand(script, segment=Workers().segment(by_worker), items="ab")
    assert stand.run() == [(1, "a"), (2, "b")]


def test_a_renewed_worker_keeps_its_number_and_its_thread() -> None:
    def where(item: int, state: int) -> tuple[int, threading.Thread]:
        return current().worker, threading.current_thread()

    stand = Stand(threads(max_items=1), segment=Workers().segment(where), items=range(3))
    assert set(stand.run()) == {(1, threading.current_thread())}


def test_items_that_failed_count_as_well() -> None:
    def fail(item: int, state: int) -> None:
        raise ValueError(state)

    segment = Workers().segment(fail)
    stand = Stand(threads(max_items=2), segment=segment, items=range(4), policy="skip")
    stand.run()
    assert [str(failed.error) for failed in stand.verdict.failures] == ["1", "1", "2", "2"]


@given(st.integers(0, 30), st.integers(1, 9), st.integers(1, 3), st.integers(1, 9))
def test_no_worker_ever_gets_more_than_its_share(
    count: int, share: int, size: int, chunk: int
) -> None:
    workers = Workers()
    segment = workers.segment(by_worker, chunk=chunk)
    stand = Stand(threads(size, share), segment=segment, items=range(count), workers=size)
    by_state: dict[int, int] = {}
    got = stand.run()
    for state, _ in got:
        by_state[state] = by_state.get(state, 0) + 1
    assert sorted(item for _, item in got) == list(range(count))
    assert max(by_state.values(), default=0) <= share
    assert sorted(workers.ended) == list(range(1, workers.made + 1))
    assert stand.ledger.imbalances() == []


def test_threads_have_numbers_of_their_own() -> None:
    meet = threading.Barrier(3)

    def number(item: int) -> int:
        meet.wait(PATIENCE)
        return current().worker

    stand = Stand(threads(3), number, items=range(3), workers=3, chunk=1)
    assert sorted(stand.run()) == [1, 2, 3]


def test_a_batch_gives_what_it_holds_in_the_end() -> None:
    stand = Stand(threads(), segment=grow([batch("a", 2)], [[]]), items=range(3))
    assert stand.run() == [[0, 1], [2]]


# --------------------------------------------------------------------------- broken workers


def test_a_broken_worker_ends_the_run_with_its_error() -> None:
    error = OSError("no room")
    refused: list[bool] = []

    def script(context: Scripted, leases: LeaseReceiver, answer: Answering) -> None:
        answer(Broken(error))
        with pytest.raises(ChannelAborted):
            leases.receive_nowait(1)
        refused.append(True)

    stand = Stand(script, items=range(3))
    stand.group.run()
    stand.sender.close()
    assert stand.verdict.errors == (error,)
    assert refused == [True]


def life(**options: Callable[..., Any]) -> Segment:
    return chain({"a": lambda item: item}, **options)


def fail_in_one(error: Exception, workers: int) -> Callable[[], None]:
    """A setup that fails in one of so many threads, when all are there."""
    meet = threading.Barrier(workers)

    def setup() -> None:
        if meet.wait(PATIENCE) == 0:
            raise error

    return setup


def test_a_setup_that_fails_in_one_thread_ends_the_run_at_once() -> None:
    """The others wait for items, which do not come and do not end."""
    error = OSError("no room")
    stand = Stand(threads(3), segment=life(setup=fail_in_one(error, 3)), workers=3)
    lane = threading.Thread(target=stand.group.run, daemon=True)
    lane.start()
    lane.join(PATIENCE)
    assert not lane.is_alive()
    stand.sender.close()
    assert stand.verdict.errors == (error,)
    assert error.__notes__ == ["in the setup of stage 'a'"]
    assert stand.ledger.imbalances() == []


def test_a_teardown_that_fails_is_an_error_of_the_run() -> None:
    error = OSError("no room")

    def teardown(state: None) -> None:
        raise error

    segment = life(setup=lambda: None, teardown=teardown)
    stand = Stand(threads(), segment=segment, items=range(3))
    stand.sender.close()
    stand.group.run()
    assert stand.verdict.errors == (error,)
    assert error.__notes__ == ["in the teardown of stage 'a'"]
    assert stand.page.completed == 3
    assert stand.ledger.imbalances() == []


def test_threads_that_are_cut_tear_down_and_are_no_error() -> None:
    torn_down: list[str] = []

    def setup() -> Iterator[None]:
        yield
        torn_down.append(threading.current_thread().name)

    def cut(item: int) -> None:
        stand.token.cancel("enough")

    stand = Stand(threads(2), segment=chain({"a": cut}, setup=setup), items=range(9), workers=2)
    stand.group.run()
    stand.sender.close()
    assert len(torn_down) == 2
    assert stand.verdict.errors == ()
    assert stand.ledger.imbalances() == []

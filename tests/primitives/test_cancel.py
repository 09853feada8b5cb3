"""A cancel goes down the tree, once, with one reason, and reaches whoever waits."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from minigun_py.errors import RunCancelled
from minigun_py.primitives.cancel import CancelToken
from minigun_py.testing.clock import VirtualClock

LIMIT = 10.0  # seconds that a wait may take before the test has failed


class WatchedClock(VirtualClock):
    """Lets a test wait until other threads have read it: a wait reads it before it blocks."""

    def __init__(self) -> None:
        super().__init__()
        self._main = threading.get_ident()
        self._reads = threading.Semaphore(0)

    def now(self) -> float:
        if threading.get_ident() != self._main:
            self._reads.release()
        return super().now()

    def wait_for_reads(self, count: int) -> None:
        for _ in range(count):
            assert self._reads.acquire(timeout=LIMIT)


@pytest.fixture
def clock() -> WatchedClock:
    return WatchedClock()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=8) as pool:
        yield pool


def test_a_new_token_is_not_cancelled() -> None:
    token = CancelToken()
    token.raise_if_cancelled()
    assert (token.cancelled, token.reason, token.remaining()) == (False, None, None)


def test_the_first_reason_wins() -> None:
    token = CancelToken()
    token.cancel("first")
    token.cancel("second")
    assert (token.cancelled, token.reason) == (True, "first")


def test_a_cancelled_token_raises_its_reason() -> None:
    token = CancelToken()
    token.cancel("shutdown")
    with pytest.raises(RunCancelled) as raised:
        token.raise_if_cancelled()
    assert raised.value.reason == "shutdown"


def test_a_cancel_reaches_all_below_and_nothing_above_or_beside() -> None:
    root = CancelToken()
    child, sibling = root.child(), root.child()
    grandchild = child.child().child()
    child.cancel("enough")
    assert [t.reason for t in (root, sibling, child, grandchild)] == [None, None, *["enough"] * 2]


def test_a_child_cancelled_earlier_keeps_its_own_reason() -> None:
    root = CancelToken()
    child = root.child()
    child.cancel("mine")
    root.cancel("theirs")
    assert child.reason == "mine"


def test_a_child_of_a_cancelled_token_is_born_cancelled() -> None:
    root = CancelToken()
    root.cancel("too late")
    assert root.child(timeout=5).reason == "too late"


def test_a_very_deep_tree_is_cancelled_whole() -> None:
    root = CancelToken()
    line = [root]
    for _ in range(5_000):
        line.append(line[-1].child())
    root.cancel()
    assert all(token.cancelled for token in line)


def test_a_deadline_cancels_when_somebody_looks() -> None:
    clock = VirtualClock()
    token = CancelToken(clock).child(timeout=3)
    clock.advance(2)
    assert (token.cancelled, token.remaining()) == (False, 1)
    clock.advance(1)
    assert (token.cancelled, token.remaining()) == (True, 0)
    assert token.reason == "deadline of 3 s passed"


def test_a_deadline_raises_like_a_cancel() -> None:
    clock = VirtualClock()
    token = CancelToken(clock).child(timeout=0.5)
    clock.advance(1)
    with pytest.raises(RunCancelled, match=r"deadline of 0\.5 s passed"):
        token.raise_if_cancelled()


@pytest.mark.parametrize(("parent", "child"), [(3, 5), (3, None), (3, 3)])
def test_the_deadline_above_counts_if_it_is_nearer(parent: float, child: float | None) -> None:
    clock = VirtualClock()
    above = CancelToken(clock).child(timeout=parent)
    token = above.child(timeout=child)
    assert token.remaining() == 3
    clock.advance(3)
    assert token.reason == "deadline of 3 s passed"
    assert above._cancelled  # the token that the deadline belongs to, not only the one below


def test_a_deadline_does_not_reach_the_token_above() -> None:
    clock = VirtualClock()
    above = CancelToken(clock).child(timeout=5)
    token = above.child(timeout=3)
    clock.advance(3)
    assert token.cancelled
    assert not above.cancelled


def test_a_cancel_before_the_deadline_keeps_its_reason() -> None:
    clock = VirtualClock()
    token = CancelToken(clock).child(timeout=3)
    token.cancel("early")
    clock.advance(5)
    assert token.reason == "early"


def test_callbacks_are_called_once_from_the_top_in_the_order_they_came() -> None:
    root = CancelToken()
    child = root.child()
    calls: list[str] = []
    child.on_cancel(lambda: calls.append("child"))
    root.on_cancel(lambda: calls.append("first"))
    root.on_cancel(lambda: calls.append("second"))
    root.cancel()
    root.cancel()
    child.cancel()
    assert calls == ["first", "second", "child"]


def test_a_callback_of_a_cancelled_token_is_called_at_once() -> None:
    token = CancelToken()
    token.cancel()
    calls: list[str] = []
    unregister = token.on_cancel(lambda: calls.append("called"))
    unregister()
    assert calls == ["called"]


def test_an_unregistered_callback_is_not_called() -> None:
    token = CancelToken()
    calls: list[str] = []
    unregister = token.on_cancel(lambda: calls.append("called"))
    unregister()
    unregister()
    token.cancel()
    assert calls == []


def test_a_cancel_in_the_middle_of_a_registration_calls_back_once() -> None:
    class Meddler(VirtualClock):
        def __init__(self) -> None:
            super().__init__()
            self.meddle: Callable[[], None] = lambda: None

        def now(self) -> float:
            self.meddle()
            return super().now()

    clock = Meddler()
    token = CancelToken(clock).child(timeout=5)
    calls: list[str] = []
    clock.meddle = token.cancel  # when `on_cancel`, having registered, looks at the deadline
    token.on_cancel(lambda: calls.append("called"))
    assert calls == ["called"]


def test_the_same_callback_may_be_registered_twice() -> None:
    token = CancelToken()
    calls: list[str] = []

    def callback() -> None:
        calls.append("called")

    unregister = token.on_cancel(callback)
    token.on_cancel(callback)
    unregister()
    token.cancel()
    assert calls == ["called"]


def test_a_deadline_calls_the_callbacks_when_somebody_looks() -> None:
    clock = VirtualClock()
    token = CancelToken(clock).child(timeout=3)
    calls: list[object] = []
    token.on_cancel(lambda: calls.append(token.reason))
    clock.advance(3)
    assert calls == []
    assert token.cancelled
    assert token.cancelled
    assert calls == ["deadline of 3 s passed"]


def test_callbacks_run_without_the_lock(pool: ThreadPoolExecutor) -> None:
    token = CancelToken()
    seen: list[object] = []

    def callback() -> None:
        seen.append(pool.submit(lambda: token.child().reason).result(LIMIT))

    token.on_cancel(callback)
    token.cancel("free")
    assert seen == ["free"]


def test_a_waiter_is_woken_by_a_cancel_from_above(
    clock: WatchedClock, pool: ThreadPoolExecutor
) -> None:
    root = CancelToken(clock)
    waiter = pool.submit(root.child().wait, LIMIT)
    clock.wait_for_reads(2)  # one to set the limit, one with the lock held
    root.cancel()
    assert waiter.result(LIMIT)


def test_a_wait_without_a_limit_ends_with_the_cancel() -> None:
    token = CancelToken()
    waiters = [threading.Thread(target=token.wait, daemon=True) for _ in range(4)]
    for waiter in waiters:
        waiter.start()
    token.cancel()
    for waiter in waiters:
        waiter.join(LIMIT)
    assert not any(waiter.is_alive() for waiter in waiters)


def test_a_wait_gives_up_at_its_own_limit() -> None:
    assert not CancelToken().wait(0.001)
    assert not CancelToken().wait(0)


def test_a_wait_ends_at_the_deadline_of_the_token() -> None:
    token = CancelToken().child(timeout=0.001)
    assert token.wait(LIMIT)
    assert token.reason == "deadline of 0.001 s passed"


def test_a_wait_may_be_as_long_as_it_likes() -> None:
    token = CancelToken()
    threading.Thread(target=token.cancel).start()
    assert token.wait(float("inf"))


def test_a_cancelled_token_does_not_wait() -> None:
    token = CancelToken()
    token.cancel()
    assert token.wait()


def test_a_child_that_nobody_holds_is_gone_from_its_parent() -> None:
    root = CancelToken()
    held = root.child()
    lost = weakref.ref(root.child())
    for _ in range(1_000):
        root.child(timeout=5).on_cancel(lambda: None)
    gc.collect()
    assert lost() is None
    assert [ref() for ref in root._children] == [held]


def test_a_grandchild_keeps_the_token_between() -> None:
    root = CancelToken()
    grandchild = root.child().child()
    gc.collect()
    root.cancel("all")
    assert grandchild.reason == "all"


def test_of_many_that_cancel_at_once_one_wins_and_callbacks_run_once(
    pool: ThreadPoolExecutor,
) -> None:
    for _ in range(100):
        root = CancelToken()
        children = [root.child() for _ in range(4)]
        calls: list[int] = []
        gate = threading.Barrier(8)

        def cancel(number: int, root: CancelToken = root, gate: threading.Barrier = gate) -> None:
            gate.wait(LIMIT)
            root.cancel(number)

        def register(
            number: int,
            child: CancelToken,
            calls: list[int] = calls,
            gate: threading.Barrier = gate,
        ) -> None:
            gate.wait(LIMIT)
            child.on_cancel(lambda: calls.append(number))

        work = [pool.submit(cancel, number) for number in range(4)]
        work += [pool.submit(register, number, child) for number, child in enumerate(children)]
        for future in work:
            future.result(LIMIT)
        assert sorted(calls) == [0, 1, 2, 3]
        assert {child.reason for child in children} == {root.reason}


def test_children_come_and_go_while_the_parent_is_cancelled(pool: ThreadPoolExecutor) -> None:
    for _ in range(50):
        root = CancelToken()
        gate = threading.Barrier(4)

        def churn(root: CancelToken = root, gate: threading.Barrier = gate) -> bool:
            gate.wait(LIMIT)
            tokens = [root.child() for _ in range(200)]
            last = tokens.pop()
            return last.wait(LIMIT)

        work = [pool.submit(churn) for _ in range(3)]
        gate.wait(LIMIT)
        root.cancel()
        assert all(future.result(LIMIT) for future in work)


def test_a_token_can_follow_one_of_another_tree() -> None:
    token, other = CancelToken(), CancelToken()
    token.follow(other)
    other.cancel("enough")
    assert (token.cancelled, token.reason) == (True, "enough")


def test_a_token_that_follows_no_longer_is_left_alone_and_never_leads() -> None:
    token, other = CancelToken(), CancelToken()
    forget = token.follow(other)
    forget()
    other.cancel()
    assert not token.cancelled
    leader = CancelToken()
    token.follow(leader)
    token.cancel()
    assert not leader.cancelled

"""A pool lends out so many contexts and no more, the most urgent caller first."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from contract.gate import LIMIT, open_gate
from minigun_py.contexts import ContextPool
from minigun_py.errors import ContextError, RunCancelled, UsageError
from minigun_py.testing.clock import VirtualClock

KINDS = ("inline", "thread", "fork")


@pytest.fixture
def callers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(50) as callers:
        yield callers


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_it_lends_out_as_many_as_it_is_large() -> None:
    pool = ContextPool("thread", 2)
    assert (pool.capacity, pool.active, pool.available) == (2, 0, 2)
    first, second = pool.acquire("a"), pool.acquire()
    assert (first.name, second.name) == ("a", "thread")
    assert (pool.active, pool.available) == (2, 0)
    pool.release(first)
    assert (pool.active, pool.available) == (1, 1)


@pytest.mark.parametrize("size", [0, -1])
def test_it_has_room_for_one_at_least(size: int) -> None:
    with pytest.raises(UsageError, match=f"max_size is a whole number from 1 on, not {size}"):
        ContextPool("thread", size)


def test_a_caller_waits_no_longer_than_its_timeout() -> None:
    pool = ContextPool("inline", 1)
    pool.acquire()
    with pytest.raises(TimeoutError, match=r"no context became free within 0\.01 s"):
        pool.acquire(timeout=0.01)


def test_a_timeout_of_zero_takes_what_is_free_and_does_not_wait() -> None:
    pool = ContextPool("inline", 1, clock=VirtualClock())
    pool.acquire(timeout=0)
    with pytest.raises(TimeoutError):
        pool.acquire(timeout=0)


def test_a_caller_that_gave_up_takes_no_place(callers: ThreadPoolExecutor) -> None:
    pool = ContextPool("inline", 1)
    lent = pool.acquire()
    with pytest.raises(TimeoutError):
        pool.acquire(timeout=0.01, priority=9)
    waiting = callers.submit(pool.acquire, timeout=LIMIT)
    pool.release(lent)
    assert waiting.result(LIMIT) is not None


def test_the_most_urgent_is_served_first_and_equals_in_turn(callers: ThreadPoolExecutor) -> None:
    pool = ContextPool("inline", 1)
    lent = pool.acquire()
    served: list[str] = []

    def call(name: str, priority: float) -> None:
        context = pool.acquire(name, timeout=LIMIT, priority=priority)
        served.append(context.name)
        pool.release(context)

    pool._changed = condition = WatchedCondition()
    calls = []
    for name, priority in [("c", 0), ("a", 5), ("d", 0), ("b", 1)]:
        calls.append(callers.submit(call, name, priority))
        assert condition.waiters.acquire(timeout=LIMIT)
        while condition.waiters.acquire(blocking=False):
            pass  # those who came earlier were woken, and wait again
    pool.release(lent)
    for waiting in calls:
        waiting.result(LIMIT)
    assert served == ["a", "b", "c", "d"]


class WatchedCondition(threading.Condition):
    """Lets a test wait until a caller waits: before that caller does, nobody gets the lock."""

    def __init__(self) -> None:
        super().__init__()
        self.waiters = threading.Semaphore(0)

    def wait(self, timeout: float | None = None) -> bool:
        self.waiters.release()
        return super().wait(timeout)


def test_fifty_callers_share_three_places(callers: ThreadPoolExecutor) -> None:
    pool = ContextPool("thread", 3)
    busy, most, lock = 0, 0, threading.Lock()

    def work(number: int) -> int:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        with lock:
            busy -= 1
        return number

    def call(number: int) -> int:
        context = pool.acquire(timeout=LIMIT)
        try:
            return context.execute(work, number).join(LIMIT)
        finally:
            pool.release(context)

    assert list(callers.map(call, range(50), timeout=LIMIT)) == list(range(50))
    assert most <= 3
    assert (pool.active, pool._queue) == (0, [])


def test_inline_contexts_are_used_again_under_a_new_name() -> None:
    pool = ContextPool("inline", 1)
    first = pool.acquire("first")
    first.execute(int, "5").join()
    pool.release(first)
    second = pool.acquire("second")
    assert second is first
    assert second.name == "second"
    with pytest.raises(ContextError, match="'second' has nothing to join"):
        second.join()


@pytest.mark.parametrize("kind", ["thread", "fork"])
def test_other_contexts_are_new_each_time(kind: str) -> None:
    pool = ContextPool(kind, 1)
    first = pool.acquire()
    pool.release(first)
    assert pool.acquire() is not first


def test_join_all_gives_the_results_in_the_order_of_lending(kind: str) -> None:
    with ContextPool(kind, 4) as pool:
        for number in (3, 1, 2):
            pool.acquire().execute(abs, -number)
        pool.acquire()  # has nothing to join
        assert pool.join_all(LIMIT) == [3, 1, 2]
        assert pool.active == 0


def test_join_all_raises_what_failed_when_all_have_ended(kind: str) -> None:
    pool = ContextPool(kind, 3)
    for text in ("x", "5", "y"):
        pool.acquire().execute(int, text)
    with pytest.raises(ExceptionGroup, match="2 contexts of the pool failed") as failed:
        pool.join_all(LIMIT)
    assert [type(error) for error in failed.value.exceptions] == [ValueError, ValueError]
    assert pool.active == 0


@pytest.mark.parametrize("kind", ["thread", "fork"])
def test_join_all_that_is_out_of_time_keeps_what_is_busy(kind: str) -> None:
    with open_gate() as gate, ContextPool(kind, 1) as pool:
        pool.acquire().execute(gate.pass_through)
        with pytest.raises(TimeoutError):
            pool.join_all(0.01)
        assert pool.active == 1
        gate.let_go()


def test_a_timeout_error_of_a_function_is_a_failure_like_any_other(kind: str) -> None:
    def fail() -> None:
        raise TimeoutError("mine")

    pool = ContextPool(kind, 1)
    pool.acquire().execute(fail)
    with pytest.raises(ExceptionGroup):
        pool.join_all(LIMIT)


@pytest.mark.parametrize("kind", ["thread", "fork"])
def test_terminate_all_frees_every_place(kind: str) -> None:
    with open_gate() as gate:
        pool = ContextPool(kind, 2)
        lent = [pool.acquire().execute(gate.pass_through) for _ in range(2)]
        gate.wait_for(2)
        pool.terminate_all()
        assert pool.active == 0
        for context in lent:
            with pytest.raises(RunCancelled):
                context.join(LIMIT)
        gate.let_go(2)
        if kind == "thread":
            wait_for_threads()


def test_leaving_the_block_joins_and_leaving_it_with_an_error_terminates() -> None:
    ended = threading.Event()
    with ContextPool("thread", 1) as pool:
        pool.acquire().execute(ended.set)
    assert ended.is_set()
    with open_gate() as gate:
        with pytest.raises(KeyError), ContextPool("fork", 1) as pool:
            pool.acquire().execute(gate.pass_through)
            raise KeyError("out")
        assert pool.active == 0


def test_a_context_is_given_back_once_and_to_its_own_pool() -> None:
    pool, other = ContextPool("inline", 1), ContextPool("inline", 1)
    context = pool.acquire()
    with pytest.raises(ContextError, match="is not lent out by this pool"):
        other.release(context)
    pool.release(context)
    with pytest.raises(ContextError, match="is not lent out by this pool"):
        pool.release(context)


def wait_for_threads() -> None:
    """Threads that were let go end before the gate is closed."""
    for thread in threading.enumerate():
        if thread.name.startswith("minigun-"):
            thread.join(LIMIT)

"""Nothing is lost, nothing is stranded, and nothing piles up."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from contract.gate import LIMIT, open_gate
from faults.deeds import Passing, add_one, end_badly
from faults.kinds import AnyPipeline, few, kinds_that
from faults.processes import end_idle_workers
from minigun_py import Pipeline, PipelineFailed
from minigun_py.errors import ContextError, WorkerDied

MANY = 100_000
only_processes = kinds_that("survives_crash")


def test_a_hundred_thousand_items_arrive_exactly_once(kind: str) -> None:
    count = few(kind, MANY)
    seen: list[int] = []
    pipe = AnyPipeline("many", kind)
    pipe.source(range(count))
    for name in ("first", "second", "third"):
        pipe.processor(add_one, name=name, execution=kind)
    pipe.consumer(seen.append, name="keep")
    report = pipe.run()
    assert sorted(seen) == list(range(3, count + 3))
    assert report["keep"].received == count


def test_a_slow_consumer_holds_back_a_fast_endless_source(pipe: Pipeline, kind: str) -> None:
    # At most: two queues of 1, two leases of 1 at each of two workers, and as many results;
    # one item in the hand of the source and one at the consumer.
    bound = 1 + 1 + 4 + 4 + 1 + 1
    drawn = itertools.count(1)
    beyond, taken = threading.Event(), []

    @pipe.producer
    def numbers() -> Iterator[int]:
        for number in drawn:
            if number > len(taken) + bound:
                beyond.set()
                return
            yield number

    pipe.processor(add_one, to="keep")

    @pipe.consumer
    def keep(number: int) -> int:
        if len(taken) % 10 == 0:
            beyond.wait(0.05)  # time enough for a source that nobody holds back
        taken.append(number)
        return number

    with pipe.stream() as stream:
        for number in stream:
            if number > 50:
                break
    assert not beyond.is_set()


def test_leaving_a_stream_ends_everything_at_once(pipe: Pipeline, kind: str) -> None:
    closed = threading.Event()

    @pipe.producer
    def numbers() -> Iterator[int]:
        try:
            yield from itertools.count()
        finally:
            closed.set()

    pipe.processor(add_one)
    for _ in zip(range(3), stream := pipe.stream(), strict=False):
        pass
    stream.close()
    assert closed.is_set()


def test_a_source_may_wait_for_its_item_to_arrive(pipe: Pipeline, kind: str) -> None:
    arrived = threading.Semaphore(0)

    @pipe.producer
    def numbers() -> Iterator[int]:
        for number in range(50):
            yield number
            assert arrived.acquire(timeout=LIMIT), f"item {number} is stranded"

    pipe.processor(add_one, to="arrive")
    pipe.consumer(lambda number: arrived.release(), name="arrive")
    assert pipe.run()["arrive"].received == 50


def test_a_source_with_wide_queues_may_wait_for_its_items_too(kind: str) -> None:
    arrived = threading.Semaphore(0)
    pipe = AnyPipeline("wide", kind)

    @pipe.producer
    def numbers() -> Iterator[int]:
        for number in range(60):
            yield number
            if number % 3 == 2:
                for _ in range(3):
                    assert arrived.acquire(timeout=LIMIT), "an item is stranded"

    pipe.processor(add_one, to="arrive")
    pipe.consumer(lambda number: arrived.release(), name="arrive")
    assert pipe.run()["arrive"].received == 60


def test_a_consumer_that_fails_ends_a_producer_that_is_blocked(pipe: Pipeline, kind: str) -> None:
    pipe.source(itertools.count(), name="numbers")
    pipe.processor(add_one, to="keep")

    @pipe.consumer
    def keep(number: int) -> None:
        raise OSError("the disk is full")

    with pytest.raises(PipelineFailed, match=r"in stage 'keep' on item \d+"):
        pipe.run()


@kinds_that("several_workers")
def test_two_items_for_two_workers_are_run_at_once(pipe: Pipeline, kind: str) -> None:
    with open_gate() as gate:
        pipe.processor(Passing(gate), name="meet")
        run = pipe.start([0, 1])
        gate.wait_for(2)
        gate.let_go(2)
        assert run.wait(LIMIT).ok


@only_processes
def test_idle_workers_that_are_killed_take_nothing_with_them(pipe: Pipeline, kind: str) -> None:
    ran: list[tuple[int, int]] = []
    arrived = threading.Semaphore(0)

    @pipe.producer
    def numbers() -> Iterator[int]:
        for number in range(40):
            yield number
            assert arrived.acquire(timeout=LIMIT)
            if number % 10 == 9:
                end_idle_workers(kind, *ran[-1])

    @pipe.processor(to="keep")
    def work(number: int) -> tuple[int, int, int]:
        return number, os.getpid(), os.getppid()

    @pipe.consumer
    def keep(result: tuple[int, int, int]) -> int:
        ran.append(result[1:])
        arrived.release()
        return result[0]

    with pipe.stream() as stream:
        assert sorted(stream) == list(range(40))
    assert stream.report.failures == ()


@only_processes
def test_workers_that_keep_dying_end_the_run(pipe: Pipeline, kind: str) -> None:
    pipe.source(range(100))
    pipe.processor(end_badly, name="work", on_error="skip")
    with pytest.raises(PipelineFailed, match="failed") as failed:
        pipe.run()
    assert isinstance(failed.value.exceptions[0], WorkerDied)
    assert "more than 5 workers of work died" in str(failed.value.exceptions[0])


@only_processes
def test_five_deaths_are_forgiven(pipe: Pipeline, kind: str) -> None:
    pipe.source(range(100))
    pipe.processor(lambda n: end_badly(n) if n % 20 == 9 else n, name="work", on_error="skip")
    with pipe.stream() as stream:
        assert len(list(stream)) == 95
    assert sorted(failure.item for failure in stream.report.failures) == [9, 29, 49, 69, 89]


@only_processes
def test_a_fork_server_that_is_killed_ends_the_run_with_an_error(pipe: Pipeline, kind: str) -> None:
    pipe.source(itertools.count())
    pipe.processor(lambda number: os.getppid(), name="work", to="kill")
    pipe.consumer(lambda pid: os.kill(pid, signal.SIGKILL), name="kill", on_error="skip")
    with pytest.raises(PipelineFailed) as failed:
        pipe.run()
    assert isinstance(failed.value.exceptions[0], ContextError)
    assert "fork server" in str(failed.value.exceptions[0])


@kinds_that("several_workers")
def test_an_item_does_not_wait_behind_a_long_one_while_a_worker_is_idle(kind: str) -> None:
    pipe = AnyPipeline("apart", kind)
    pipe.source(range(4))
    with open_gate() as gate:  # the first item lasts until the last is done, by another worker
        pipe.processor(Passing(gate, waits=0, opens=3), name="work", workers=2, chunk=1)
        assert sorted(pipe.collect()) == [0, 1, 2, 3]

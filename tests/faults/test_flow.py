"""Nothing is lost, nothing is stranded, and nothing piles up."""

from __future__ import annotations

import itertools
import os
import select
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from contract.crash import crash
from contract.gate import LIMIT
from minigun_py import Pipeline, PipelineFailed
from minigun_py.errors import ContextError, WorkerDied
from support.processes import open_process

MANY = 100_000
SOON = 2.0  # seconds
only_forks = pytest.mark.parametrize("kind", ["fork"])


def add_one(number: int) -> int:
    return number + 1


def test_a_hundred_thousand_items_arrive_exactly_once(kind: str) -> None:
    count = MANY if kind != "cow_fork" else MANY // 500  # each of them a process
    seen: list[int] = []
    pipe = Pipeline("many")
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
    began = time.monotonic()
    stream.close()
    assert time.monotonic() - began < SOON
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
    pipe = Pipeline("wide", execution=kind)

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


@only_forks
def test_two_items_for_two_workers_are_run_at_once(pipe: Pipeline, kind: str) -> None:
    (read_one, write_one), (read_two, write_two) = os.pipe(), os.pipe()

    @pipe.processor
    def meet(number: int) -> bool:
        os.write((write_one, write_two)[number], b"!")
        return bool(select.select([(read_two, read_one)[number]], [], [], LIMIT)[0])

    try:
        assert pipe.collect([0, 1]) == [True, True]
    finally:
        for fd in (read_one, write_one, read_two, write_two):
            os.close(fd)


@only_forks
def test_an_idle_worker_that_is_killed_takes_nothing_with_it(pipe: Pipeline, kind: str) -> None:
    workers: list[int] = []
    arrived = threading.Semaphore(0)

    @pipe.producer
    def numbers() -> Iterator[int]:
        for number in range(40):
            yield number
            assert arrived.acquire(timeout=LIMIT)
            if number % 10 == 9:
                end_process(workers[-1])

    @pipe.processor(to="keep")
    def work(number: int) -> tuple[int, int]:
        return number, os.getpid()

    @pipe.consumer
    def keep(result: tuple[int, int]) -> int:
        workers.append(result[1])
        arrived.release()
        return result[0]

    with pipe.stream() as stream:
        assert sorted(stream) == list(range(40))
    assert stream.report.failures == ()


@only_forks
def test_workers_that_keep_dying_end_the_run(pipe: Pipeline, kind: str) -> None:
    pipe.source(range(100))
    pipe.processor(lambda number: crash(7), name="work", on_error="skip")
    with pytest.raises(PipelineFailed, match="failed") as failed:
        pipe.run()
    assert isinstance(failed.value.exceptions[0], WorkerDied)
    assert "more than 5 workers of work died" in str(failed.value.exceptions[0])


@only_forks
def test_five_deaths_are_forgiven(pipe: Pipeline, kind: str) -> None:
    pipe.source(range(100))
    pipe.processor(lambda n: crash(7) if n % 20 == 9 else n, name="work", on_error="skip")
    with pipe.stream() as stream:
        assert len(list(stream)) == 95
    assert sorted(failure.item for failure in stream.report.failures) == [9, 29, 49, 69, 89]


@only_forks
def test_a_fork_server_that_is_killed_ends_the_run_with_an_error(pipe: Pipeline, kind: str) -> None:
    pipe.source(itertools.count())
    pipe.processor(lambda number: os.getppid(), name="work", to="kill")
    pipe.consumer(lambda pid: os.kill(pid, signal.SIGKILL), name="kill", on_error="skip")
    with pytest.raises(PipelineFailed) as failed:
        pipe.run()
    assert isinstance(failed.value.exceptions[0], ContextError)
    assert "fork server" in str(failed.value.exceptions[0])


def end_process(pid: int) -> None:
    """Kill a process and wait until it has ended."""
    watch = open_process(pid)
    try:
        os.kill(pid, signal.SIGKILL)
        assert select.select([watch], [], [], LIMIT)[0]
    finally:
        os.close(watch)


def test_an_item_does_not_wait_behind_a_long_one_while_a_worker_is_idle() -> None:
    read, write = os.pipe()

    def work(number: int) -> int:
        if number == 0:  # lasts until the last item is done, which another worker has to do
            assert select.select([read], [], [], LIMIT)[0]
        if number == 3:
            os.write(write, b"!")
        return number

    pipe = Pipeline()
    pipe.source(range(4))
    pipe.processor(work, execution="fork", workers=2, chunk=1)
    try:
        assert sorted(pipe.collect()) == [0, 1, 2, 3]
    finally:
        os.close(read)
        os.close(write)

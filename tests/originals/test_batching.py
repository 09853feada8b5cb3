"""Items gathered into batches, and batches taken apart."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import Any, ClassVar

from minigun_py import Pipeline, Stage, To
from minigun_py.testing.clock import VirtualClock
from originals.kinds import (
    SINGLY,
    in_every_kind,
    in_other_memory,
    in_quick_kinds,
    in_quick_processes,
    pipeline,
    where,
)

KINDS_OF_MAIL = (
    "newsletter", "transactional", "newsletter", "promotional", "transactional", "newsletter",
    "promotional", "transactional", "newsletter", "promotional", "notification", "notification",
)  # fmt: skip
SENT = {"newsletter": 4, "transactional": 3, "promotional": 3, "notification": 2}


@in_every_kind
def test_batches_go_to_the_stage_that_is_named(kind: str) -> None:
    """10_routing_to_nested_stages."""
    pipe = pipeline(kind)
    pipe.source(range(1, 6))
    pipe.batch(2, to="save")
    with pipe.defaults(**where(kind)):

        @pipe.consumer
        def save(batch: list[int]) -> list[int]:
            return batch

    batches = pipe.collect()
    assert sorted(map(len, batches)) == [1, 2, 2]
    assert sorted(chain.from_iterable(batches)) == [1, 2, 3, 4, 5]


@in_other_memory
def test_batches_reach_threads_and_forks_behind_one_fan_out(kind: str) -> None:
    """09_strategy_per_stage."""
    pipe = Pipeline("strategies")
    pipe.source(range(1, 11))

    @pipe.processor(to="batch")
    def validate(number: int) -> int | None:
        return number if number > 0 else None

    pipe.batch(3, to=["heavy_save", "light_log"])

    @pipe.consumer(**where(kind))
    def heavy_save(batch: list[int]) -> tuple[str, list[int]]:
        return "saved", batch

    @pipe.consumer(execution="thread", workers=5)
    def light_log(batch: list[int]) -> tuple[str, list[int]]:
        return "logged", batch

    outputs = pipe.collect()
    for name in ("saved", "logged"):
        batches = [batch for sink, batch in outputs if sink == name]
        assert sorted(chain.from_iterable(batches)) == list(range(1, 11))
        assert sorted(map(len, batches)) == [1, 3, 3, 3]


@in_every_kind
def test_batches_by_type_are_sent_and_what_is_left_is_flushed(kind: str) -> None:
    """44_custom_batching."""

    class Batcher(Stage):
        thresholds: ClassVar = {"newsletter": 3, "promotional": 3}

        def setup(self) -> None:
            self.held: dict[str, list[int]] = {}

        def process(self, item: tuple[int, str]) -> To[Any] | None:
            number, name = item
            held = self.held.setdefault(name, [])
            held.append(number)
            if len(held) < self.thresholds.get(name, 2):
                return None
            return To(f"{name}_sender", (name, self.held.pop(name)))

        def flush(self) -> Iterator[To[Any]]:
            for name, held in self.held.items():
                yield To(f"{name}_sender", (name, held))

    pipe = pipeline(kind)
    pipe.source(list(enumerate(KINDS_OF_MAIL)))
    senders = [f"{name}_sender" for name in SENT]
    pipe.add(Batcher(), name="email_batcher", routes=senders, **where(kind, workers=1))
    for sender in senders:
        pipe.consumer(lambda batch: batch, name=sender)
    sent: Counter[str] = Counter()
    sizes: dict[str, list[int]] = {name: [] for name in SENT}
    for name, batch in pipe.collect():
        sent[name] += len(batch)
        sizes[name].append(len(batch))
    assert sent == SENT
    if kind != SINGLY:  # its workers see one item each
        full_and_rest = {"newsletter": [3, 1], "transactional": [2, 1]}
        assert sizes == full_and_rest | {"promotional": [3], "notification": [2]}


@in_quick_kinds
def test_batches_by_key_lose_nothing_when_the_items_end(kind: str) -> None:
    """44_custom_batching, with what is ready made."""
    pipe = pipeline(kind)
    pipe.source(list(enumerate(KINDS_OF_MAIL)))
    pipe.batch(3, key=lambda mail: mail[1])

    @pipe.processor
    def count(batch: list[tuple[int, str]]) -> tuple[str, int]:
        (name,) = {name for _, name in batch}
        return name, len(batch)

    assert sorted(pipe.collect()) == [
        ("newsletter", 1),
        ("newsletter", 3),
        ("notification", 2),
        ("promotional", 3),
        ("transactional", 3),
    ]


def test_a_batch_goes_when_its_time_is_up_although_it_is_not_full() -> None:
    """45_timed_batch_stage."""
    batches: list[list[int]] = []
    came = threading.Event()
    pipe = Pipeline("timed")

    @pipe.producer
    def generate() -> Iterator[int]:
        yield from range(3)
        assert came.wait(20)  # three are not five, so only time can have sent them
        yield from range(3, 20)

    pipe.batch(5, max_wait=0.02)

    @pipe.consumer(execution="thread")
    def process(batch: list[int]) -> None:
        batches.append(batch)
        came.set()

    pipe.run()
    assert [*chain.from_iterable(batches)] == list(range(20))
    assert batches[0] == [0, 1, 2]
    assert max(map(len, batches)) <= 5


def test_time_sends_a_batch_in_an_inline_run_too() -> None:
    """45_timed_batch_stage, when the clock is looked at between two items."""
    clock = VirtualClock()
    pipe = Pipeline("timed", execution="inline")

    @pipe.producer
    def generate() -> Iterator[int]:
        for number in range(20):
            yield number
            clock.advance(0.15)

    pipe.batch(5, max_wait=0.3)
    batches = pipe.collect(clock=clock)
    assert [*chain.from_iterable(batches)] == list(range(20))
    assert max(map(len, batches)) < 5


@in_every_kind
def test_an_item_passes_the_first_time_it_is_seen(kind: str) -> None:
    """46_deduplicator_stage: numbers."""
    pipe = pipeline(kind)
    pipe.source([1, 2, 3, 2, 4, 1, 5, 3, 6, 4])
    pipe.deduplicate()
    pipe.processor(lambda number: number, name="pass_on")
    assert sorted(pipe.collect()) == [1, 2, 3, 4, 5, 6]


@in_quick_kinds
def test_what_is_the_same_is_told_by_a_key(kind: str) -> None:
    """46_deduplicator_stage: users."""
    users = [(1, "Alice"), (2, "Bob"), (1, "Alice (duplicate)"), (3, "Charlie")]
    users += [(2, "Bob (duplicate)"), (4, "David")]
    pipe = pipeline(kind)
    pipe.source(users)
    pipe.deduplicate(key=lambda user: user[0])
    pipe.processor(lambda user: user[1], name="name_of")
    assert sorted(pipe.collect()) == ["Alice", "Bob", "Charlie", "David"]


@in_quick_kinds
def test_what_passed_is_worked_on_by_several(kind: str) -> None:
    """46_deduplicator_stage: 20 of 100 are unique."""
    pipe = pipeline(kind, workers=3)
    pipe.source([number % 20 for number in range(100)])
    pipe.deduplicate()
    pipe.processor(lambda number: f"processed_{number}", name="transform")
    assert sorted(pipe.collect()) == sorted(f"processed_{number}" for number in range(20))


@in_other_memory
def test_several_workers_of_one_deduplicator_agree(kind: str) -> None:
    """46_deduplicator_stage, when it runs in workers itself."""
    if kind == SINGLY:  # its workers remember nothing of each other
        kind = "fork"
    pipe = Pipeline("unique")
    pipe.source([number % 20 for number in range(100)])
    pipe.deduplicate(**where(kind, workers=2))
    assert sorted(pipe.collect()) == list(range(20))


@in_quick_kinds
def test_lists_are_taken_apart(kind: str) -> None:
    """100_functional_dsl: debatch."""
    pipe = pipeline(kind)
    pipe.source([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    pipe.unbatch(**where(kind))
    pipe.processor(lambda number: number, name="pass_on")
    assert sorted(pipe.collect()) == list(range(1, 10))


@in_quick_kinds
def test_lists_get_another_size(kind: str) -> None:
    """100_functional_dsl: rebatch."""

    def sizes(batches: list[list[int]], size: int) -> list[int]:
        pipe = pipeline(kind)
        pipe.source(batches)
        pipe.rebatch(size)
        pipe.processor(len, name="size")
        return sorted(pipe.collect(), reverse=True)

    assert sizes([list(range(100))] * 3, 20) == [20] * 15
    assert sizes([list(range(100))], 30) == [30, 30, 30, 10]


@in_quick_kinds
def test_lists_are_taken_apart_and_put_together_again(kind: str) -> None:
    """100_functional_dsl: debatch and rebatch."""
    pipe = pipeline(kind)
    pipe.source([[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]])
    pipe.unbatch()
    pipe.rebatch(3)
    pipe.processor(lambda batch: (len(batch), batch), name="measure")
    measured = sorted(pipe.collect(), reverse=True)
    assert [size for size, _ in measured] == [3, 3, 3, 1]
    assert sorted(chain.from_iterable(batch for _, batch in measured)) == list(range(1, 11))


@in_quick_kinds
def test_a_letter_goes_to_each_of_five_thousand_readers(kind: str) -> None:
    """100_functional_dsl: the newsletter."""
    pipe = pipeline(kind)
    pipe.source([[1000 * batch + n for n in range(1000)] for batch in range(5)])
    pipe.rebatch(100)
    pipe.processor(lambda batch: [f"user{n}@example.org" for n in batch], name="address")
    pipe.unbatch(execution="inline")

    @pipe.consumer(execution="thread", workers=10)
    def send_email(address: str) -> str:
        return address

    sent = pipe.collect()
    assert (len(sent), len(set(sent))) == (5000, 5000)


def test_a_pipeline_runs_in_the_background() -> None:
    """100_functional_dsl: start, running, wait."""
    results: list[int] = []
    go_on = threading.Event()
    pipe = Pipeline("background_task")
    pipe.source(range(5))

    @pipe.consumer(execution="thread")
    def sink(number: int) -> None:
        assert go_on.wait(20)
        results.append(number)

    run = pipe.start()
    assert run.running
    assert results == []
    go_on.set()
    assert run.wait().ok
    assert not run.running
    assert sorted(results) == [0, 1, 2, 3, 4]


@in_other_memory
def test_one_worker_takes_a_whole_batch(kind: str) -> None:
    """36_batch_and_process: a thousand items in batches of a hundred are ten batches."""
    pipe = Pipeline("batches")
    pipe.source(range(1000))
    pipe.batch(100)

    @pipe.consumer(**where(kind, workers=4 if kind.endswith("fork") else 2))
    def process_in_isolation(batch: list[int]) -> tuple[int, list[int]]:
        return os.getpid(), [number**2 for number in batch]

    outputs = pipe.collect()
    assert [len(batch) for _, batch in outputs] == [100] * 10
    squares = chain.from_iterable(batch for _, batch in outputs)
    assert sorted(squares) == [number**2 for number in range(1000)]
    if kind == SINGLY:
        assert len({pid for pid, _ in outputs}) == 10


@in_quick_processes
def test_sizes_and_workers_are_configured(kind: str) -> None:
    """36_batch_and_process: batch sizes and processes from parameters."""
    for size, workers in ((50, 2), (200, 3)):
        pipe = Pipeline("configurable")
        pipe.source(range(500))
        pipe.batch(size)
        pipe.processor(len, name="process", **where(kind, workers))
        assert sorted(pipe.collect()) == [500 % size] * (500 % size > 0) + [size] * (500 // size)
        assert pipe.plan().workers_for("process") == workers

"""What is called around a run, around a stage, and around a fork."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain

from minigun_py import (
    Job,
    Pipeline,
    after_fork,
    after_run,
    batch,
    before_fork,
    before_run,
    consumer,
    producer,
)
from originals.kinds import forks, in_every_kind, in_kinds, pipeline, where

in_forks = in_kinds("fork", "cow_fork")


@in_every_kind
def test_hooks_are_called_once_around_the_run_and_before_forks_only(kind: str) -> None:
    """11_hooks_example."""
    events: list[str] = []
    results: list[int] = []
    pipe = pipeline(kind)

    @pipe.before_run
    def begin() -> None:
        events.append("before_run")

    @pipe.after_run
    def end() -> None:
        events.append("after_run")

    @pipe.before_fork
    def disconnect() -> None:
        events.append("before_fork")

    @pipe.after_fork
    def reconnect() -> None:
        events.append("after_fork")  # in the child's copy

    pipe.source(range(1, 6))
    pipe.processor(lambda number: number * 10, name="transform")

    @pipe.consumer
    def collect(number: int) -> None:
        events.append("item")
        results.append(number)

    pipe.run()
    assert sorted(results) == [10, 20, 30, 40, 50]
    before = ["before_run", *(["before_fork"] if forks(kind) else [])]
    assert events == [*before, *["item"] * 5, "after_run"]


@in_forks
def test_a_connection_is_given_up_before_a_fork_and_made_anew_in_each_child(kind: str) -> None:
    """17_database_connection_hooks."""
    events: list[str] = []
    database = {"connected": 0}
    pipe = Pipeline("database")

    @pipe.before_run
    def connect() -> None:
        database["connected"] = os.getpid()
        events.append("Connected")

    @pipe.before_fork
    def disconnect() -> None:
        database["connected"] = 0
        events.append("Disconnected before fork")

    @pipe.after_fork
    def reconnect() -> None:
        assert not database["connected"]
        database["connected"] = os.getpid()

    @pipe.after_run
    def disconnect_finally() -> None:
        database["connected"] = 0
        events.append("Final disconnect")

    @pipe.producer
    def fetch_user_ids() -> Iterator[int]:
        events.append("Producing")
        yield from range(1, 11)

    pipe.batch(5)

    @pipe.consumer(**where(kind))
    def process_users(batch: list[int]) -> list[tuple[int, int, int]]:
        return [(user, database["connected"], os.getpid()) for user in batch]

    results = [*chain.from_iterable(pipe.collect())]
    assert sorted(user for user, _, _ in results) == list(range(1, 11))
    assert all(connected == pid != os.getpid() for _, connected, pid in results)
    assert events == ["Connected", "Disconnected before fork", "Producing", "Final disconnect"]


@in_forks
def test_the_hooks_of_a_job_are_its_methods(kind: str) -> None:
    """17_database_connection_hooks, as a class."""

    class Users(Job):
        def __init__(self) -> None:
            self.connected: str | None = None
            self.events: list[str] = []

        @before_run
        def connect(self) -> None:
            self.connected = "parent"

        @before_fork
        def disconnect(self) -> None:
            self.connected = None
            self.events.append("disconnected")

        @after_fork
        def reconnect(self) -> None:
            self.connected = "child"

        @after_run
        def disconnect_finally(self) -> None:
            self.events.append("finally")

        @producer
        def fetch_user_ids(self) -> Iterator[int]:
            yield from range(1, 11)

        rows = batch(5)

        @consumer(**where(kind))
        def process_users(self, users: list[int]) -> list[tuple[int, str | None]]:
            return [(user, self.connected) for user in users]

    job = Users()
    assert sorted(chain.from_iterable(job.pipe.collect())) == [
        (user, "child") for user in range(1, 11)
    ]
    assert job.events == ["disconnected", "finally"]


@in_every_kind
def test_resources_are_opened_before_a_stage_and_closed_after_it(kind: str) -> None:
    """18_resource_cleanup_hooks."""
    events: list[str] = []
    pipe = pipeline(kind)

    @pipe.before("read_file")
    def open_file() -> None:
        events.append("Opened file handle")

    @pipe.after("read_file")
    def close_file() -> None:
        events.append("Closed file handle")

    @pipe.before("enrich_data")
    def initialize() -> None:
        events.append("Initialized API client")

    @pipe.after("enrich_data")
    def shut_down() -> None:
        events.append("Shutdown API client")

    @pipe.before_fork
    def close_connections() -> None:
        events.append("Closing connections before fork")

    @pipe.producer
    def read_file() -> Iterator[str]:
        events.append("Reading from file...")
        yield from (f"record_{number}" for number in range(10))

    @pipe.processor
    def enrich_data(record: str) -> str:
        return f"{record}_enriched"

    pipe.batch(5)
    saved: list[str] = []

    @pipe.consumer
    def save_to_db(batch: list[str]) -> None:
        saved.extend(batch)

    pipe.run()
    assert sorted(saved) == [f"record_{number}_enriched" for number in range(10)]
    assert len(events) == len(set(events))
    forked = ["Closing connections before fork"] if forks(kind) else []
    first = ["Opened file handle", "Initialized API client", *forked]
    assert sorted(events[: len(first)]) == sorted(first)
    assert events[len(first)] == "Reading from file..."
    assert sorted(events[len(first) + 1 :]) == ["Closed file handle", "Shutdown API client"]


@in_forks
def test_every_forked_worker_calls_what_comes_after_a_fork_once(kind: str) -> None:
    """18_resource_cleanup_hooks, 21_inline_hook_procs: the fork events."""
    reconnected: list[int] = []
    pipe = Pipeline("forks")
    pipe.after_fork(lambda: reconnected.append(os.getpid()))
    pipe.source(range(10))

    @pipe.consumer(**where(kind), chunk=1)
    def save(number: int) -> tuple[int, list[int], int]:
        return number, reconnected, os.getpid()

    outputs = pipe.collect()
    assert len(outputs) == 10
    assert all(calls == [pid] for _, calls, pid in outputs)
    assert reconnected == []


@in_every_kind
def test_all_hooks_of_a_pipeline_come_in_their_order(kind: str) -> None:
    """21_inline_hook_procs."""
    events: list[str] = []
    pipe = pipeline(kind)
    pipe.before_run(lambda: events.append("pipeline_start"))
    pipe.after_run(lambda: events.append("pipeline_end"))
    pipe.before_fork(lambda: events.append("before_fork"))
    for stage in ("fetch_data", "validate", "transform"):
        pipe.before(stage)(lambda stage=stage: events.append(f"{stage}_start"))
        pipe.after(stage)(lambda stage=stage: events.append(f"{stage}_end"))

    @pipe.producer
    def fetch_data() -> Iterator[int]:
        events.append("fetching")
        yield from range(10)

    @pipe.processor
    def validate(number: int) -> int | None:
        return number if number > 0 else None

    @pipe.processor
    def transform(number: int) -> int:
        return number * 2

    pipe.batch(5)

    @pipe.consumer(**where(kind))
    def save_data(batch: list[int]) -> list[int]:
        return batch

    results = chain.from_iterable(pipe.collect())
    assert sorted(results) == [2, 4, 6, 8, 10, 12, 14, 16, 18]
    starts = [f"{stage}_start" for stage in ("fetch_data", "validate", "transform")]
    forked = ["before_fork"] if forks(kind) else []
    assert events[0] == "pipeline_start"
    assert sorted(events[1:-5]) == sorted([*starts, *forked])
    assert events[-5] == "fetching"
    assert sorted(events[-4:-1]) == ["fetch_data_end", "transform_end", "validate_end"]
    assert events[-1] == "pipeline_end"


@in_kinds("inline", "thread")
def test_what_a_stage_is_given_before_it_begins_is_there_for_its_first_item(kind: str) -> None:
    """21_inline_hook_procs: a counter that a hook makes."""
    counter: dict[str, int] = {}
    pipe = pipeline(kind)
    pipe.before("validate")(lambda: counter.update(start=40))
    pipe.source([1, 2])
    pipe.processor(lambda number: counter["start"] + number, name="validate")
    assert sorted(pipe.collect()) == [41, 42]
